"""Tokenize training examples by a model's chat template, and drop those that are too long.

Training sees exactly what generation produced: the prompt as the engine gives it to the model (`ChatTokenizer`, with
special tokens in the text broken up), the generated text, and the template's end of turn. Templates of reasoning models
write a conversation differently from a prompt: they open a thought in the prompt, drop past thoughts, or put an empty
one before each answer. The result is therefore the template's own conversation only where both agree, as they do for
templates without reasoning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from srlm.console import Progress
from srlm.engines.chat_template import ChatTokenizer
from srlm.engines.reasoning import MARK
from srlm.engines.template_parts import ANSWER, NO_REASONING, QUESTION, Thoughts, render
from srlm.errors import ModelError, NothingToTrain
from srlm.types import Message, SFTExample

IGNORE_INDEX = -100
"""Label of a token that the loss ignores."""

EXCERPT_CHARS = 80
"""Characters of a prompt's end that a message shows."""

ThoughtsSetting = Literal["drop", "keep"]
"""Values of the setting `thoughts`, see `srlm.config.TrainConfig`."""


@dataclass(frozen=True)
class Tokens:
    """Token ids of the prompt, and of the completion, which alone the loss counts."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)


class ExampleTokenizer:
    """Tokenizer of prompts with their completions, by one model's chat template."""

    def __init__(self, tokenizer: Any, thoughts: ThoughtsSetting = "drop") -> None:
        """Check that the template can be trained on.

        Args:
            tokenizer: from `srlm.engines.load.load_tokenizer`.
            thoughts: "drop" closes the model's reasoning in the prompt; "keep" also trains on reasoning.

        Raises:
            ModelError: the template begins an answer differently in a prompt and in a conversation.
        """
        self._tokenizer, self._name = tokenizer, tokenizer.name_or_path or "this model"
        mode: Thoughts = "open" if thoughts == "keep" else "closed"
        self._chat = ChatTokenizer(tokenizer, name=self._name, thoughts=mode)
        self._settings = dict(NO_REASONING) if mode == "closed" and self._chat.has_reasoning else {}
        question = [Message("user", QUESTION)]
        turn = self._chat.turn(question)
        self._opened, self._closing = turn.prompt, turn.closing
        before = self._conversation(question, ANSWER).rpartition(ANSWER)[0]
        if _without_marks(turn.prompt + turn.empty) != _without_marks(before):
            prompted, spoken = (_excerpt(text) for text in (turn.prompt + turn.empty, before))
            raise ModelError(
                f"The chat template of {self._name} begins an answer with {prompted!r} in a prompt, but with "
                f"{spoken!r} in a conversation: training would not match generation. Correct its chat_template.jinja "
                "so that the two are the same."
            )

    def tokenize(
        self, prompt: str, completion: str, written: str | None = None, context: Sequence[Message] = ()
    ) -> Tokens:
        """Return the tokens of a prompt and its completion.

        Args:
            prompt: the instruction, the last turn before the completion.
            completion: the answer alone.
            written: the full generated text with its reasoning, where that is trained on too. An answer without it gets
                the empty thought of a template that has one.
            context: the messages before the prompt. They are part of the tokens of the prompt.

        Raises:
            EngineError: the template refuses the messages.
        """
        question = [*context, Message("user", prompt)]
        escaped = self._chat.escape_messages(question)
        answer = self._chat.escape_special_tokens(completion) if written is None else self._escaped(written)
        if self._chat.has_reasoning:
            turn = self._chat.turn(question)
            opened, empty, closing = turn.prompt, turn.empty, turn.closing
        else:
            opened = render(self._tokenizer, escaped, self._name, add_generation_prompt=True)
            empty, closing = "", self._closing
        rest = (empty if written is None else "") + answer + closing
        if written is None or not self._chat.has_reasoning:
            rest = self._spaced(opened, escaped, answer, rest)
        before, ids = self._encode(opened), self._encode(opened + rest)
        if ids[: len(before)] != before:  # a token would span the end of the prompt, which none does in generation
            ids = [*before, *self._encode(rest)]
        return Tokens(tuple(before), tuple(ids[len(before) :]))

    def _spaced(self, opened: str, question: list[Message], answer: str, rest: str) -> str:
        """Return the text after the prompt, with the template's own white space around the answer, which models know.

        Some conversations do not begin with their prompt: Mistral's has the system message in the user's last turn,
        but only if no answer follows. Then the white space is that after a question without context.
        """
        tried = [(opened, question)]
        if len(question) > 1:
            tried.append((self._opened, [Message("user", QUESTION)]))
        for prompt, asked in tried:
            theirs = self._conversation(asked, answer)
            if theirs.startswith(prompt) and _equal_but_for_spaces(theirs[len(prompt) :], rest):
                return theirs[len(prompt) :]
        return rest

    def _conversation(self, question: list[Message], answer: str) -> str:
        return render(self._tokenizer, [*question, Message("assistant", answer)], self._name, **self._settings)

    def _escaped(self, written: str) -> str:
        """Break up special tokens in generated text, except for the marks of reasoning."""
        pieces: list[str] = []
        begins = 0
        for mark in MARK.finditer(written):
            pieces += [self._chat.escape_special_tokens(written[begins : mark.start()]), mark[0]]
            begins = mark.end()
        return "".join([*pieces, self._chat.escape_special_tokens(written[begins:])])

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False, verbose=False)
        return ids


def tokenize_example(tokenizer: Any, example: SFTExample, thoughts: ThoughtsSetting = "drop") -> Tokens:
    """Return the tokens of one supervised example."""
    return ExampleTokenizer(tokenizer, thoughts).tokenize(
        example.prompt, example.completion, example.written, example.context
    )


def filter_by_length(
    chat: ExampleTokenizer, examples: Sequence[SFTExample], max_length: int, progress: Progress, label: str
) -> list[tuple[SFTExample, Tokens]]:
    """Return the examples of at most `max_length` tokens, with their tokens, and print how many are longer.

    Raises:
        NothingToTrain: all are.
    """
    every = [(one, chat.tokenize(one.prompt, one.completion, one.written, one.context)) for one in examples]
    kept = [(one, tokens) for one, tokens in every if len(tokens) <= max_length]
    if not kept:
        raise NothingToTrain(f"{label}: none of {len(examples)} examples fits into max_length = {max_length} tokens.")
    if len(kept) < len(examples):
        progress.say(
            f"{label}: {len(examples) - len(kept)} of {len(examples)} examples are longer than {max_length} tokens "
            "and are left out."
        )
    return kept


def _without_marks(text: str) -> str:
    """Return the text without white space and marks of reasoning."""
    return "".join(MARK.sub("", text).split())


def _equal_but_for_spaces(one: str, two: str) -> bool:
    return "".join(one.split()) == "".join(two.split())


def _excerpt(text: str) -> str:
    return text if len(text) <= EXCERPT_CHARS else f"...{text[-EXCERPT_CHARS:]}"
