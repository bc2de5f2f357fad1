"""The text that a chat template writes around an answer: prompt, opened or closed reasoning, end of the turn.

A template is a third-party program and can fail in any way: each failure becomes one error here.
`srlm.engines.template_trial` runs it once under limits when its tokenizer is loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from srlm.engines.reasoning import MARK, split_reasoning
from srlm.errors import EngineError, ModelError
from srlm.types import Message

Thoughts = Literal["open", "closed"]
"""A model reasons before it answers, as its template lets it ("open"), or begins with its answer ("closed")."""

NO_REASONING: Mapping[str, Any] = {"enable_thinking": False, "thinking": False}
"""Template variables that turn reasoning off (Qwen 3, GLM, SmolLM3; DeepSeek, Granite); other templates ignore them."""

QUESTION, ANSWER = "Question7319", "Answer2846"
"""Words that no template writes by itself."""


@dataclass(frozen=True)
class Turn:
    """The text around an answer: a training row is `prompt`, what was generated, and `closing`.

    `opened`: the prompt ends inside of the reasoning. `empty` is the text between the prompt and an answer without
    reasoning: the empty block that the template itself writes there, or what closes the reasoning that the prompt
    opened; "" where nothing is needed.
    """

    prompt: str
    opened: bool
    closing: str
    empty: str


def render(tokenizer: Any, messages: Sequence[Message], name: str = "this model", **settings: Any) -> str:
    """Render messages with the chat template.

    Raises:
        EngineError: the template fails or refuses them, such as a system message that it does not support.
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
            raise EngineError(f"The chat template of {name} refuses these messages: {first_line(error)}") from None
        raise EngineError(
            f"The chat template of {name} fails on these messages: {first_line(error)}. Correct its "
            "chat_template.jinja, or take that of the model it was made from."
        ) from None
    return str(text)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, with its class unless the message is the template's own."""
    lines = str(error).strip().splitlines()
    said = lines[0].strip().rstrip(".")[:300] if lines else ""
    own = " " in said and type(error).__module__.startswith("jinja2")
    return said if own else f"{type(error).__name__} {said}".strip()


def render_prompt(
    tokenizer: Any, messages: Sequence[Message], thoughts: Thoughts, name: str = "this model"
) -> tuple[str, bool]:
    """Render the prompt up to where the model continues; also return whether that is inside of the reasoning.

    Raises:
        EngineError: see `render`.
    """
    settings = NO_REASONING if thoughts == "closed" else {}
    prompt = render(tokenizer, messages, name, add_generation_prompt=True, **settings)
    opened = _opens_reasoning(tokenizer, messages, prompt, name, settings)
    if thoughts == "open":
        return prompt, opened
    before, _ = text_around_answer(tokenizer, messages, name, settings)
    return prompt + _empty_reasoning(prompt, opened, before), False


def render_turn(tokenizer: Any, messages: Sequence[Message], thoughts: Thoughts, name: str = "this model") -> Turn:
    """Render the text before and after the answer to these messages.

    Raises:
        EngineError: see `render`.
        ModelError: the template leaves answers out.
    """
    prompt, opened = render_prompt(tokenizer, messages, thoughts, name)
    settings = NO_REASONING if thoughts == "closed" else {}
    before, closing = text_around_answer(tokenizer, messages, name, settings)
    if before is None:
        raise ModelError(
            f"The chat template of {name} does not write the assistant's answers, so nothing can be learned from an "
            "answer. Use the template of the instruction-tuned version of the model."
        )
    return Turn(prompt, opened, closing, "" if thoughts == "closed" else _empty_reasoning(prompt, opened, before))


def text_around_answer(
    tokenizer: Any, messages: Sequence[Message], name: str, settings: Mapping[str, Any]
) -> tuple[str | None, str]:
    """Return the text before and after an answer without reasoning; (None, "") if the template leaves answers out."""
    whole = render(tokenizer, [*messages, Message("assistant", ANSWER)], name, **settings)
    before, found, after = whole.rpartition(ANSWER)
    return (before, after) if found else (None, "")


def _opens_reasoning(
    tokenizer: Any, messages: Sequence[Message], prompt: str, name: str, settings: Mapping[str, Any]
) -> bool:
    """Return whether the generation prompt ends inside of the reasoning. Marks in the messages do not count."""
    if MARK.search(prompt) is None:
        return False
    bare = render(tokenizer, messages, name, add_generation_prompt=False, **settings)
    return not split_reasoning(remainder(bare, prompt)).closed


def remainder(beginning: str, text: str) -> str:
    """Return what follows a beginning in a text; all text from the first difference, if it begins otherwise."""
    if text.startswith(beginning):
        return text[len(beginning) :]
    differs = next((at for at, pair in enumerate(zip(beginning, text, strict=False)) if pair[0] != pair[1]), len(text))
    return text[differs:]


def _empty_reasoning(prompt: str, opened: bool, before: str | None) -> str:
    """Return an empty block of reasoning, or the rest of one, as the template writes it before a plain answer."""
    if before is not None and before.startswith(prompt):
        block = before[len(prompt) :]
        parts = split_reasoning(block, opened=opened)
        if parts.thoughts and parts.closed and not parts.answer:
            return block
    if not opened:
        return ""
    last = [mark[0] for mark in MARK.finditer(prompt) if mark["open"]][-1]
    if "channel" in last:  # of gpt-oss, whose answer is a message of its own
        return "<|end|><|start|>assistant<|channel|>final<|message|>"
    return f"{'' if prompt.endswith(chr(10)) else chr(10)}\n{_closing_mark(last)}\n\n"


def _closing_mark(mark: str) -> str:
    """Return the mark that closes the reasoning that `mark` opened."""
    for begins, ends in (("begin_of", "end_of"), ("START_", "END_")):
        if begins in mark:
            return mark.replace(begins, ends)
    return f"{mark[0]}/{mark[1:].strip()}"
