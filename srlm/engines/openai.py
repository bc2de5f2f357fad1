"""Text and next-token probabilities from OpenAI, or any server with its protocol (vLLM, llama.cpp, SGLang ...)."""

import math
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from srlm.engines.api_errors import PASSING
from srlm.engines.capabilities import FULL, LIMITS, Capabilities
from srlm.engines.completions import (
    Written,
    as_text,
    finish_of,
    require_answer,
    text_of,
    thought_of,
    tokens_of,
    written_of,
)
from srlm.engines.http_body import ErrorInside, WrongShape, error_inside
from srlm.engines.remote import VOTE_TOKENS, RemoteEngine, as_messages, by_first_token
from srlm.types import Completion, Request


@dataclass(frozen=True)
class Alternative:
    """A token that might have been next. Rounding may put its logarithm a little above 0."""

    token: str
    logprob: Annotated[float, Field(le=0.1)]


@dataclass(frozen=True)
class Position:
    """The token at one position, and its alternatives."""

    top_logprobs: tuple[Alternative, ...] = ()
    token: str = ""


@dataclass(frozen=True)
class Logprobs:
    """One entry a token of the answer."""

    content: tuple[Position, ...] | None = None


_LOGPROBS = TypeAdapter(Logprobs | None)

BEFORE_WORDS = " \t\r\n\u2581\u0120"
"""What vocabularies put before a word."""


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

    def longest(self, request: Request, able: Capabilities | None = None) -> int:
        """The most tokens that its answer can have."""
        if not by_first_token(request):
            return request.sampling.max_tokens
        able = self.capabilities if able is None else able
        return 1 if able.has("logprobs") else VOTE_TOKENS

    def fields(self, request: Request) -> list[str]:
        """The fields that a request has where nothing is refused, of those that a server may refuse."""
        found = ["temperature", "top_p", "seed", *LIMITS]
        if request.sampling.stop:
            found.append("stop")
        return [*found, "logprobs", "top_logprobs"] if by_first_token(request) else found

    async def call(self, client: Any, request: Request, able: Capabilities = FULL) -> Completion:
        """One attempt."""
        reply = await self.post(client, "/chat/completions", self._body(request, able))
        choice, usage = _first_choice(reply), reply.get("usage")
        written = _written(choice)
        probabilities, mass = None, None
        if by_first_token(request) and (not written.thoughts or not written.closed):
            logprobs = _LOGPROBS.validate_python(choice.get("logprobs"))
            first = logprobs.content[0] if logprobs and logprobs.content else Position()
            if first.top_logprobs:
                probabilities, mass = over_choices(request.choices, first.top_logprobs)
            if not written.text and not written.thoughts:
                written = written_of(as_text(first.token))  # servers that part thoughts leave out the mark of one
        finish = finish_of(choice.get("finish_reason"))
        if finish == "length" and request.choices and self.longest(request, able) == 1 and not written.reasoning:
            finish = "stop"  # one token is all that was asked for
        if probabilities is None:
            require_answer(written, choice.get("finish_reason"), finish)
        return self.completion(
            written,
            request,
            able,
            finish=finish,
            prompt_tokens=tokens_of(usage, "prompt_tokens"),
            completion_tokens=tokens_of(usage, "completion_tokens"),
            probabilities=probabilities,
            mass=mass,
        )

    def _body(self, request: Request, able: Capabilities = FULL) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self.model,
            "messages": as_messages(request),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": request.seed % (1 << 31),
        }
        # OpenAI's newer models refuse max_tokens; many other servers know nothing else.
        limit, other = LIMITS if self.address else LIMITS[::-1]
        body[limit if able.has(limit) else other] = self.longest(request, able)
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if by_first_token(request) and able.has("logprobs"):
            body |= {"logprobs": True, "top_logprobs": able.top}
        for field in ("temperature", "top_p", "seed", "stop"):
            if not able.has(field):
                body.pop(field, None)
        return body


def _first_choice(reply: dict[str, Any]) -> dict[str, Any]:
    """The first of a reply's answers.

    Raises:
        WrongShape: there is none.
        ErrorInside: it is an error.
    """
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices:
        what = "missing" if "choices" not in reply else "empty" if choices == [] else "no list"
        raise WrongShape(f"choices is {'null' if choices is None and 'choices' in reply else what} in the reply")
    choice = choices[0]
    if isinstance(choice, dict) and choice.get("error"):
        raise _of_this_call(choice)
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise WrongShape("its first choice has no message")
    if reply.get("error") and (choice.get("finish_reason") == "error" or not choice["message"].get("content")):
        raise _of_this_call(reply)
    return choice


def _of_this_call(holder: dict[str, Any]) -> ErrorInside:
    """An error in place of an answer: what may pass is this call's alone, and is not asked for until the deadline."""
    found = error_inside(holder)
    return ErrorInside(None, found.body) if found.status in PASSING or (found.status or 0) >= 500 else found


def _written(choice: dict[str, Any]) -> Written:
    """The answer of a choice, and its thoughts, which servers put into several places."""
    message = choice["message"]
    text, thoughts = text_of(message.get("content"))
    reasoning = thoughts
    for name in ("reasoning_content", "reasoning", "reasoning_details"):
        reasoning = reasoning or thought_of(message.get(name))
    refusal = message.get("refusal")
    if not text and isinstance(refusal, str) and refusal:
        text = text_of(refusal)[0]
    return written_of(text, reasoning)


def over_choices(
    choices: tuple[str, ...], tokens: tuple[Alternative, ...]
) -> tuple[tuple[float, ...] | None, float | None]:
    """Probabilities of the choices, renormalised, and what they were together; no probabilities where that is 0.

    A token is a choice with whatever a vocabulary puts before a word, and in small letters where no choice has those.
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
