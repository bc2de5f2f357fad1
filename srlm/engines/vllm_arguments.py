"""Which of vLLM's own settings a configuration may make: none that runs code, or another model than the one named.

A run.yaml travels with a run, and `srlm eval` reads that of whoever made it. What a user wants beyond this is theirs to
start, as a server.
"""

from collections.abc import Mapping
from typing import Any

from srlm.errors import UsageError

CODE = frozenset(
    {"trust_remote_code", "code_revision", "worker_cls", "worker_extension_cls", "scheduler_cls", "logits_processors"}
    | {"model", "tokenizer", "hf_config_path", "hf_overrides", "allowed_local_media_path"}
)
"""Arguments of vLLM that run other code, or another model than the one that the ledger names."""

FORMATS = frozenset({"safetensors", "fastsafetensors", "runai_streamer"})
"""Values of load_format that read numbers alone; others may run what a file says, or make weights up."""


def require_safe(arguments: Mapping[str, Any]) -> None:
    """Refuse settings that a run.yaml of somebody else's must not make.

    Raises:
        UsageError: one would run code of a model's, or another model.
    """
    refused = sorted(CODE & arguments.keys())
    if arguments.get("load_format", "safetensors") not in FORMATS:
        refused.append("load_format")
    if refused:
        raise UsageError(
            f"vllm.extra_args.{refused[0]} is not for a configuration: it can run code that comes with a model, or "
            "another model than the one that is named. Serve the model yourself (vllm serve), and name it "
            "vllm:NAME@http://HOST:PORT/v1"
        )
