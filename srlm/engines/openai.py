"""Text and next-token probabilities from OpenAI, or any server with its protocol (vLLM, llama.cpp, SGLang ...)."""

import math
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from srlm.engines.remote import RemoteEngine, as_messages, as_text
from srlm.types import Completion, Request

TOP = 20
"""Alternatives that are asked for at the first token; the protocol's limit."""


@dataclass(frozen=True)
class Alternative:
    """A token that might have been next. Rounding may put its logarithm a little above 0."""

    token: str
    logprob: Annotated[float, Field(le=0.1, allow_inf_nan=False)]


@dataclass(frozen=True)
class Position:
    """The alternatives at one position."""

    top_logprobs: tuple[Alternative, ...] = ()


@dataclass(frozen=True)
class Logprobs:
    """One entry a token of the answer."""

    content: tuple[Position, ...] | None = None


@dataclass(frozen=True)
class Words:
    """What the assistant says; nothing, when it only refuses."""

    content: str | None = None


@dataclass(frozen=True)
class Choice:
    """One answer."""

    message: Words
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


@dataclass(frozen=True)
class Usage:
    """Tokens that were read and written, so that a call can be counted and paid for."""

    prompt_tokens: Annotated[int, Field(ge=0)]
    completion_tokens: Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class ChatCompletion:
    """The part of a reply that is used. A reply without it is a malformed one."""

    choices: Annotated[tuple[Choice, ...], Field(min_length=1)]
    usage: Usage


_REPLY = TypeAdapter(ChatCompletion)


class OpenAIEngine(RemoteEngine):
    """A model behind the chat completions protocol."""

    provider = "openai"
    variable = "OPENAI_API_KEY"
    home = "https://api.openai.com/v1"

    @property
    def sdk(self) -> Any:
        """The module of the SDK."""
        import openai

        return openai

    def connect(self) -> AbstractAsyncContextManager[Any]:
        """The SDK's client."""
        return self.own(self.sdk.AsyncOpenAI)

    def longest(self, request: Request) -> int:
        """The most tokens that its answer can have."""
        return 1 if request.choices else request.sampling.max_tokens

    async def call(self, client: Any, request: Request) -> Completion:
        """One attempt, through the SDK's door for any path: its typed one takes a third of the time of a call."""
        reply = await client.post("/chat/completions", body=self._body(request), cast_to=object)
        found = _REPLY.validate_json(reply) if isinstance(reply, str) else _REPLY.validate_python(reply)
        choice = found.choices[0]
        probabilities = None
        if request.choices and choice.logprobs and choice.logprobs.content:
            probabilities = _over_choices(request.choices, choice.logprobs.content[0].top_logprobs)
        return Completion(
            text=as_text(choice.message.content or ""),
            finish="length" if choice.finish_reason == "length" and not request.choices else "stop",
            prompt_tokens=found.usage.prompt_tokens,
            completion_tokens=found.usage.completion_tokens,
            probabilities=probabilities,
        )

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        # OpenAI's newer models refuse max_tokens; many other servers know nothing else.
        limit = "max_tokens" if self.address else "max_completion_tokens"
        body: dict[str, Any] = {
            "model": self.model,
            "messages": as_messages(request),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": request.seed % (1 << 31),
            limit: self.longest(request),
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if request.choices:
            body |= {"logprobs": True, "top_logprobs": TOP}
        return body


def _over_choices(choices: tuple[str, ...], tokens: tuple[Alternative, ...]) -> tuple[float, ...] | None:
    """Probabilities of the choices, renormalised; None when none of them is among the alternatives."""
    masses = [sum(math.exp(one.logprob) for one in tokens if one.token.strip() == choice) for choice in choices]
    total = sum(masses)
    return tuple(mass / total for mass in masses) if total > 0 else None
