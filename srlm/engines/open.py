"""Open an engine by a specification: "openai:gpt-4o", "openai:NAME@http://127.0.0.1:8000/v1", "anthropic:NAME", a path.

A checkpoint is run by transformers or by vLLM, as configured or as this machine allows (`choice`); "vllm:PATH" is
always run by vLLM. "vllm:NAME@ADDRESS" is a model on a vLLM server.
"""

from collections.abc import Mapping
from typing import Any

from srlm.engines.budget import Budget
from srlm.engines.choice import choose_engine
from srlm.engines.client_config import ClientConfig
from srlm.engines.engine import Engine
from srlm.engines.server_address import split_name, without_credentials
from srlm.engines.template_parts import Thoughts
from srlm.errors import UsageError
from srlm.model_hub import model_folder


def is_remote(spec: str) -> bool:
    """Return whether a model is behind a server."""
    if spec.startswith("vllm:"):
        return (split_name(spec)[1] or "").startswith(("http://", "https://"))
    return spec.startswith(("openai:", "anthropic:"))


def public_name(spec: str) -> str:
    """Return the name of a model for tables and files, without credentials of its address."""
    model, address = split_name(spec) if is_remote(spec) else (spec, None)
    return model if address is None else f"{model}@{without_credentials(address)}"


def open_engine(
    spec: str,
    *,
    name: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_tokens: int | None = None,
    engine: str = "auto",
    vllm: Mapping[str, Any] | None = None,
    client: ClientConfig | None = None,
    budget: Budget | None = None,
    thoughts: Thoughts = "open",
) -> Engine:
    """Open the engine of a model.

    Args:
        spec: the user's specification, or the folder of a run's model such as M2.
        name: display name; the spec, if not given.
        device: for local models, see `srlm.config.TrainConfig`.
        dtype: likewise.
        batch_tokens: likewise.
        engine: "auto", "hf" or "vllm", likewise.
        vllm: arguments of vLLM's engine, if that is used.
        client: for models behind a server: connections, timeouts and backoff. It also says what `auto` has chosen.
        budget: for models behind a server: what the calls may cost.
        thoughts: for local models: "closed" keeps them from reasoning before they answer.

    Raises:
        UnknownName, ModelError, MissingDependency: the model cannot be opened.
        UsageError: a key is not set, or a budget is and no price is known.
    """
    if is_remote(spec):
        kind, _, rest = spec.partition(":")
        model, address = split_name(rest)
        if not model.strip() or not model.isprintable():
            raise UsageError(
                f"The specification {kind}: names no model. Write it as {kind}:NAME, or {kind}:NAME@ADDRESS"
            )
        if kind == "openai":
            from srlm.engines.openai import OpenAIEngine

            return OpenAIEngine(model, address, client, budget)
        if kind == "vllm":
            from srlm.engines.vllm_server import VLLMServer

            return VLLMServer(model, address or "", client)
        from srlm.engines.anthropic import AnthropicEngine

        return AnthropicEngine(model, address, client, budget)
    folder = model_folder(spec.removeprefix("vllm:"))
    if engine == "auto" and not spec.startswith("vllm:"):
        choice = choose_engine(device)
        engine = choice.engine
        if choice.message is not None and client is not None:
            client.warn_once(choice.message)
    if engine == "vllm" or spec.startswith("vllm:"):
        from srlm.engines.vllm import VLLMEngine

        return VLLMEngine(folder, name=name or spec, device=device, dtype=dtype, arguments=vllm, thoughts=thoughts)
    from srlm.engines.hf import HFEngine

    return HFEngine(folder, name=name or spec, device=device, dtype=dtype, batch_tokens=batch_tokens, thoughts=thoughts)
