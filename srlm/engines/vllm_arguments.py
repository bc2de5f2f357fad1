"""Versions of vLLM that srlm supports, and arguments of vLLM that run code or load another model than the one named.

A run.yaml travels with a run, and `srlm eval` reads run.yaml files of third parties. For other arguments, users start
vLLM as a server themselves.
"""

from collections.abc import Mapping
from typing import Any

from srlm.errors import UsageError

SERIES = "0.32"
"""The versions, as in pyproject.toml: srlm uses parts of vLLM that may change in the next ones."""

CODE = frozenset(
    {"trust_remote_code", "code_revision", "worker_cls", "worker_extension_cls", "scheduler_cls", "logits_processors"}
    | {"model", "tokenizer", "hf_config_path", "hf_overrides", "allowed_local_media_path"}
)
"""Arguments of vLLM that run other code, or another model than the one in the ledger's keys."""

FORMATS = frozenset({"safetensors", "fastsafetensors", "runai_streamer"})
"""Values of load_format that only read numbers; others may run code from a file, or create random weights."""


def require_safe(arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that a third party's run.yaml must not set.

    Raises:
        UsageError: an argument can run code, or another model.
    """
    refused = sorted(CODE & arguments.keys())
    if arguments.get("load_format", "safetensors") not in FORMATS:
        refused.append("load_format")
    if refused:
        raise UsageError(
            f"vllm.extra_args.{refused[0]} is not allowed in a configuration: it can run code of a model, or another "
            "model than the one that is named. Serve the model yourself (vllm serve), and name it "
            "vllm:NAME@http://HOST:PORT/v1"
        )
