"""Text and next-token probabilities from OpenAI, or any server with its protocol (vLLM, llama.cpp, SGLang ...).

The official SDK retries, with backoff and Retry-After; what fails in the end is a `Failed`, never a score.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from srlm.engines.engine import Done, Tick, no_tick
from srlm.engines.remote import (
    RETRIES,
    TIMEOUT_SECONDS,
    api_key,
    as_messages,
    plan_singly,
    run_in_threads,
    without_credentials,
)
from srlm.optional import require
from srlm.prices import Price
from srlm.types import Completion, Request

TOP = 20
"""Alternatives that are asked for at the first token; the protocol's limit."""


class OpenAIEngine:
    """A model behind the chat completions protocol."""

    price: Price | None = None

    def __init__(self, model: str, address: str | None) -> None:
        """Connect, without a call yet.

        Raises:
            MissingDependency: the SDK is not installed.
            UsageError: no key.
        """
        require("openai", "A judge behind the OpenAI protocol", "api")
        self.name = f"openai:{model}"
        self.identity = f"openai:{model}@{without_credentials(address) if address else 'openai'}"
        key = api_key("OPENAI_API_KEY", address, self.name)
        from openai import OpenAI

        self._client = OpenAI(api_key=key, base_url=address, max_retries=RETRIES, timeout=TIMEOUT_SECONDS)
        self._model = model
        # OpenAI's newer models refuse max_tokens; many other servers know nothing else.
        self._limit = "max_tokens" if address else "max_completion_tokens"

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """One call a batch."""
        return plan_singly(requests, self.name)

    def run(self, batches: Sequence[Sequence[Request]], tick: Tick = no_tick) -> Iterator[Done]:
        """Run calls side by side."""
        return run_in_threads(self._call, batches, tick)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _call(self, request: Request) -> Completion:
        sampling = request.sampling
        arguments: dict[str, Any] = {
            "model": self._model,
            "messages": as_messages(request),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": request.seed % (1 << 31),
            "stop": list(sampling.stop) or None,
            self._limit: 1 if request.choices else sampling.max_tokens,
        }
        if request.choices:
            arguments |= {"logprobs": True, "top_logprobs": TOP}
        reply = self._client.chat.completions.create(**arguments)
        choice = reply.choices[0]
        probabilities = None
        if request.choices and choice.logprobs and choice.logprobs.content:
            first = choice.logprobs.content[0]
            probabilities = _over_choices(request.choices, [(one.token, one.logprob) for one in first.top_logprobs])
        return Completion(
            text=choice.message.content or "",
            finish="length" if choice.finish_reason == "length" and not request.choices else "stop",
            prompt_tokens=reply.usage.prompt_tokens if reply.usage else 0,
            completion_tokens=reply.usage.completion_tokens if reply.usage else 0,
            probabilities=probabilities,
        )


def _over_choices(choices: tuple[str, ...], tokens: list[tuple[str, float]]) -> tuple[float, ...] | None:
    """Probabilities of the choices, renormalised; None when none of them is among the alternatives."""
    masses = [sum(math.exp(logprob) for token, logprob in tokens if token.strip() == choice) for choice in choices]
    total = sum(masses)
    return tuple(mass / total for mass in masses) if total > 0 else None
