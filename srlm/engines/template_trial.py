"""Trial run of a chat template: one short question, with limits on steps and memory.

transformers runs templates in a sandbox, which protects the machine but not from endless loops or from using up the
memory. Left out: the cost of later requests with longer messages is not bounded.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from srlm.engines.reasoning import split_reasoning
from srlm.engines.template_parts import QUESTION, remainder, render, text_around_answer
from srlm.errors import EngineError, ModelError
from srlm.types import Message

MAX_STEPS = 1_000_000
"""Lines of the template's compiled program that may run for one short question: real ones need some hundred."""

MAX_CHARACTERS = 1_000_000
"""Characters that the template may write for it."""

MAX_MEMORY = 2 << 30
"""Bytes of address space that it may allocate."""


def require_template(tokenizer: Any, folder: Path) -> None:
    """Run a checkpoint's template on a short question, with limits.

    Raises:
        ModelError: it fails, exceeds a limit, leaves the question out, or does not open the assistant's turn.
    """
    templates = tokenizer.chat_template
    if isinstance(templates, dict) and "default" not in templates:
        raise ModelError(
            f"The checkpoint {folder} has several chat templates ({', '.join(sorted(map(str, templates)))}), and none "
            "is named default. Name the one to use default, in its tokenizer_config.json."
        )
    asked = [Message("user", QUESTION)]
    _compile(tokenizer)
    try:
        with _limits():
            if _has_powers(tokenizer):
                raise _LimitExceeded
            prompt = render(tokenizer, asked, str(folder), add_generation_prompt=True)
            bare = render(tokenizer, asked, str(folder), add_generation_prompt=False)
    except _LimitExceeded:
        raise ModelError(
            f"The chat template of {folder} does not end on one short question, or computes with powers. "
            "Use the template of the model that it was made from."
        ) from None
    except EngineError as error:
        raise ModelError(str(error)) from None
    if len(prompt) > MAX_CHARACTERS:
        raise ModelError(
            f"The chat template of {folder} writes {len(prompt)} characters for one short question. Use the template "
            "of the model that it was made from."
        )
    if QUESTION.lower() not in prompt.lower():
        raise ModelError(
            f"The chat template of {folder} leaves out the user's message, so the model would not read its prompt. It "
            "may be made for messages with images; use the template of the text model."
        )
    if prompt == bare:
        _require_generation_prompt(tokenizer, asked, prompt, folder)


def _compile(tokenizer: Any) -> None:
    """Compile the template, which transformers caches: compilation must not count as steps of the program."""
    with suppress(Exception):  # errors are reported when it is rendered
        from transformers.utils import chat_template_utils

        chat_template_utils._compile_jinja_template(tokenizer.get_chat_template())


def _require_generation_prompt(tokenizer: Any, asked: list[Message], prompt: str, folder: Path) -> None:
    """Refuse a template that writes text between a question and its answer, but not in the generation prompt."""
    try:
        before, _ = text_around_answer(tokenizer, asked, str(folder), {})
    except EngineError:  # it supports no answers
        return
    words = remainder(prompt, before or "")
    if before is None or not split_reasoning(words).answer.strip() or QUESTION in words:
        return
    raise ModelError(
        f"The chat template of {folder} ignores add_generation_prompt: an answer would not begin after {words!r}, as "
        "in the model's training data, but before it. Add to its chat_template.jinja: "
        f"{{% if add_generation_prompt %}}{{{{ {words!r} }}}}{{% endif %}}"
    )


class _LimitExceeded(BaseException):
    """A limit was exceeded. Not an Exception: no handler of errors, the template's or ours, must catch it."""


def _has_powers(tokenizer: Any) -> bool:
    """Return whether a template computes powers: one step may take forever, and no real template has any."""
    from jinja2 import TemplateError, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    text = str(tokenizer.get_chat_template())
    if "**" not in text:
        return False
    try:
        environment = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"])
        return environment.parse(text).find(nodes.Pow) is not None
    except TemplateError:
        return False


@contextmanager
def _limits() -> Iterator[None]:
    """Limit the steps and the memory of the block."""
    left = MAX_STEPS

    def step(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _LimitExceeded
        return step

    traced = sys.gettrace()
    with _limited_memory():
        sys.settrace(step)
        try:
            yield
        finally:
            sys.settrace(traced)


@contextmanager
def _limited_memory() -> Iterator[None]:
    """Limit this process to `MAX_MEMORY` more address space than it has, where the system supports it (Linux)."""
    try:
        import resource

        pages = int(open("/proc/self/statm").read().split()[0])  # noqa: SIM115, PTH123
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = pages * resource.getpagesize() + MAX_MEMORY
        if soft != resource.RLIM_INFINITY and soft <= limit:
            raise OSError
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    except (ImportError, OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
