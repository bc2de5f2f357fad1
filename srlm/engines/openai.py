"""Engine for OpenAI's chat completions protocol (OpenAI, vLLM, llama.cpp, SGLang ...), with token probabilities."""

import math
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from srlm.engines.api_errors import RETRYABLE_STATUSES
from srlm.engines.capabilities import FULL, MAX_TOKENS_FIELDS, Capabilities
from srlm.engines.completions import (
    ReplyText,
    content_text,
    encodable,
    parse_finish,
    reasoning_text,
    require_answer,
    split_reply,
    token_count,
)
from srlm.engines.http_body import EmbeddedError, UnexpectedShape, embedded_error
from srlm.engines.remote import VOTE_TOKENS, RemoteEngine, as_messages, reads_first_token
from srlm.types import Completion, Request


@dataclass(frozen=True)
class Alternative:
    """A possible next token. Rounding may put its log-probability a little above 0."""

    token: str
    logprob: Annotated[float, Field(le=0.1)]


@dataclass(frozen=True)
class Position:
    """The token at one position, and its alternatives."""

    top_logprobs: tuple[Alternative, ...] = ()
    token: str = ""


@dataclass(frozen=True)
class Logprobs:
    """The log-probabilities of an answer, one entry a token."""

    content: tuple[Position, ...] | None = None


_LOGPROBS = TypeAdapter(Logprobs | None)

BEFORE_WORDS = " \t\r\n\u2581\u0120"
"""Characters that vocabularies put in front of a word."""


class OpenAIEngine(RemoteEngine):
    """A model behind the chat completions protocol."""

    provider = "openai"
    key_variable = "OPENAI_API_KEY"
    default_url = "https://api.openai.com/v1"

    @property
    def sdk(self) -> Any:
        """Import and return the SDK's module."""
        import openai

        return openai

    def connect(self) -> AbstractAsyncContextManager[Any]:
        """Open the SDK's client."""
        return self.configure_client(self.sdk.AsyncOpenAI)

    def max_output_tokens(self, request: Request, capabilities: Capabilities | None = None) -> int:
        """Return the most tokens that the answer can have."""
        if not reads_first_token(request):
            return request.sampling.max_tokens
        capabilities = self.capabilities if capabilities is None else capabilities
        return 1 if capabilities.accepts("logprobs") else VOTE_TOKENS

    def optional_fields(self, request: Request) -> list[str]:
        """Return the fields of a request to a server that refuses nothing, as far as servers refuse them."""
        found = ["temperature", "top_p", "seed", *MAX_TOKENS_FIELDS]
        if request.sampling.stop:
            found.append("stop")
        return [*found, "logprobs", "top_logprobs"] if reads_first_token(request) else found

    async def call(self, client: Any, request: Request, capabilities: Capabilities = FULL) -> Completion:
        """Make one attempt."""
        reply = await self.post(client, "/chat/completions", self._body(request, capabilities))
        choice, usage = _first_choice(reply), reply.get("usage")
        text = _reply_text(choice)
        probabilities, mass = None, None
        if reads_first_token(request) and (not text.thoughts or not text.closed):
            logprobs = _LOGPROBS.validate_python(choice.get("logprobs"))
            first = logprobs.content[0] if logprobs and logprobs.content else Position()
            if first.top_logprobs:
                probabilities, mass = choice_probabilities(request.choices, first.top_logprobs)
            if not text.text and not text.thoughts:
                text = split_reply(encodable(first.token))  # servers that separate reasoning leave out its mark
        finish = parse_finish(choice.get("finish_reason"))
        one_token = request.choices and self.max_output_tokens(request, capabilities) == 1
        if finish == "length" and one_token and not text.reasoning:
            finish = "stop"  # only one token was requested
        if probabilities is None:
            require_answer(text, choice.get("finish_reason"), finish)
        return self.completion(
            text,
            request,
            capabilities,
            finish=finish,
            prompt_tokens=token_count(usage, "prompt_tokens"),
            completion_tokens=token_count(usage, "completion_tokens"),
            probabilities=probabilities,
            mass=mass,
        )

    def _body(self, request: Request, capabilities: Capabilities = FULL) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self.model,
            "messages": as_messages(request),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": request.seed % (1 << 31),
        }
        # OpenAI's newer models refuse max_tokens; many other servers accept nothing else.
        limit, other = MAX_TOKENS_FIELDS if self.address else MAX_TOKENS_FIELDS[::-1]
        body[limit if capabilities.accepts(limit) else other] = self.max_output_tokens(request, capabilities)
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if reads_first_token(request) and capabilities.accepts("logprobs"):
            body |= {"logprobs": True, "top_logprobs": capabilities.top_logprobs}
        for field in ("temperature", "top_p", "seed", "stop"):
            if not capabilities.accepts(field):
                body.pop(field, None)
        return body


def _first_choice(reply: dict[str, Any]) -> dict[str, Any]:
    """Return the first choice of a reply.

    Raises:
        UnexpectedShape: there is none.
        EmbeddedError: it is an error.
    """
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices:
        what = "missing" if "choices" not in reply else "empty" if choices == [] else "no list"
        raise UnexpectedShape(f"choices is {'null' if choices is None and 'choices' in reply else what} in the reply")
    choice = choices[0]
    if isinstance(choice, dict) and choice.get("error"):
        raise _error_of_call(choice)
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise UnexpectedShape("its first choice has no message")
    if reply.get("error") and (choice.get("finish_reason") == "error" or not choice["message"].get("content")):
        raise _error_of_call(reply)
    return choice


def _error_of_call(holder: dict[str, Any]) -> EmbeddedError:
    """Return the error in place of an answer; a transient one loses its status, so that its retries are limited."""
    found = embedded_error(holder)
    transient = found.status in RETRYABLE_STATUSES or (found.status or 0) >= 500
    return EmbeddedError(None, found.body) if transient else found


def _reply_text(choice: dict[str, Any]) -> ReplyText:
    """Return the answer of a choice and its reasoning, which servers put into different fields."""
    message = choice["message"]
    text, reasoning = content_text(message.get("content"))
    for name in ("reasoning_content", "reasoning", "reasoning_details"):
        reasoning = reasoning or reasoning_text(message.get(name))
    refusal = message.get("refusal")
    if not text and isinstance(refusal, str) and refusal:
        text = content_text(refusal)[0]
    return split_reply(text, reasoning)


def choice_probabilities(
    choices: tuple[str, ...], tokens: tuple[Alternative, ...]
) -> tuple[tuple[float, ...] | None, float | None]:
    """Return the renormalised probabilities of the choices and their total mass; (None, 0) if the mass is 0.

    A token counts for a choice with any characters that a vocabulary puts in front of a word; case is ignored unless
    two choices differ only by case.
    """
    lower = {choice.casefold(): choice for choice in choices}
    if len(lower) < len(choices):
        lower = {}
    masses = dict.fromkeys(choices, 0.0)
    for one in tokens:
        word = one.token.strip(BEFORE_WORDS)
        choice = word if word in masses else lower.get(word.casefold())
        if choice is not None:
            masses[choice] += math.exp(one.logprob)
    total = sum(masses.values())
    if total <= 0:
        return None, 0.0
    return tuple(masses[choice] / total for choice in choices), min(total, 1.0)
