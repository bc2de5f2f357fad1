"""Text from Claude, or any server with Anthropic's protocol. It gives no probabilities: a choice is a plain vote."""

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

VOTE_TOKENS = 8


class AnthropicEngine:
    """A model behind the messages protocol."""

    price: Price | None = None

    def __init__(self, model: str, address: str | None) -> None:
        """Connect, without a call yet.

        Raises:
            MissingDependency: the SDK is not installed.
            UsageError: no key.
        """
        require("anthropic", "A judge behind the Anthropic protocol", "api")
        self.name = f"anthropic:{model}"
        self.identity = f"anthropic:{model}@{without_credentials(address) if address else 'anthropic'}"
        key = api_key("ANTHROPIC_API_KEY", address, self.name)
        from anthropic import Anthropic

        self._client = Anthropic(api_key=key, base_url=address, max_retries=RETRIES, timeout=TIMEOUT_SECONDS)
        self._model = model
        self._sampled = address is not None

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
        system = " ".join(message.content for message in request.messages if message.role == "system")
        arguments: dict[str, Any] = {
            "model": self._model,
            "messages": [message for message in as_messages(request) if message["role"] != "system"],
            "max_tokens": VOTE_TOKENS if request.choices else request.sampling.max_tokens,
        }
        if self._sampled:
            # Anthropic's own models choose their sampling themselves, and the SDK no longer offers it; others need it.
            arguments["extra_body"] = {"temperature": request.sampling.temperature, "top_p": request.sampling.top_p}
        if system:
            arguments["system"] = system
        if request.sampling.stop:
            arguments["stop_sequences"] = list(request.sampling.stop)
        reply = self._client.messages.create(**arguments)
        return Completion(
            text="".join(block.text for block in reply.content if block.type == "text"),
            finish="length" if reply.stop_reason == "max_tokens" else "stop",
            prompt_tokens=reply.usage.input_tokens,
            completion_tokens=reply.usage.output_tokens,
        )
