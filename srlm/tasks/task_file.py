"""A task in a Python file of the user's (docs/howto/own_task.md).

    def problems() -> Iterable[dict]                                all problems, as JSON
    def prompt(problem: dict) -> str                                what the model is asked
    def extract(text: str) -> str | None                            the answer in its text; None: there is none
    def check(problem: dict, answer: str) -> bool | None            optional: the truth; None: it cannot be decided

The file is the user's code. It runs in this process as it is, but for `check`, which runs in a process of its own with
a limit. A problem may have an `id` and a `split`, "train" or "test"; else its place in the list and the hash of its
content decide.
"""

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

from srlm.console import stderr
from srlm.errors import DataError, UsageError
from srlm.seeding import derive_seed
from srlm.tasks.isolated import NO_REPLY, IsolatedChecker
from srlm.tasks.task import Problem, Split
from srlm.user_program import describe, execute, last_line, line_of, read_program

PROGRAM = "the task file"
NEEDED = {
    "problems": "problems(), which returns all problems, each a dict",
    "prompt": "prompt(problem), which returns what the model is asked",
    "extract": "extract(text), which returns the answer in a model's text, or None",
}
ARGUMENTS = {"problems": 0, "prompt": 1, "extract": 1, "check": 2}
CHECK = "check(problem, answer), which returns True, False, or None where it cannot decide"
TEST_SHARE = 5
"""One problem of so many is for tests alone, where the file does not say."""
CHECK_SECONDS = 10.0
"""Processor time for one check."""
FAULTS = 10
"""Faults that a message names before it only counts them."""


class FileTask:
    """The task of a file. `label` has the file's name and the digest of its text."""

    def __init__(self, file: Path) -> None:
        """Execute the file, and look at everything that it gives.

        Raises:
            DataError: the file cannot be read, is no Python, or fails; the message has the line.
            UsageError: it lacks something, or something in it cannot be used; the message has a line for each.
        """
        self._file = file
        text = read_program(file, PROGRAM)
        self._module = execute(file, text, PROGRAM)
        self.label = f"{file.name} ({sha256(text).hexdigest()[:12]})"
        self.checks = "check" in vars(self._module)
        self._refuse([*self._missing()])
        self._problems = self._read_problems()
        self._checker = IsolatedChecker("file", seconds=CHECK_SECONDS, source=text.decode("latin-1"), file=str(file))
        self._reported: set[str] = set()

    def problems(self, count: int, seed: int, split: Split) -> list[Problem]:
        """Return problems in an order that depends on the seed.

        Raises:
            UsageError: the split has fewer.
        """
        found = self._problems[split]
        if len(found) < count:
            raise UsageError(
                f"The task file {self._file} has {len(found):,} problems in its split {split}, and {count:,} are asked "
                "for. Ask for fewer (rollouts.problems, or --limit of srlm eval), or let problems() return more; a "
                'problem may name its own "split", train or test.'
            )
        return sorted(found, key=lambda one: derive_seed(seed, split, one.id))[:count]

    def extract(self, text: str) -> str | None:
        """Return the answer in a model's text.

        Raises:
            DataError: the file's function raises, or returns something else than text or None.
        """
        try:
            found = self._call("extract", text)
        except (Exception, SystemExit) as error:
            raise DataError(
                self._file,
                f"extract() raised {describe(error)} for an answer. Correct it, or return None where there is none.",
                last_line(error, self._file),
            ) from None
        if found is None or isinstance(found, str):
            return found
        raise DataError(
            self._file,
            f"extract() returned a {type(found).__name__}, and neither text nor None.",
            line_of(self._function("extract")),
        )

    def check(self, problem: Problem, answer: str) -> bool | None:
        """Return what the file says; None if it has no check, cannot decide, raises, or takes too long.

        What it raises is reported once on standard error: it is no reason to end a training, which does not see it.
        """
        if not self.checks:
            return None
        reply = self._checker.check(problem.data, answer)
        if reply.error is not None and reply.error not in self._reported:
            self._reported.add(reply.error)
            silent = f"took more than {CHECK_SECONDS:g} s, or ended its process"
            problem_text = silent if reply.error == NO_REPLY else f"failed: {reply.error}"
            stderr().print(
                f"{self._file}: check() {problem_text}, for an answer to {problem.id}. Such answers are counted as "
                "undecided; the training goes on.",
                markup=False,
                soft_wrap=True,
            )
        return reply.right

    def _function(self, name: str) -> Callable[..., Any]:
        found: Callable[..., Any] = vars(self._module)[name]
        return found

    def _call(self, name: str, *arguments: Any) -> Any:
        with redirect_stdout(sys.stderr):
            return self._function(name)(*arguments)

    def _missing(self) -> Iterator[str]:
        """Yield a line for each function that is missing, or cannot be called as it should be."""
        known = vars(self._module)
        for name, form in {**NEEDED, "check": CHECK}.items():
            if name not in known:
                if name in NEEDED:
                    yield f"{name} is missing: write {form}"
                continue
            if not callable(known[name]):
                yield f"{name} is no function: write {form}"
                continue
            try:
                inspect.signature(known[name]).bind(*[None] * ARGUMENTS[name])
            except TypeError:
                signature = f"{name}{inspect.signature(known[name])}"
                yield f"line {line_of(known[name])}: {signature} cannot be called as it should: write {form}"
            except ValueError:
                continue  # a builtin without a signature: its call will tell

    def _read_problems(self) -> dict[Split, list[Problem]]:
        """Return all problems by split.

        Raises:
            UsageError: there is none, or some cannot be used.
        """
        try:
            with redirect_stdout(sys.stderr):  # a generator runs here
                every = list(self._function("problems")())
        except (Exception, SystemExit) as error:
            raise UsageError(self._message([f"{self._at(error)}problems() raised {describe(error)}"])) from None
        found: dict[Split, list[Problem]] = {split: [] for split in get_args(Split)}
        faults: list[str] = [] if every else ["problems() returned none"]
        ids: set[str] = set()
        for number, data in enumerate(every):
            try:
                split, problem = self._problem(number, data)
                if problem.id in ids:
                    raise ValueError(f'has the id "{problem.id}" of another one')
            except ValueError as error:
                faults.append(f"problem {number + 1} {error}")
                continue
            ids.add(problem.id)
            found[split].append(problem)
        self._refuse(faults)
        return found

    def _problem(self, number: int, data: Any) -> tuple[Split, Problem]:
        """Return a problem with its split.

        Raises:
            ValueError: it cannot be used; the message follows the words "problem 7".
        """
        if not isinstance(data, Mapping):
            raise ValueError(f"is a {type(data).__name__}, and no dict")
        try:
            content = json.dumps(data, sort_keys=True)
        except (TypeError, ValueError) as error:
            raise ValueError(f"cannot be written as JSON: {error}") from None
        splits: tuple[Split, ...] = get_args(Split)
        hashed: Split = "test" if derive_seed("task", content) % TEST_SHARE == 0 else "train"
        split = data.get("split", hashed)
        if split not in splits:
            raise ValueError(f'has the split {split!r}, and neither "train" nor "test"')
        try:
            prompt = self._call("prompt", json.loads(content))
        except (Exception, SystemExit) as error:
            raise ValueError(f"has no prompt: {self._at(error)}prompt() raised {describe(error)}") from None
        if not isinstance(prompt, str) or not prompt.strip():
            found = "empty text" if isinstance(prompt, str) else f"a {type(prompt).__name__}"
            raise ValueError(f"has no prompt: prompt() returned {found}")
        return split, Problem(str(data.get("id", f"{self._file.stem}-{number:05d}")), prompt, json.loads(content))

    def _at(self, error: BaseException) -> str:
        line = last_line(error, self._file)
        return f"line {line}: " if line else ""

    def _refuse(self, faults: list[str]) -> None:
        """Return if there is no fault.

        Raises:
            UsageError: there is one.
        """
        if faults:
            raise UsageError(self._message(faults))

    def _message(self, faults: list[str]) -> str:
        more = [f"and {len(faults) - FAULTS:,} more"] if len(faults) > FAULTS else []
        lines = "".join(f"\n  {fault}" for fault in [*faults[:FAULTS], *more])
        return f"The task file {self._file} cannot be used (docs/howto/own_task.md):{lines}"
