"""A supervised example as the model reads it, and which examples are short enough to be read.

What is trained is what was generated: a row is the prompt exactly as the engine gives it to the model (`ChatTokenizer`, with
special tokens of the text broken up), what the model wrote, and what its template writes behind an answer. Templates
that think write a conversation otherwise than they ask for an answer: they open a thought in the prompt, drop past
thoughts, or put an empty one before each answer. So a row is the template's own conversation only where that is the
same thing, which it is for templates without thoughts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from srlm.console import Progress
from srlm.engines.chat_template import ChatTokenizer
from srlm.engines.reasoning import MARK
from srlm.engines.template_parts import ANSWER, NO_REASONING, QUESTION, Thoughts, render
from srlm.errors import ModelError, NothingToTrain
from srlm.types import Message
from trainer.data.sft_examples import Example

IGNORED = -100
"""The label of a token that no loss counts."""

SHOWN = 80
"""Characters of a beginning that a message shows."""

Learned = Literal["drop", "keep"]
"""What becomes of a model's thoughts, see `srlm.config.TrainConfig.thoughts`."""


@dataclass(frozen=True)
class Tokens:
    """Token ids of the turns before the answer, and of the answer, which alone the loss counts."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)


class Rows:
    """Writes instructions and answers as one tokenizer's template has them."""

    def __init__(self, tokenizer: Any, thoughts: Learned = "drop") -> None:
        """Try the template once.

        Args:
            tokenizer: as `srlm.engines.load.load_tokenizer` gives it.
            thoughts: whether a model is asked with its thought closed, or learns what it thinks too.

        Raises:
            ModelError: it begins an answer otherwise in a conversation than where it asks for one.
        """
        self._tokenizer, self._name = tokenizer, tokenizer.name_or_path or "this model"
        asked: Thoughts = "open" if thoughts == "keep" else "closed"
        self._chat = ChatTokenizer(tokenizer, name=self._name, context=1 << 60, thoughts=asked)
        self._settings = dict(NO_REASONING) if asked == "closed" and self._chat.has_reasoning else {}
        question = [Message("user", QUESTION)]
        turn = self._chat.turn(question)
        self._closing = turn.closing
        before = self._conversation(question, ANSWER).rpartition(ANSWER)[0]
        if _bare(turn.prompt + turn.empty) != _bare(before):
            one, two = (_ending(text) for text in (turn.prompt + turn.empty, before))
            raise ModelError(
                f"The chat template of {self._name} begins an answer with {one!r} where it asks for one, and with "
                f"{two!r} in a conversation: the model would be trained on what it is never asked. Correct its "
                "chat_template.jinja so that the two are the same."
            )

    def read(self, prompt: str, completion: str, written: str | None = None) -> Tokens:
        """The tokens of an instruction and its answer.

        Args:
            prompt: the instruction.
            completion: the answer alone.
            written: all that the model wrote, its thoughts included, where these are learned too; of an answer without
                it nobody knows how it was written, so that it gets the empty thought of a template that has one.

        Raises:
            EngineError: the template refuses the instruction.
        """
        question = [Message("user", prompt)]
        answer = self._chat.escape_special_tokens(completion) if written is None else self._defused(written)
        if self._chat.has_reasoning:
            turn = self._chat.turn(question)
            opened, empty, closing = turn.prompt, turn.empty, turn.closing
        else:
            question = [Message("user", self._chat.escape_special_tokens(prompt))]
            opened = render(self._tokenizer, question, self._name, add_generation_prompt=True)
            empty, closing = "", self._closing
        rest = (empty if written is None else "") + answer + closing
        if written is None or not self._chat.has_reasoning:
            theirs = self._conversation([Message("user", self._chat.escape_special_tokens(prompt))], answer)
            # The template's own blanks around an answer, and its way to trim one, are what the model knows.
            if theirs.startswith(opened) and _blanks_apart(theirs[len(opened) :], rest):
                rest = theirs[len(opened) :]
        before, ids = self._encode(opened), self._encode(opened + rest)
        if ids[: len(before)] != before:  # a token would reach over the border, which none does in generation
            ids = [*before, *self._encode(rest)]
        return Tokens(tuple(before), tuple(ids[len(before) :]))

    def _conversation(self, question: list[Message], answer: str) -> str:
        return render(self._tokenizer, [*question, Message("assistant", answer)], self._name, **self._settings)

    def _defused(self, written: str) -> str:
        """Break up special tokens in what was written, but for the marks of thoughts."""
        pieces: list[str] = []
        begins = 0
        for mark in MARK.finditer(written):
            pieces += [self._chat.escape_special_tokens(written[begins : mark.start()]), mark[0]]
            begins = mark.end()
        return "".join([*pieces, self._chat.escape_special_tokens(written[begins:])])

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids


def read(tokenizer: Any, example: Example, thoughts: Learned = "drop") -> Tokens:
    """The tokens of one example."""
    return Rows(tokenizer, thoughts).read(example.prompt, example.completion, example.written)


def fitting(
    rows: Rows, examples: Sequence[Example], max_length: int, progress: Progress, label: str
) -> list[tuple[Example, Tokens]]:
    """The examples of at most `max_length` tokens, with these; says how many are longer.

    Raises:
        NothingToTrain: all are.
    """
    every = [(example, rows.read(example.prompt, example.completion, example.written)) for example in examples]
    kept = [(one, tokens) for one, tokens in every if len(tokens) <= max_length]
    if not kept:
        raise NothingToTrain(f"{label}: none of {len(examples)} examples fits into max_length = {max_length} tokens.")
    if len(kept) < len(examples):
        progress.say(
            f"{label}: {len(examples) - len(kept)} of {len(examples)} examples are longer than {max_length} tokens "
            "and left out."
        )
    return kept


def _bare(text: str) -> str:
    """Text without blanks and marks of thoughts."""
    return "".join(MARK.sub("", text).split())


def _blanks_apart(one: str, two: str) -> bool:
    """Whether two texts differ in blanks alone."""
    return "".join(one.split()) == "".join(two.split())


def _ending(text: str) -> str:
    return text if len(text) <= SHOWN else f"...{text[-SHOWN:]}"
