"""What a chat template writes around an answer: the prompt before it, its thoughts opened or closed, the turn's end.

A template is a program of somebody else's, and can fail in any way: each becomes one error here. `probe.py` tries it
once under limits, when its tokenizer is loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from srlm.engines.reasoning import MARK, part_thoughts
from srlm.errors import EngineError, ModelError
from srlm.types import Message

Thoughts = Literal["open", "closed"]
"""Whether a model may think before it answers, as its template lets it, or begins with its answer at once."""

OFF: Mapping[str, Any] = {"enable_thinking": False, "thinking": False}
"""How templates are told not to let the model think (Qwen 3, GLM, SmolLM3; DeepSeek, Granite); others do not look."""

QUESTION, ANSWER = "Question7319", "Answer2846"
"""Words that no template writes by itself."""


@dataclass(frozen=True)
class Turn:
    """The text around an answer: a training row is `prompt`, what was generated, and `closing`.

    `opened` says that the prompt ends inside of a thought. `empty` stands between the prompt and an answer that has no
    thoughts: the empty block that the template itself writes there, or what closes the thought that the prompt opened.
    It is "" where nothing is needed.
    """

    prompt: str
    opened: bool
    closing: str
    empty: str


def render(tokenizer: Any, messages: Sequence[Message], name: str = "this model", **settings: Any) -> str:
    """The messages as the template writes them.

    Raises:
        EngineError: the template refuses them, such as a system message that it has no place for, or fails.
    """
    from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError  # comes with transformers' templates

    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        text: Any = tokenizer.apply_chat_template(turns, tokenize=False, **settings)
    except TemplateSyntaxError as error:
        raise EngineError(
            f"The chat template of {name} cannot be read: line {error.lineno}: {error.message}."
        ) from None
    except Exception as error:  # it is a program: it can fail in any way
        if isinstance(error, TemplateError) and not isinstance(error, UndefinedError):
            raise EngineError(f"The chat template of {name} refuses these messages: {brief(error)}") from None
        raise EngineError(
            f"The chat template of {name} fails on these messages: {brief(error)}. Correct its chat_template.jinja, or "
            "take that of the model it was made from."
        ) from None
    return str(text)


def brief(error: BaseException) -> str:
    """The first line of what an error says; its class too, unless it is the template's own words."""
    lines = str(error).strip().splitlines()
    said = lines[0].strip().rstrip(".")[:300] if lines else ""
    own = " " in said and type(error).__module__.startswith("jinja2")
    return said if own else f"{type(error).__name__} {said}".strip()


def begin(
    tokenizer: Any, messages: Sequence[Message], thoughts: Thoughts, name: str = "this model"
) -> tuple[str, bool]:
    """The prompt up to where the model goes on, and whether that is inside of a thought; never so if it is closed.

    Raises:
        EngineError: see `render`.
    """
    settings = OFF if thoughts == "closed" else {}
    prompt = render(tokenizer, messages, name, add_generation_prompt=True, **settings)
    opened = _opened(tokenizer, messages, prompt, name, settings)
    if thoughts == "open":
        return prompt, opened
    return prompt + _empty(prompt, opened, around(tokenizer, messages, name, settings)[0]), False


def turn_of(tokenizer: Any, messages: Sequence[Message], thoughts: Thoughts, name: str = "this model") -> Turn:
    """What the template writes before and after the answer to these messages.

    Raises:
        EngineError: see `render`.
        ModelError: the template leaves answers out.
    """
    prompt, opened = begin(tokenizer, messages, thoughts, name)
    before, closing = around(tokenizer, messages, name, OFF if thoughts == "closed" else {})
    if before is None:
        raise ModelError(
            f"The chat template of {name} does not write what the assistant answers, so nothing can be learned from "
            "an answer. Use the template of the instruction-tuned version of the model."
        )
    return Turn(prompt, opened, closing, "" if thoughts == "closed" else _empty(prompt, opened, before))


def around(
    tokenizer: Any, messages: Sequence[Message], name: str, settings: Mapping[str, Any]
) -> tuple[str | None, str]:
    """What the template writes before an answer that has no thoughts (None: it leaves it out), and behind it."""
    whole = render(tokenizer, [*messages, Message("assistant", ANSWER)], name, **settings)
    before, found, after = whole.rpartition(ANSWER)
    return (before, after) if found else (None, "")


def _opened(tokenizer: Any, messages: Sequence[Message], prompt: str, name: str, settings: Mapping[str, Any]) -> bool:
    """Whether what the template adds for the answer ends inside of a thought. What messages say of thoughts is not."""
    if MARK.search(prompt) is None:
        return False
    bare = render(tokenizer, messages, name, add_generation_prompt=False, **settings)
    return not part_thoughts(behind(bare, prompt)).closed


def behind(beginning: str, text: str) -> str:
    """What a text has more than a beginning; all from where they part, if it begins otherwise."""
    if text.startswith(beginning):
        return text[len(beginning) :]
    parted = next((at for at, pair in enumerate(zip(beginning, text, strict=False)) if pair[0] != pair[1]), len(text))
    return text[parted:]


def _empty(prompt: str, opened: bool, before: str | None) -> str:
    """An empty thought, or the rest of it, as the template writes it before an answer without thoughts."""
    if before is not None and before.startswith(prompt):
        block = before[len(prompt) :]
        parted = part_thoughts(block, opened=opened)
        if parted.thoughts and parted.closed and not parted.answer:
            return block
    if not opened:
        return ""
    last = [mark[0] for mark in MARK.finditer(prompt) if mark["open"]][-1]
    if "channel" in last:  # of gpt-oss, whose answer is a message of its own
        return "<|end|><|start|>assistant<|channel|>final<|message|>"
    return f"{'' if prompt.endswith(chr(10)) else chr(10)}\n{_end_of(last)}\n\n"


def _end_of(mark: str) -> str:
    """The mark that ends the thought which this one begins."""
    for begins, ends in (("begin_of", "end_of"), ("START_", "END_")):
        if begins in mark:
            return mark.replace(begins, ends)
    return f"{mark[0]}/{mark[1:].strip()}"
