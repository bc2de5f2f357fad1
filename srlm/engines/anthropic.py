"""Text from Claude, or any server with Anthropic's protocol. It gives no probabilities: a choice is a plain vote."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from srlm.engines.capabilities import FULL, Capabilities
from srlm.engines.completions import finish_of, require_answer, text_of, tokens_of, written_of
from srlm.engines.http_body import WrongShape
from srlm.engines.remote import VOTE_TOKENS, RemoteEngine, as_messages, by_first_token
from srlm.types import Completion, Request


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

    def longest(self, request: Request, able: Capabilities | None = None) -> int:
        """The most tokens that its answer can have."""
        return VOTE_TOKENS if by_first_token(request) else request.sampling.max_tokens

    def fields(self, request: Request) -> list[str]:
        """The fields that a request has where nothing is refused, of those that a server may refuse."""
        found = ["temperature", "top_p"] if self.address else []
        return [*found, "stop"] if request.sampling.stop else found

    async def call(self, client: Any, request: Request, able: Capabilities = FULL) -> Completion:
        """One attempt."""
        reply = await self.post(client, "/v1/messages", self._body(request, able))
        content, usage, reason = reply.get("content"), reply.get("usage"), reply.get("stop_reason")
        if not isinstance(content, list):
            raise WrongShape(f"content is {'missing' if 'content' not in reply else 'no list'} in the reply")
        written = written_of(*text_of(content))
        finish = finish_of(reason)
        require_answer(written, reason, finish)
        return self.completion(
            written,
            request,
            able,
            finish=finish,
            prompt_tokens=tokens_of(usage, "input_tokens"),
            completion_tokens=tokens_of(usage, "output_tokens"),
        )

    def _body(self, request: Request, able: Capabilities = FULL) -> dict[str, Any]:
        system = " ".join(message.content for message in request.messages if message.role == "system")
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [message for message in as_messages(request) if message["role"] != "system"],
            "max_tokens": self.longest(request),
        }
        if self.address:
            # Anthropic's own models choose their sampling themselves; others need it.
            sampling = {"temperature": request.sampling.temperature, "top_p": request.sampling.top_p}
            body |= {name: value for name, value in sampling.items() if able.has(name)}
        if system:
            body["system"] = system
        if request.sampling.stop and able.has("stop"):
            body["stop_sequences"] = list(request.sampling.stop)
        return body
