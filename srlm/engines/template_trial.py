"""A chat template is tried once, on a short question and under limits, before anything is asked of its model.

transformers runs templates in a sandbox. That keeps them from the machine, but not from an endless loop or from filling
the memory. What hangs on the messages of a later request, such as a loop over one, is not bounded here.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from srlm.engines.reasoning import part_thoughts
from srlm.engines.template_parts import QUESTION, around, behind, render
from srlm.errors import EngineError, ModelError
from srlm.types import Message

STEPS = 1_000_000
"""Lines of a template's program that may run for one short question: real ones need some hundred."""

LONGEST = 1_000_000
"""Characters that a template may write for it."""

ROOM = 2 << 30
"""Bytes of address space that it may take."""


def require_template(tokenizer: Any, folder: Path) -> None:
    """Run a checkpoint's template on a short question, under limits.

    Raises:
        ModelError: it fails, does not end, leaves the question out, or does not begin the turn of the answer.
    """
    templates = tokenizer.chat_template
    if isinstance(templates, dict) and "default" not in templates:
        raise ModelError(
            f"The checkpoint {folder} has several chat templates ({', '.join(sorted(map(str, templates)))}), and none "
            "is called default. Name the one that srlm shall use default, in its tokenizer_config.json."
        )
    asked = [Message("user", QUESTION)]
    _compile(tokenizer)
    try:
        with _limits():
            if _has_powers(tokenizer):
                raise _Endless
            prompt = render(tokenizer, asked, str(folder), add_generation_prompt=True)
            bare = render(tokenizer, asked, str(folder), add_generation_prompt=False)
    except _Endless:
        raise ModelError(
            f"The chat template of {folder} does not come to an end on one short question, or computes with powers. "
            "Use the template of the model that it was made from."
        ) from None
    except EngineError as error:
        raise ModelError(str(error)) from None
    if len(prompt) > LONGEST:
        raise ModelError(f"The chat template of {folder} writes {len(prompt)} characters for one short question.")
    if QUESTION.lower() not in prompt.lower():
        raise ModelError(
            f"The chat template of {folder} leaves out what the user says: the model would answer nothing that it is "
            "asked. It may be made for messages with images; use the template of the text model."
        )
    if prompt == bare:
        _require_a_beginning(tokenizer, asked, prompt, folder)


def _compile(tokenizer: Any) -> None:
    """Turn the template into a program, which transformers keeps: a long one takes many steps that are not its own."""
    with suppress(Exception):  # what is wrong with it is told when it is rendered
        from transformers.utils import chat_template_utils

        chat_template_utils._compile_jinja_template(tokenizer.get_chat_template())


def _require_a_beginning(tokenizer: Any, asked: list[Message], prompt: str, folder: Path) -> None:
    """Refuse a template that has words between a question and its answer, and does not give them to the model."""
    try:
        before, _ = around(tokenizer, asked, str(folder), {})
    except EngineError:  # it takes no answers
        return
    words = behind(prompt, before or "")
    if before is None or not part_thoughts(words).answer.strip() or QUESTION in words:
        return
    raise ModelError(
        f"The chat template of {folder} ignores add_generation_prompt: an answer would not begin behind {words!r}, as "
        "in conversations that the model has learned from, but before it. Add to its chat_template.jinja: "
        f"{{% if add_generation_prompt %}}{{{{ {words!r} }}}}{{% endif %}}"
    )


class _Endless(BaseException):
    """Not an Exception: a template's own handling of errors, and ours, must not hold it up."""


def _has_powers(tokenizer: Any) -> bool:
    """Whether a template computes powers. They take forever in one step, and no real one does."""
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
    """Bound the steps and the memory of what runs inside."""
    left = STEPS

    def step(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _Endless
        return step

    traced = sys.gettrace()
    with _less_memory():
        sys.settrace(step)
        try:
            yield
        finally:
            sys.settrace(traced)


@contextmanager
def _less_memory() -> Iterator[None]:
    """Give this process `ROOM` more of address space than it has, where the system can (Linux)."""
    try:
        import resource

        pages = int(open("/proc/self/statm").read().split()[0])  # noqa: SIM115, PTH123
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = pages * resource.getpagesize() + ROOM
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
