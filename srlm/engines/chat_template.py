"""Requests as the tokens that a checkpoint reads; shared by all engines that hold the tokenizer themselves.

Special tokens inside of a message are broken up before the chat template is applied: a candidate that contains
"<|im_start|>" must not open a turn.

An engine that plans a stage reads all of its prompts at once (`ChatTokenizer.read`): each distinct prompt is rendered
and tokenized once, on all cores, and every later question about a request is answered from that.
"""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from srlm.engines.encode_texts import encode_texts
from srlm.engines.reasoning import MARK, split_reasoning
from srlm.engines.template_parts import (
    QUESTION,
    Thoughts,
    Turn,
    render,
    render_prompt,
    render_turn,
    text_around_answer,
)
from srlm.errors import EngineError, EngineFailed
from srlm.types import Completion, Message, Request

UNLIMITED = 1 << 60
"""Context length where none is checked."""
CHANNEL = {"<|channel|>", "<|message|>"}
"""The tokens of gpt-oss's reasoning marks."""
LONGEST_ENDING = 500
"""Characters after a template's last special token that are compared between prompts: a role, and a prefill."""
MAX_WHOLE = 1_000
"""Prompts without such a token whose choices are tokenized at once, each with the whole prompt."""

PromptKey = tuple[tuple[Message, ...], str, bool]


def prompt_key(request: Request) -> PromptKey:
    """Return what the text of a prompt depends on: requests that agree in it are samples of one prompt."""
    return request.messages, request.prefill, bool(request.choices)


@dataclass(frozen=True)
class Prompt:
    """A rendered prompt: its text, whether it ends inside of the reasoning, and its tokens as 32-bit integers."""

    text: str
    opened: bool
    ids: "array[int]"


@dataclass(frozen=True)
class ChoiceTokens:
    """A request with choices as tokens: the context, and each choice's first token that differs from the others'."""

    context: list[int]
    firsts: list[int]


class ChatTokenizer:
    """A checkpoint's chat template and vocabulary."""

    def __init__(
        self,
        tokenizer: Any,
        *,
        name: str,
        context: int = UNLIMITED,
        thoughts: Thoughts = "open",
        rows: int | None = None,
    ) -> None:
        """Wrap a tokenizer with a chat template.

        Args:
            tokenizer: from `srlm.engines.load.load_tokenizer`.
            name: the model's name in messages.
            context: context length in tokens; no prompt is too long, if it is not given.
            thoughts: "closed" keeps a reasoning model from reasoning before its answers.
            rows: number of tokens with an embedding; not checked, if None.
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
        self._special_text = {number: tokenizer.convert_ids_to_tokens(number) for number in self._dropped} | special
        self._prompts: dict[PromptKey, Prompt] = {}
        self._choices: dict[tuple[PromptKey, tuple[str, ...]], tuple[array[int], list[int]]] = {}
        self._encode_ending = lru_cache(maxsize=1024)(self._encode)
        self._marks = {number for number, token in special.items() if MARK.fullmatch(token) or token in pieces}

    @cached_property
    def has_reasoning(self) -> bool:
        """Return whether the template supports reasoning: it opens a block, or leaves one empty, before an answer."""
        asked = [Message("user", QUESTION)]
        opened = render_prompt(self._tokenizer, asked, "open", self._name)
        return opened[1] or opened != render_prompt(self._tokenizer, asked, "closed", self._name)

    def with_end_of_turn(self, eos: frozenset[int]) -> frozenset[int]:
        """Return the tokens that end an answer, and the template's own end of turn if it holds none of them.

        The settings of a base model name only the end of a text. With an instruct model's template, training teaches
        the template's end of turn, which would then end nothing.
        """
        try:
            _, closing = text_around_answer(self._tokenizer, [Message("user", QUESTION)], self._name, {})
        except EngineError:  # it supports no answers
            return eos
        ends = [token for token in self._encode(closing) if token in self._dropped]
        return eos if not ends or eos & set(ends) else eos | {ends[0]}

    @property
    def identity(self) -> str:
        """Return the suffix of an engine's identity for the setting `thoughts`; "" if the template has no reasoning."""
        return "" if not self.has_reasoning else f":thoughts-{self.thoughts}"

    def turn(self, messages: Sequence[Message]) -> Turn:
        """Render the text around the answer to these messages, with special tokens broken up.

        Raises:
            EngineError: the template refuses the messages.
            ModelError: the template leaves answers out.
        """
        return render_turn(self._tokenizer, self.escape_messages(messages), self.thoughts, self._name)

    def text(self, request: Request) -> str:
        """Render the prompt up to where the model continues. A prefill or choices follow closed reasoning.

        Raises:
            EngineError: the template refuses the messages, such as a system message that it does not support.
        """
        found = self._prompts.get(prompt_key(request))
        return self._render(request)[0] if found is None else found.text

    def read(self, requests: Sequence[Request]) -> None:
        """Render and tokenize the prompts of these requests, each distinct one once; forget all others.

        Raises:
            EngineError: as `text`, `tokens` and `choice`.
        """
        distinct = {prompt_key(request): request for request in requests}
        self._prompts = {key: self._prompts[key] for key in distinct if key in self._prompts}
        self._choices = {}
        new = {key: self._render(request) for key, request in distinct.items() if key not in self._prompts}
        texts = list(dict.fromkeys(text for text, _ in new.values()))
        ids = dict(zip(texts, encode_texts(self._tokenizer, texts), strict=True))
        for key, (text, opened) in new.items():
            self._require_rows(ids[text])
            self._prompts[key] = Prompt(text, opened, ids[text])
        for prompt in self._prompts.values():
            self._require_room(len(prompt.ids))
        self._read_choices(dict.fromkeys((prompt_key(one), one.choices) for one in requests if one.choices))

    def may_reason(self, request: Request) -> bool:
        """Return whether the answer to a request may begin with reasoning that the template supports."""
        return self.has_reasoning and self._thoughts(request) == "open"

    def completion(
        self, request: Request, tokens: Sequence[int], prompt_tokens: int, *, ended: bool, text: str | None = None
    ) -> Completion:
        """Build a completion from generated tokens. A stop string truncates the answer, never the reasoning.

        Args:
            request: what was asked.
            tokens: what the model generated.
            prompt_tokens: length of the prompt.
            ended: the model ended the answer itself.
            text: the decoded tokens without special ones, if they are decoded already.
        """
        whole = self.decode(tokens) if text is None or not self._marks.isdisjoint(tokens) else text
        parts = split_reasoning(whole, opened=self._opened(request))
        answer = truncate_at_stop(parts.answer, request.sampling.stop)
        return Completion(
            text=answer,
            finish="stop" if ended or answer != parts.answer else "length",
            prompt_tokens=prompt_tokens,
            completion_tokens=len(tokens),
            thoughts=parts.thoughts,
            written=parts.written(whole),
        )

    def has_stop(self, request: Request, tokens: Sequence[int]) -> bool:
        """Return whether the answer in these tokens contains a stop string."""
        answer = split_reasoning(self.decode(tokens), opened=self._opened(request)).answer
        return any(stop in answer for stop in request.sampling.stop)

    def decode(self, tokens: Sequence[int]) -> str:
        """Decode tokens without special ones, except for the marks of reasoning."""
        if self._marks.isdisjoint(tokens):
            return str(self._tokenizer.decode(tokens, skip_special_tokens=True))
        kept = [token for token in tokens if token in self._marks or token not in self._dropped]
        return str(self._tokenizer.decode(kept, skip_special_tokens=False))

    def tokens(self, request: Request) -> list[int]:
        """Tokenize the prompt.

        Raises:
            EngineError: it exceeds the context length.
        """
        known = self._prompts.get(prompt_key(request))
        ids = self._encode(self.text(request)) if known is None else known.ids.tolist()
        self._require_room(len(ids))
        return ids

    def length(self, request: Request) -> int:
        """Return the number of tokens of the prompt.

        Raises:
            EngineError: see `tokens`.
        """
        known = self._prompts.get(prompt_key(request))
        return len(self.tokens(request)) if known is None else len(known.ids)

    def choice(self, request: Request) -> ChoiceTokens:
        """Tokenize a request with choices.

        The choices are tokenized together with the prompt: in some vocabularies " 4" is one token and in others two.
        Their common prefix is read as prompt; their first differing tokens are compared.

        Raises:
            EngineError: two choices begin with the same token, or the prompt exceeds the context length.
        """
        prompt, choices = self._prompts.get(prompt_key(request)), request.choices
        found = self._choices_after_ending(prompt, choices) if prompt is not None else None
        if found is not None:
            return found
        known = self._choices.get((prompt_key(request), choices))
        if known is not None:
            return ChoiceTokens(known[0].tolist(), known[1])
        text = self.text(request)
        found = split_choices([self._encode(text + choice) for choice in choices], self._name, choices)
        if len(found.context) + 1 > self.context:
            self.tokens(request)  # raises with the number of tokens
        return found

    def _read_choices(self, asked: Iterable[tuple[PromptKey, tuple[str, ...]]]) -> None:
        """Tokenize the choices of prompts that are read where they have to be tokenized with the whole prompt."""
        whole = [
            (key, choices) for key, choices in asked if self._choices_after_ending(self._prompts[key], choices) is None
        ]
        for start in range(0, len(whole), MAX_WHOLE):
            part = whole[start : start + MAX_WHOLE]
            texts = [self._prompts[key].text + choice for key, choices in part for choice in choices]
            encoded = iter(encode_texts(self._tokenizer, texts))
            for key, choices in part:
                found = split_choices([next(encoded).tolist() for _ in choices], self._name, choices)
                self._choices[key, choices] = array("i", found.context), found.firsts

    def _choices_after_ending(self, prompt: Prompt, choices: tuple[str, ...]) -> ChoiceTokens | None:
        """Return the tokens of the choices, found from the prompt's ending alone; None if it has no short one.

        A special token parts a text: what follows is tokenized by itself. So the text from the last one on, which is
        the same in all prompts of one kind, is tokenized with the choices once for all of them.
        """
        ids = prompt.ids
        start = next((at for at in reversed(range(len(ids))) if ids[at] in self._dropped), 0)
        begins = prompt.text.rfind(self._special_text[ids[start]]) if start else 0
        ending = prompt.text[begins:]
        if begins < 1 or len(ending) > LONGEST_ENDING or self._encode_ending(ending) != ids[start:].tolist():
            return None
        found = split_choices([self._encode_ending(ending + choice) for choice in choices], self._name, choices)
        return ChoiceTokens(ids[:start].tolist() + found.context, found.firsts)

    def _thoughts(self, request: Request) -> Thoughts:
        return "closed" if request.choices or request.prefill else self.thoughts

    def _prompt(self, request: Request) -> tuple[str, bool]:
        messages = self.escape_messages(request.messages)
        if not self.has_reasoning:
            return render(self._tokenizer, messages, self._name, add_generation_prompt=True), False
        return render_prompt(self._tokenizer, messages, self._thoughts(request), self._name)

    def _render(self, request: Request) -> tuple[str, bool]:
        """Return the text of `text`, and whether its prompt ends inside of the reasoning."""
        prompt, opened = self._prompt(request)
        return prompt + self.escape_special_tokens(request.prefill), opened

    def _opened(self, request: Request) -> bool:
        if not self.may_reason(request):
            return False
        found = self._prompts.get(prompt_key(request))
        return self._prompt(request)[1] if found is None else found.opened

    def _encode(self, text: str) -> list[int]:
        # Not verbose: what is too long is refused below, or left out, with a message of ours.
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False, verbose=False)
        self._require_rows(ids)
        return ids

    def _require_room(self, tokens: int) -> None:
        if tokens + 1 > self.context:
            raise EngineError(
                f"A prompt of {tokens} tokens does not fit into the {self.context} tokens of {self._name}. "
                "Shorten the instructions, or set a smaller max_tokens for answers."
            )

    def _require_rows(self, ids: Sequence[int]) -> None:
        if self._rows is not None and ids and max(ids) >= self._rows:
            raise EngineError(
                f"The tokenizer of {self._name} gives the token {max(ids)}, and its weights end at {self._rows - 1}. "
                "Use the tokenizer that belongs to the weights."
            )

    def escape_messages(self, messages: Sequence[Message]) -> list[Message]:
        """Break up special tokens in the text of each message."""
        return [Message(message.role, self.escape_special_tokens(message.content)) for message in messages]

    def escape_special_tokens(self, text: str) -> str:
        """Break up special tokens in untrusted text: "<|im_end|>" becomes "< |im_end|>"."""
        for token in self._special:
            if token in text:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text


def split_choices(encoded: Sequence[list[int]], name: str, choices: tuple[str, ...]) -> ChoiceTokens:
    """Split tokenized texts that end in the choices into their common prefix and first differing tokens.

    Raises:
        EngineError: two choices begin with the same token.
    """
    shared = common_prefix(encoded)
    firsts = [ids[shared] for ids in encoded]
    if len(set(firsts)) != len(firsts):
        raise EngineError(f"{name} cannot distinguish the choices {choices} by their first token.")
    return ChoiceTokens(encoded[0][:shared], firsts)


def common_prefix(sequences: Sequence[Sequence[int]]) -> int:
    """Return the length of the longest common prefix that leaves each sequence at least one token."""
    first, last = min(sequences, key=list), max(sequences, key=list)  # in lexicographic order
    limit = min(len(sequence) for sequence in sequences) - 1
    length = 0
    while length < limit and first[length] == last[length]:
        length += 1
    return length


def truncate_at_stop(text: str, stops: tuple[str, ...]) -> str:
    """Truncate a text at the first stop string."""
    found = [text.find(stop) for stop in stops if stop in text]
    return text[: min(found)] if found else text


def choice_completion(
    request: Request, choice: ChoiceTokens, logits: Sequence[float], total: float = 0.0, name: str = "The model"
) -> Completion:
    """Build the reply to a request with choices: the softmax over their first tokens.

    Args:
        request: what was asked.
        choice: the tokens of its choices.
        logits: of these tokens, in their order; log-probabilities, if `total` is not given.
        total: log-sum-exp of all logits.
        name: the model's name in messages.

    Raises:
        EngineFailed: the logits are not finite.
    """
    highest = max(logits)
    if not math.isfinite(highest) or math.isnan(sum(logits)) or not math.isfinite(total):
        raise not_finite_error(name)
    masses = [math.exp(logit - highest) for logit in logits]
    probabilities = tuple(mass / sum(masses) for mass in masses)
    best = max(range(len(probabilities)), key=probabilities.__getitem__)
    mass = min(1.0, math.exp(highest - total) * sum(masses))
    return Completion(request.choices[best], "stop", len(choice.context), 1, probabilities, mass=mass)


def not_finite_error(name: str) -> EngineFailed:
    """Build the error for logits that are not finite."""
    return EngineFailed(
        f"{name} gives no finite scores for the next token: its weights or activations are not finite. A training that "
        "diverged leaves such weights; a model made for bfloat16 may need dtype=float32."
    )
