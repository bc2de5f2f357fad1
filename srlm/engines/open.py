"""A model by its name: "openai:gpt-4o", "openai:NAME@http://127.0.0.1:8000/v1", "anthropic:NAME", or a checkpoint.

A checkpoint is run by transformers or by vLLM; "vllm:PATH" is one run by vLLM in any case, and "vllm:NAME@ADDRESS" is
what a vLLM server serves under that name.
"""

from collections.abc import Mapping
from typing import Any

from srlm.engines.budget import Budget
from srlm.engines.engine import Engine
from srlm.engines.request_pool import Wire
from srlm.engines.server_address import split_name, without_credentials
from srlm.engines.template_parts import Thoughts
from srlm.errors import UsageError
from srlm.model_hub import model_folder


def is_remote(spec: str) -> bool:
    """Whether each call of this model goes to a server."""
    if spec.startswith("vllm:"):
        return (split_name(spec)[1] or "").startswith(("http://", "https://"))
    return spec.startswith(("openai:", "anthropic:"))


def public_name(spec: str) -> str:
    """A model's name for tables and files: a server's without the credentials that its address may carry."""
    model, address = split_name(spec) if is_remote(spec) else (spec, None)
    return model if address is None else f"{model}@{without_credentials(address)}"


def open_engine(
    spec: str,
    *,
    name: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_tokens: int | None = None,
    engine: str = "hf",
    vllm: Mapping[str, Any] | None = None,
    wire: Wire | None = None,
    budget: Budget | None = None,
    thoughts: Thoughts = "open",
) -> Engine:
    """Open a model.

    Args:
        spec: what the user wrote, or what a run's name such as M2 stands for.
        name: how tables call it; the spec, if not given.
        device: for local models, see `srlm.config.TrainConfig`.
        dtype: likewise.
        batch_tokens: likewise.
        engine: what runs local models, likewise.
        vllm: arguments of vLLM's engine, where it does.
        wire: for models behind a server, how calls travel.
        budget: for models behind a server, what their calls may cost.
        thoughts: for local models, whether they may think before they answer.

    Raises:
        UnknownName, ModelError, MissingDependency: it cannot be opened; the message says what to do.
        UsageError: a key is not set, or a budget is and no price is known.
    """
    if is_remote(spec):
        kind, _, rest = spec.partition(":")
        model, address = split_name(rest)
        if not model.strip() or not model.isprintable():
            raise UsageError(
                f"{kind}: is followed by no name of a model. Write it as {kind}:NAME, or {kind}:NAME@ADDRESS"
            )
        if kind == "openai":
            from srlm.engines.openai import OpenAIEngine

            return OpenAIEngine(model, address, wire, budget)
        if kind == "vllm":
            from srlm.engines.vllm_server import VLLMServer

            return VLLMServer(model, address or "", wire)
        from srlm.engines.anthropic import AnthropicEngine

        return AnthropicEngine(model, address, wire, budget)
    folder = model_folder(spec.removeprefix("vllm:"))
    if engine == "vllm" or spec.startswith("vllm:"):
        from srlm.engines.vllm import VLLMEngine

        return VLLMEngine(folder, name=name or spec, device=device, dtype=dtype, arguments=vllm, thoughts=thoughts)
    from srlm.engines.hf import HFEngine

    return HFEngine(folder, name=name or spec, device=device, dtype=dtype, batch_tokens=batch_tokens, thoughts=thoughts)
