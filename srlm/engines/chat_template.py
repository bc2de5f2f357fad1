"""A request as the tokens that a checkpoint reads. Every engine that holds the tokenizer itself shares this.

Special tokens inside a message are broken up before the chat template sees them: a candidate that contains
"<|im_start|>" must not open a turn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from srlm.engines.reasoning import MARK, part_thoughts
from srlm.engines.template_parts import QUESTION, Thoughts, Turn, begin, render, turn_of
from srlm.errors import EngineError, EngineFailed
from srlm.types import Completion, Message, Request

__all__ = ["Chat", "Choice", "Thoughts", "Turn", "chosen", "common_prefix", "cut", "part", "turn_of"]

CHANNEL = {"<|channel|>", "<|message|>"}
"""What the marks of gpt-oss are made of."""


@dataclass(frozen=True)
class Choice:
    """A request with choices: what is read first, and the token by which each choice begins to differ."""

    context: list[int]
    firsts: list[int]


class Chat:
    """A checkpoint's chat template and vocabulary."""

    def __init__(
        self, tokenizer: Any, *, name: str, context: int, thoughts: Thoughts = "open", rows: int | None = None
    ) -> None:
        """Take a tokenizer with a chat template.

        Args:
            tokenizer: as `srlm.engines.load.load_tokenizer` gives it.
            name: how messages call the model.
            context: tokens of prompt and answer that the model can hold.
            thoughts: "closed" keeps a reasoning model from thinking before its answers.
            rows: tokens that the model has an embedding for; not looked at, if not given.
        """
        self.context = context
        self.thoughts: Thoughts = thoughts
        self._tokenizer = tokenizer
        self._name = name
        self._rows = rows
        # Role tokens are often special without a name of their own: `all_special_tokens` lacks them.
        special = {number: token.content for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        named = set(tokenizer.all_special_tokens)
        self._special = sorted((set(special.values()) | named) - {""}, key=len, reverse=True)
        self._dropped = set(special) | set(tokenizer.all_special_ids)
        pieces = CHANNEL if set(special.values()) >= CHANNEL else set()
        self._marks = {number for number, token in special.items() if MARK.fullmatch(token) or token in pieces}

    @cached_property
    def thinks(self) -> bool:
        """Whether the template knows of thoughts: it opens one, or leaves one empty, before an answer."""
        asked = [Message("user", QUESTION)]
        opened = begin(self._tokenizer, asked, "open", self._name)
        return opened[1] or opened != begin(self._tokenizer, asked, "closed", self._name)

    @property
    def identity(self) -> str:
        """What an engine's identity says of thoughts: nothing where the template knows of none."""
        return "" if not self.thinks else f":thoughts-{self.thoughts}"

    def turn(self, messages: Sequence[Message]) -> Turn:
        """What stands around the answer to these messages, in which special tokens are broken up.

        Raises:
            EngineError: the template refuses the messages.
            ModelError: the template leaves answers out.
        """
        return turn_of(self._tokenizer, self._defused(messages), self.thoughts, self._name)

    def text(self, request: Request) -> str:
        """The prompt up to where the model goes on: what is begun or chosen for it, stands behind its thoughts.

        Raises:
            EngineError: the template refuses the messages, such as a system message that it has no place for.
        """
        return self._begin(request)[0] + self.defuse(request.prefill)

    def may_think(self, request: Request) -> bool:
        """Whether the answer to a request may begin with thoughts that the template knows of."""
        return self.thinks and self._thoughts(request) == "open"

    def completion(
        self, request: Request, tokens: Sequence[int], prompt_tokens: int, *, ended: bool, text: str | None = None
    ) -> Completion:
        """What a model wrote, its thoughts parted from its answer; a stop string ends the answer, and no thought.

        Args:
            request: what it was asked.
            tokens: what it wrote.
            prompt_tokens: how many it had read.
            ended: whether it came to an end by itself.
            text: these tokens without special ones, where they are decoded already.
        """
        whole = self.decode(tokens) if text is None or not self._marks.isdisjoint(tokens) else text
        parted = part_thoughts(whole, opened=self._opened(request))
        answer = cut(parted.answer, request.sampling.stop)
        return Completion(
            text=answer,
            finish="stop" if ended or answer != parted.answer else "length",
            prompt_tokens=prompt_tokens,
            completion_tokens=len(tokens),
            thoughts=parted.thoughts,
            written=parted.written(whole),
        )

    def stops(self, request: Request, tokens: Sequence[int]) -> bool:
        """Whether a stop string stands in the answer that these tokens are or begin."""
        answer = part_thoughts(self.decode(tokens), opened=self._opened(request)).answer
        return any(stop in answer for stop in request.sampling.stop)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without special ones but for marks of thoughts."""
        if self._marks.isdisjoint(tokens):
            return str(self._tokenizer.decode(tokens, skip_special_tokens=True))
        kept = [token for token in tokens if token in self._marks or token not in self._dropped]
        return str(self._tokenizer.decode(kept, skip_special_tokens=False))

    def tokens(self, request: Request) -> list[int]:
        """The prompt's tokens.

        Raises:
            EngineError: they do not fit into the model's context.
        """
        ids = self._encode(self.text(request))
        if len(ids) + 1 > self.context:
            raise EngineError(
                f"A prompt of {len(ids)} tokens does not fit into the {self.context} that {self._name} can read. "
                "Shorten the instructions, or set a smaller max_tokens for answers."
            )
        return ids

    def choice(self, request: Request) -> Choice:
        """Where the choices part.

        They are tokenised together with what stands before them: in some vocabularies " 4" is one token and in others
        two. What the choices have in common is read as prompt; their first differing tokens are compared.

        Raises:
            EngineError: two choices begin with the same token, or they do not fit into the context.
        """
        text = self.text(request)
        found = part([self._encode(text + choice) for choice in request.choices], self._name, request.choices)
        if len(found.context) + 1 > self.context:
            self.tokens(request)  # says how much too long it is
        return found

    def _thoughts(self, request: Request) -> Thoughts:
        return "closed" if request.choices or request.prefill else self.thoughts

    def _begin(self, request: Request) -> tuple[str, bool]:
        messages = self._defused(request.messages)
        if not self.thinks:
            return render(self._tokenizer, messages, self._name, add_generation_prompt=True), False
        return begin(self._tokenizer, messages, self._thoughts(request), self._name)

    def _opened(self, request: Request) -> bool:
        return self.may_think(request) and self._begin(request)[1]

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        if self._rows is not None and ids and max(ids) >= self._rows:
            raise EngineError(
                f"The tokenizer of {self._name} gives the token {max(ids)}, and its weights end at {self._rows - 1}. "
                "Use the tokenizer that belongs to them."
            )
        return ids

    def _defused(self, messages: Sequence[Message]) -> list[Message]:
        return [Message(message.role, self.defuse(message.content)) for message in messages]

    def defuse(self, text: str) -> str:
        """Break up special tokens in text that is data: "<|im_end|>" becomes "< |im_end|>"."""
        for token in self._special:
            if token in text:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text


def part(encoded: Sequence[list[int]], name: str, choices: tuple[str, ...]) -> Choice:
    """Where texts part that end in the choices.

    Raises:
        EngineError: two of them begin with the same token.
    """
    shared = common_prefix(encoded)
    firsts = [ids[shared] for ids in encoded]
    if len(set(firsts)) != len(firsts):
        raise EngineError(f"{name} cannot tell the choices {choices} apart by their first token.")
    return Choice(encoded[0][:shared], firsts)


def common_prefix(sequences: Sequence[Sequence[int]]) -> int:
    """Length of the longest prefix of all sequences that leaves each at least one token."""
    first, last = min(sequences, key=list), max(sequences, key=list)  # in the order of a dictionary
    limit = min(len(sequence) for sequence in sequences) - 1
    length = 0
    while length < limit and first[length] == last[length]:
        length += 1
    return length


def cut(text: str, stops: tuple[str, ...]) -> str:
    """Text up to where the first of the stop strings begins."""
    found = [text.find(stop) for stop in stops if stop in text]
    return text[: min(found)] if found else text


def chosen(
    request: Request, choice: Choice, logits: Sequence[float], total: float = 0.0, name: str = "The model"
) -> Completion:
    """The reply to a request with choices: what their first tokens come to if there were no others.

    Args:
        request: what was asked.
        choice: the tokens that stand for its choices.
        logits: of these tokens, in their order; log-probabilities, if `total` is not given.
        total: the logarithm of the sum of the exponentials of all logits.
        name: how messages call the model.

    Raises:
        EngineFailed: they are no numbers.
    """
    highest = max(logits)
    if not math.isfinite(highest) or math.isnan(sum(logits)) or not math.isfinite(total):
        raise not_finite(name)
    masses = [math.exp(logit - highest) for logit in logits]
    probabilities = tuple(mass / sum(masses) for mass in masses)
    best = max(range(len(probabilities)), key=probabilities.__getitem__)
    mass = min(1.0, math.exp(highest - total) * sum(masses))
    return Completion(request.choices[best], "stop", len(choice.context), 1, probabilities, mass=mass)


def not_finite(name: str) -> EngineFailed:
    """What is raised where a model's scores of the next token are no numbers."""
    return EngineFailed(
        f"{name} gives no numbers for the next token: its weights or activations are not finite. A training that "
        "diverged leaves such weights; a model made for bfloat16 may need dtype=float32."
    )
