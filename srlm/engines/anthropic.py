"""Engine for Anthropic's messages protocol. It has no token probabilities: a choice is a plain vote in text."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from srlm.engines.capabilities import FULL, Capabilities
from srlm.engines.completions import content_text, parse_finish, require_answer, split_reply, token_count
from srlm.engines.http_body import UnexpectedShape
from srlm.engines.remote import VOTE_TOKENS, RemoteEngine, as_messages, reads_first_token
from srlm.types import Completion, Request


class AnthropicEngine(RemoteEngine):
    """A model behind the messages protocol."""

    provider = "anthropic"
    key_variable = "ANTHROPIC_API_KEY"
    default_url = "https://api.anthropic.com"

    @property
    def sdk(self) -> Any:
        """Import and return the SDK's module."""
        import anthropic

        return anthropic

    def connect(self) -> AbstractAsyncContextManager[Any]:
        """Open the SDK's client."""
        return self.configure_client(self.sdk.AsyncAnthropic)

    def max_output_tokens(self, request: Request, capabilities: Capabilities | None = None) -> int:
        """Return the most tokens that the answer can have."""
        return VOTE_TOKENS if reads_first_token(request) else request.sampling.max_tokens

    def optional_fields(self, request: Request) -> list[str]:
        """Return the fields of a request to a server that refuses nothing, as far as servers refuse them."""
        found = ["temperature", "top_p"] if self.address else []
        return [*found, "stop"] if request.sampling.stop else found

    async def call(self, client: Any, request: Request, capabilities: Capabilities = FULL) -> Completion:
        """Make one attempt."""
        reply = await self.post(client, "/v1/messages", self._body(request, capabilities))
        content, usage, reason = reply.get("content"), reply.get("usage"), reply.get("stop_reason")
        if not isinstance(content, list):
            raise UnexpectedShape(f"content is {'missing' if 'content' not in reply else 'no list'} in the reply")
        text = split_reply(*content_text(content))
        finish = parse_finish(reason)
        require_answer(text, reason, finish)
        return self.completion(
            text,
            request,
            capabilities,
            finish=finish,
            prompt_tokens=token_count(usage, "input_tokens"),
            completion_tokens=token_count(usage, "output_tokens"),
        )

    def _body(self, request: Request, capabilities: Capabilities = FULL) -> dict[str, Any]:
        system = " ".join(message.content for message in request.messages if message.role == "system")
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [message for message in as_messages(request) if message["role"] != "system"],
            "max_tokens": self.max_output_tokens(request),
        }
        if self.address:
            # Anthropic's own models set their sampling themselves; models of other servers need it.
            sampling = {"temperature": request.sampling.temperature, "top_p": request.sampling.top_p}
            body |= {name: value for name, value in sampling.items() if capabilities.accepts(name)}
        if system:
            body["system"] = system
        if request.sampling.stop and capabilities.accepts("stop"):
            body["stop_sequences"] = list(request.sampling.stop)
        return body
