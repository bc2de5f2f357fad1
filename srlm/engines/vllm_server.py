"""Text and exact probabilities from a vLLM server: its OpenAI protocol, and what vLLM adds to that.

The additions: an answer goes on from a given beginning, and choices are asked for as tokens, so that what they get is
exact and not read off the 20 likeliest. Both need the prompt as tokens, which the server itself makes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from srlm.engines.api_errors import Fault
from srlm.engines.capabilities import FULL, Capabilities
from srlm.engines.chat_template import Choice, chosen, cut, part
from srlm.engines.completions import as_text, finish_of, tokens_of, written_of
from srlm.engines.openai import OpenAIEngine
from srlm.engines.remote import as_messages, by_first_token
from srlm.engines.request_pool import Wire
from srlm.engines.server_address import base_of, without_credentials
from srlm.engines.template_parts import OFF
from srlm.errors import EngineError
from srlm.prices import FREE, Price
from srlm.types import Completion, Request

OPENED, CLOSED = ("<think>\n", "<think>"), "\n</think>\n\n"
"""How templates that take no order open a thought in the prompt, and what closes it."""

PLAIN = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""A server samples as the model's generation_config.json says, unless it is told otherwise."""


@dataclass(frozen=True)
class Tokens:
    """Text as the server reads it."""

    tokens: list[int]


@dataclass(frozen=True)
class TextLogprobs:
    """At each position, the logarithms of the probabilities that were asked for."""

    top_logprobs: Annotated[tuple[Mapping[str, float], ...], Field(min_length=1)]


@dataclass(frozen=True)
class TextChoice:
    """One answer."""

    text: str
    finish_reason: str | None = None
    logprobs: TextLogprobs | None = None


@dataclass(frozen=True)
class TextCompletion:
    """The part of a reply that is used. A reply without it is a malformed one."""

    choices: Annotated[tuple[TextChoice, ...], Field(min_length=1)]
    usage: Any = None


_TOKENS, _REPLY = TypeAdapter(Tokens), TypeAdapter(TextCompletion)


class VLLMServer(OpenAIEngine):
    """A model that vLLM serves. It is the user's own, so its calls cost nothing."""

    def __init__(self, model: str, address: str, wire: Wire | None = None) -> None:
        """Make ready, without a call yet; see `srlm.engines.remote.RemoteEngine`."""
        super().__init__(model, address, wire)
        self.name = f"vllm:{model}"
        self.identity = f"{self.name}@{without_credentials(address)}"
        self.price: Price | None = FREE
        self._root = base_of(address)[0].rstrip("/").removesuffix("/v1")
        self._parted: dict[tuple[str, tuple[str, ...]], Choice] = {}
        self._opened: list[list[int]] | None = None

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """One call a batch, so that each answer is committed as it comes."""
        return [[index] for index in range(len(requests))]

    async def call(self, client: Any, request: Request, able: Capabilities = FULL) -> Completion:
        """One attempt."""
        if by_first_token(request):
            return await self._choose(client, request)
        if request.prefill:
            return await self._go_on(client, request)
        return await super().call(client, request, able)

    def adapt(self, fault: Fault, request: Request, able: Capabilities) -> Capabilities | None:
        """Nothing: vLLM takes all that it is asked."""
        return None

    def _body(self, request: Request, able: Capabilities = FULL) -> dict[str, Any]:
        return super()._body(request, able) | PLAIN

    async def _choose(self, client: Any, request: Request) -> Completion:
        """Probabilities of the choices. How they begin is learned once for all requests with these choices."""
        key = (request.prefill, request.choices)
        if key not in self._parted:
            encoded = [await self._tokens_of(client, request.prefill + choice) for choice in request.choices]
            self._parted[key] = part(encoded, self.name, request.choices)
        end = self._parted[key]
        choice = Choice([*await self._tokens(client, request), *end.context], end.firsts)
        asked = {"temperature": 0.0, "max_tokens": 1, "logprobs": 1, "logprob_token_ids": choice.firsts}
        found = await self._complete(client, choice.context, asked | {"return_tokens_as_token_ids": True})
        logprobs = found.choices[0].logprobs
        given = logprobs.top_logprobs[0] if logprobs else {}
        wanted = [f"token_id:{token}" for token in choice.firsts]
        if not given.keys() >= set(wanted):
            raise EngineError(
                f"{self.name} gives no probabilities of the choices: srlm needs vLLM 0.32 or later there."
            )
        return chosen(request, choice, [given[name] for name in wanted], name=self.name)

    async def _go_on(self, client: Any, request: Request) -> Completion:
        """An answer that goes on from a beginning."""
        prompt = [*await self._tokens(client, request), *await self._tokens_of(client, request.prefill)]
        body = self._body(request)
        found = await self._complete(client, prompt, {name: body[name] for name in body.keys() - {"messages"}})
        choice = found.choices[0]
        written = written_of(cut(as_text(choice.text), request.sampling.stop))
        return self.completion(
            written,
            request,
            FULL,
            finish=finish_of(choice.finish_reason),
            prompt_tokens=tokens_of(found.usage, "prompt_tokens"),
            completion_tokens=tokens_of(found.usage, "completion_tokens"),
        )

    async def _complete(self, client: Any, prompt: list[int], asked: dict[str, Any]) -> TextCompletion:
        body = {"model": self.model, "prompt": prompt, **asked}
        return _REPLY.validate_python(await self.post(client, "/completions", body))

    async def _tokens(self, client: Any, request: Request) -> list[int]:
        """The conversation up to where the answer begins: behind a closed thought, as our own engines have it."""
        what = {"messages": as_messages(request), "add_generation_prompt": True, "chat_template_kwargs": dict(OFF)}
        prompt = await self._tokenize(client, what)
        if self._opened is None:
            self._opened = [await self._tokens_of(client, mark) for mark in OPENED]
        if any(prompt[-len(mark) :] == mark for mark in self._opened):
            prompt += await self._tokens_of(client, CLOSED)
        return prompt

    async def _tokens_of(self, client: Any, text: str) -> list[int]:
        """A piece of an answer."""
        return await self._tokenize(client, {"prompt": text, "add_special_tokens": False})

    async def _tokenize(self, client: Any, what: dict[str, Any]) -> list[int]:
        body = {"model": self.model, **what}
        return _TOKENS.validate_python(await self.post(client, f"{self._root}/tokenize", body)).tokens
