"""Reward programs: a function of the user's that scores an answer.

    def score(prompt: str, answer: str) -> float | None: ...
    def score(prompt: str, answer: str, context: list[dict[str, str]]) -> float | None: ...

`context` is what comes before the prompt in its conversation: a system message and earlier turns, each with `role` and
`content`. It is given to functions that have a parameter of this name. The value is any finite number, larger for a
better answer; True counts as 1 and False as 0; None means that the function cannot say.

The file is code of the user's, which runs in this process as it is: no sandbox, no time limit. It is read once; what is
executed is what its digest was computed of. Files that it imports are not part of the digest.
"""

import inspect
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from hashlib import sha256
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import Any

from srlm.engines.engine import BatchResult, OnProgress, no_progress
from srlm.errors import DataError, UnknownName
from srlm.prices import FREE, Price
from srlm.rewards.source import reply_of, require_answer
from srlm.types import Request
from srlm.user_program import describe, execute, last_line, line_of, read_program, shorten

PROGRAM = "the reward program"
"""What messages call the file."""
SIGNATURE = "def {name}(prompt, answer), or def {name}(prompt, answer, context)"
RESUMES = "All values until here are kept, and a value is computed once for each version of the file."

Function = Callable[..., Any]


class ProgramSource:
    """A reward program as a source of verdicts. Calls are made one after the other, in the order of the answers."""

    price: Price | None = FREE

    def __init__(self, file: Path, function: str, *, name: str) -> None:
        """Execute the file, and check its function.

        Args:
            file: of Python.
            function: the name of a function in it.
            name: display name.

        Raises:
            DataError: the file cannot be read, is no Python, or fails; the message has the line.
            UnknownName: it has no function of this name.
        """
        self.name = name
        self._file, self._function_name = file, function
        text = read_program(file, PROGRAM)
        digest = sha256(text).hexdigest()
        self._module = execute(file, text, PROGRAM)
        self._function, self._with_context = self._find()
        self.label = f"program:{digest[:12]}"
        self.identity = f"program:{digest}:{function}"

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Return a batch for each request, so that what is computed before an error is kept."""
        for request in requests:
            require_answer(request, self.name)
        return [[index] for index in range(len(requests))]

    def run(self, batches: Sequence[Sequence[Request]], on_progress: OnProgress = no_progress) -> Iterator[BatchResult]:
        """Call the function for each request. What it prints goes to standard error.

        Raises:
            DataError: it raises, or returns something else than a finite number or None; the message has the line.
        """
        for number, batch in enumerate(batches):
            began = time.perf_counter()
            replies = [reply_of(self._value(request)) for request in batch]
            for _ in batch:
                on_progress()
            more = number + 1 < len(batches)
            yield BatchResult(number, [*replies], time.perf_counter() - began, more_ready=more)

    def close(self) -> None:
        """Forget the module."""
        sys.modules.pop(self._module.__name__, None)

    def _find(self) -> tuple[Function, bool]:
        """Return the function, and whether it takes the context."""
        found = vars(self._module).get(self._function_name)
        if found is None:
            known = [name for name, one in vars(self._module).items() if inspect.isfunction(one)]
            raise UnknownName(f"In the reward program {self._file}, the function", self._function_name, known)
        if not callable(found):
            raise DataError(self._file, f"{self._function_name} is no function. {self._expected()}")
        line = line_of(found)
        try:
            signature = inspect.signature(found)
        except (TypeError, ValueError):
            return found, False  # a class or a builtin without a signature: its call will tell
        context = signature.parameters.get("context")
        with_context = context is not None and context.kind is not inspect.Parameter.POSITIONAL_ONLY
        try:
            signature.bind("", "", **({"context": []} if with_context else {}))
        except TypeError:
            problem = f"the reward program cannot be called as {self._function_name}(prompt, answer): it is "
            raise DataError(
                self._file, f"{problem}{self._function_name}{signature}. {self._expected()}", line
            ) from None
        return found, with_context

    def _expected(self) -> str:
        return f"Write it as {SIGNATURE.format(name=self._function_name)}."

    def _value(self, request: Request) -> float | None:
        """Call the function with one answer.

        Raises:
            DataError: see `run`.
        """
        *context, prompt, answer = request.messages
        more = {"context": [{"role": one.role, "content": one.content} for one in context]}
        try:
            with redirect_stdout(sys.stderr):
                value = self._function(prompt.content, answer.content, **(more if self._with_context else {}))
        except (Exception, SystemExit) as error:
            raise self._failure(error, prompt.content) from None
        return self._checked(value, prompt.content)

    def _failure(self, error: BaseException, prompt: str) -> DataError:
        return DataError(
            self._file,
            f"the reward program raised {describe(error)} for an answer to {shorten(repr(prompt))}. Correct it, or "
            f"return None where it cannot say. {RESUMES}",
            last_line(error, self._file),
        )

    def _checked(self, value: Any, prompt: str) -> float | None:
        if value is None:
            return None
        problem = f"a {type(value).__name__}"
        if isinstance(value, Real) or type(value).__name__ in {"bool", "bool_"}:  # the last is numpy's
            try:
                number = float(value)
            except OverflowError:
                number = float("inf")
            if isfinite(number):
                return number
            problem = "no finite number"
        raise DataError(
            self._file,
            f"the reward program {self._function_name} returned {shorten(repr(value))}, {problem}, for an answer to "
            f"{shorten(repr(prompt))}. Return a number, or None where it cannot say. {RESUMES}",
            line_of(self._function),
        )
