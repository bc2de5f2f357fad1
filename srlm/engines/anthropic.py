"""Text from Claude, or any server with Anthropic's protocol. It gives no probabilities: a choice is a plain vote."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from srlm.engines.remote import RemoteEngine, as_messages, as_text
from srlm.types import Completion, Request

VOTE_TOKENS = 8


@dataclass(frozen=True)
class Block:
    """A piece of the answer; only those of type "text" have one."""

    type: str
    text: str = ""


@dataclass(frozen=True)
class Usage:
    """Tokens that were read and written, so that a call can be counted and paid for."""

    input_tokens: Annotated[int, Field(ge=0)]
    output_tokens: Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class AnthropicMessage:
    """The part of a reply that is used. A reply without it is a malformed one."""

    content: tuple[Block, ...]
    usage: Usage
    stop_reason: str | None = None


_REPLY = TypeAdapter(AnthropicMessage)


class AnthropicEngine(RemoteEngine):
    """A model behind the messages protocol."""

    provider = "anthropic"
    variable = "ANTHROPIC_API_KEY"
    home = "https://api.anthropic.com"

    @property
    def sdk(self) -> Any:
        """The module of the SDK."""
        import anthropic

        return anthropic

    def connect(self) -> AbstractAsyncContextManager[Any]:
        """The SDK's client."""
        return self.own(self.sdk.AsyncAnthropic)

    def longest(self, request: Request) -> int:
        """The most tokens that its answer can have."""
        return VOTE_TOKENS if request.choices else request.sampling.max_tokens

    async def call(self, client: Any, request: Request) -> Completion:
        """One attempt, through the SDK's door for any path."""
        reply = await client.post("/v1/messages", body=self._body(request), cast_to=object)
        found = _REPLY.validate_json(reply) if isinstance(reply, str) else _REPLY.validate_python(reply)
        return Completion(
            text=as_text("".join(block.text for block in found.content if block.type == "text")),
            finish="length" if found.stop_reason == "max_tokens" else "stop",
            prompt_tokens=found.usage.input_tokens,
            completion_tokens=found.usage.output_tokens,
        )

    def _body(self, request: Request) -> dict[str, Any]:
        system = " ".join(message.content for message in request.messages if message.role == "system")
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [message for message in as_messages(request) if message["role"] != "system"],
            "max_tokens": self.longest(request),
        }
        if self.address:
            # Anthropic's own models choose their sampling themselves; others need it.
            body |= {"temperature": request.sampling.temperature, "top_p": request.sampling.top_p}
        if system:
            body["system"] = system
        if request.sampling.stop:
            body["stop_sequences"] = list(request.sampling.stop)
        return body
