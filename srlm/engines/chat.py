"""A request as the tokens that a checkpoint reads. Every engine that holds the tokenizer itself shares this.

Special tokens inside a message are broken up before the chat template sees them: a candidate that contains
"<|im_start|>" must not open a turn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from srlm.errors import EngineError
from srlm.types import Completion, Request


@dataclass(frozen=True)
class Choice:
    """A request with choices: what is read first, and the token by which each choice begins to differ."""

    context: list[int]
    firsts: list[int]


class Chat:
    """A checkpoint's chat template and vocabulary."""

    def __init__(self, tokenizer: Any, *, name: str, context: int) -> None:
        """Take a tokenizer with a chat template.

        Args:
            tokenizer: as `srlm.engines.checkpoint.load_tokenizer` gives it.
            name: how messages call the model.
            context: tokens of prompt and answer that the model can hold.
        """
        self.context = context
        self._tokenizer = tokenizer
        self._name = name
        # Role tokens are often special without a name of their own: `all_special_tokens` lacks them.
        unnamed = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        self._special = sorted(unnamed | set(tokenizer.all_special_tokens), key=len, reverse=True)

    def text(self, request: Request) -> str:
        """The prompt up to where the model goes on.

        Raises:
            EngineError: the template refuses the messages, such as a system message that it has no place for.
        """
        from jinja2 import TemplateError  # comes with transformers' templates

        messages = [{"role": message.role, "content": self._defuse(message.content)} for message in request.messages]
        try:
            text: str = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except TemplateError as error:
            raise EngineError(f"The chat template of {self._name} refuses these messages: {error}") from None
        return text + self._defuse(request.prefill)

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

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _defuse(self, text: str) -> str:
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


def chosen(request: Request, choice: Choice, logprobs: Sequence[float]) -> Completion:
    """The reply to a request with choices: what `logprobs` of their first tokens come to if there were no others."""
    highest = max(logprobs)
    masses = [math.exp(logprob - highest) for logprob in logprobs]
    probabilities = tuple(mass / sum(masses) for mass in masses)
    best = max(range(len(probabilities)), key=probabilities.__getitem__)
    return Completion(request.choices[best], "stop", len(choice.context), 1, probabilities)
