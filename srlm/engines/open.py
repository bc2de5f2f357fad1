"""A model by its name: "openai:gpt-4o", "openai:NAME@http://127.0.0.1:8000/v1", "anthropic:NAME", or a checkpoint."""

from pathlib import Path

from srlm.assets import model_folder
from srlm.engines.engine import Engine
from srlm.engines.remote import without_credentials


def is_remote(spec: str) -> bool:
    """Whether each call of this model goes to a server."""
    return spec.startswith(("openai:", "anthropic:"))


def public_name(spec: str) -> str:
    """A model's name for tables and files: a server's without the credentials that its address may carry."""
    kind, at, address = spec.partition("@")
    return f"{kind}@{without_credentials(address)}" if is_remote(spec) and at else spec


def open_engine(
    spec: str, *, name: str | None = None, device: str = "auto", dtype: str = "auto", batch_tokens: int = 16384
) -> Engine:
    """Open a model.

    Args:
        spec: what the user wrote, or what a run's name such as M2 stands for.
        name: how tables call it; the spec, if not given.
        device: for local models, see `srlm.config.TrainConfig`.
        dtype: likewise.
        batch_tokens: likewise.

    Raises:
        UnknownName, ModelError, MissingDependency: it cannot be opened; the message says what to do.
        UsageError: a key is not set.
    """
    if is_remote(spec):
        kind, _, rest = spec.partition(":")
        model, _, address = rest.partition("@")
        if kind == "openai":
            from srlm.engines.openai import OpenAIEngine

            return OpenAIEngine(model, address or None)
        from srlm.engines.anthropic import AnthropicEngine

        return AnthropicEngine(model, address or None)
    folder: Path = model_folder(spec)
    from srlm.engines.hf import HFEngine

    return HFEngine(folder, name=name or spec, device=device, dtype=dtype, batch_tokens=batch_tokens)
