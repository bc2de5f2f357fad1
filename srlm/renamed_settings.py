"""Settings that had another name in earlier versions.

The `run.yaml` of a run is read under both names. In a user's own file and in `--set` an old name is refused, with a
message that gives the new one.
"""

from collections.abc import Mapping
from typing import Any

_TRAINING = {
    "recompute": "gradient_checkpointing",
    "end_ratio": "min_lr_rate",
    "micro_batch_size": "per_device_train_batch_size",
}
RENAMED: Mapping[str, Mapping[str, str]] = {
    "sft": _TRAINING,
    "dpo": _TRAINING,
    "vllm": {"memory": "gpu_memory_utilization", "max_length": "max_model_len", "more": "extra_args"},
    "monitor": {"canary_prompts": "degenerate_answer_prompts", "min_canary_gap": "min_degenerate_gap"},
}
"""Old key -> new key, by section."""


def with_new_names(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with its old keys renamed. A key that is given under both names stays, to be refused."""
    found = dict(data)
    for section, names in RENAMED.items():
        if isinstance(values := data.get(section), Mapping):
            found[section] = {
                (new if (new := names.get(key)) and new not in values else key): value for key, value in values.items()
            }
    return found


def old_names(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the old keys of a configuration, each with its new name: "vllm.more" -> "vllm.extra_args"."""
    return {
        f"{section}.{old}": f"{section}.{new}"
        for section, names in RENAMED.items()
        if isinstance(values := data.get(section), Mapping)
        for old, new in names.items()
        if old in values
    }
