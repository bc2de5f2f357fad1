"""Engine for a vLLM server: its OpenAI protocol and vLLM's extensions of it.

The extensions: an answer can continue a prefill, and choices are requested as tokens, so that their probabilities are
exact, as opposed to read off the 20 most likely tokens. Both need the prompt as tokens, which the server computes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from srlm.engines.api_errors import RequestError
from srlm.engines.capabilities import FULL, Capabilities
from srlm.engines.chat_template import ChoiceTokens, choice_completion, split_choices, truncate_at_stop
from srlm.engines.client_config import ClientConfig
from srlm.engines.completions import encodable, parse_finish, split_reply, token_count
from srlm.engines.openai import OpenAIEngine
from srlm.engines.remote import as_messages, reads_first_token
from srlm.engines.server_address import split_query, without_credentials
from srlm.engines.template_parts import NO_REASONING
from srlm.errors import EngineError
from srlm.prices import FREE, Price
from srlm.types import Completion, Request

OPENED, CLOSED = ("<think>\n", "<think>"), "\n</think>\n\n"
"""Opening marks of templates without a variable that turns reasoning off, and the text that closes the reasoning."""

PLAIN_SAMPLING = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""Sent with every request; the default of a server is the model's generation_config.json."""


MAX_CONNECTIONS = 256
"""Concurrent calls. A server on a GPU computes that many at once, 1,024 on a large one; the pool begins with fewer."""


@dataclass(frozen=True)
class Tokens:
    """A text as tokens of the served model."""

    tokens: list[int]


@dataclass(frozen=True)
class TextLogprobs:
    """The requested log-probabilities at each position."""

    top_logprobs: Annotated[tuple[Mapping[str, float], ...], Field(min_length=1)]


@dataclass(frozen=True)
class TextChoice:
    """One answer of a text completion."""

    text: str
    finish_reason: str | None = None
    logprobs: TextLogprobs | None = None


@dataclass(frozen=True)
class TextCompletion:
    """The used part of a reply. A reply without it is malformed."""

    choices: Annotated[tuple[TextChoice, ...], Field(min_length=1)]
    usage: Any = None


_TOKENS, _REPLY = TypeAdapter(Tokens), TypeAdapter(TextCompletion)


class VLLMServer(OpenAIEngine):
    """A model on a self-hosted vLLM server; its calls are free."""

    max_connections = MAX_CONNECTIONS

    def __init__(self, model: str, address: str, client: ClientConfig | None = None) -> None:
        """Check the settings; no call is made. See `srlm.engines.remote.RemoteEngine`."""
        super().__init__(model, address, client)
        self.name = f"vllm:{model}"
        self.identity = f"{self.name}@{without_credentials(address)}"
        self.price: Price | None = FREE
        self._root = split_query(address)[0].rstrip("/").removesuffix("/v1")
        self._choices: dict[tuple[str, tuple[str, ...]], ChoiceTokens] = {}
        self._opening_marks: list[list[int]] | None = None

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Plan one request a batch, so that each answer is committed when it arrives."""
        return [[index] for index in range(len(requests))]

    async def call(self, client: Any, request: Request, capabilities: Capabilities = FULL) -> Completion:
        """Make one attempt."""
        if reads_first_token(request):
            return await self._choose(client, request)
        if request.prefill:
            return await self._continue(client, request)
        return await super().call(client, request, capabilities)

    def adapt(self, error: RequestError, request: Request, capabilities: Capabilities) -> Capabilities | None:
        """Return None: vLLM refuses no field."""
        return None

    def _body(self, request: Request, capabilities: Capabilities = FULL) -> dict[str, Any]:
        return super()._body(request, capabilities) | PLAIN_SAMPLING

    async def _choose(self, client: Any, request: Request) -> Completion:
        """Compute the probabilities of the choices. Choices are tokenized once for all requests with them."""
        key = (request.prefill, request.choices)
        if key not in self._choices:
            encoded = [await self._encode(client, request.prefill + choice) for choice in request.choices]
            self._choices[key] = split_choices(encoded, self.name, request.choices)
        end = self._choices[key]
        choice = ChoiceTokens([*await self._prompt(client, request), *end.context], end.firsts)
        asked = {"temperature": 0.0, "max_tokens": 1, "logprobs": 1, "logprob_token_ids": choice.firsts}
        found = await self._complete(client, choice.context, asked | {"return_tokens_as_token_ids": True})
        logprobs = found.choices[0].logprobs
        given = logprobs.top_logprobs[0] if logprobs else {}
        wanted = [f"token_id:{token}" for token in choice.firsts]
        if not given.keys() >= set(wanted):
            raise EngineError(
                f"{self.name} gives no probabilities of the choices: upgrade the server to vLLM 0.32 or later."
            )
        return choice_completion(request, choice, [given[name] for name in wanted], name=self.name)

    async def _continue(self, client: Any, request: Request) -> Completion:
        """Generate an answer that continues the prefill."""
        prompt = [*await self._prompt(client, request), *await self._encode(client, request.prefill)]
        body = self._body(request)
        found = await self._complete(client, prompt, {name: body[name] for name in body.keys() - {"messages"}})
        choice = found.choices[0]
        text = split_reply(truncate_at_stop(encodable(choice.text), request.sampling.stop))
        return self.completion(
            text,
            request,
            FULL,
            finish=parse_finish(choice.finish_reason),
            prompt_tokens=token_count(found.usage, "prompt_tokens"),
            completion_tokens=token_count(found.usage, "completion_tokens"),
        )

    async def _complete(self, client: Any, prompt: list[int], asked: dict[str, Any]) -> TextCompletion:
        body = {"model": self.model, "prompt": prompt, **asked}
        return _REPLY.validate_python(await self.post(client, "/completions", body))

    async def _prompt(self, client: Any, request: Request) -> list[int]:
        """Tokenize the conversation up to the answer: after closed reasoning, as the local engines do."""
        settings = {"add_generation_prompt": True, "chat_template_kwargs": dict(NO_REASONING)}
        prompt = await self._tokenize(client, {"messages": as_messages(request)} | settings)
        if self._opening_marks is None:
            self._opening_marks = [await self._encode(client, mark) for mark in OPENED]
        if any(prompt[-len(mark) :] == mark for mark in self._opening_marks):
            prompt += await self._encode(client, CLOSED)
        return prompt

    async def _encode(self, client: Any, text: str) -> list[int]:
        """Tokenize a part of an answer."""
        return await self._tokenize(client, {"prompt": text, "add_special_tokens": False})

    async def _tokenize(self, client: Any, what: dict[str, Any]) -> list[int]:
        body = {"model": self.model, **what}
        return _TOKENS.validate_python(await self.post(client, f"{self._root}/tokenize", body)).tokens
