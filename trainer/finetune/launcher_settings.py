"""Settings of accelerate that decide what a training's process loads, computes and saves.

`accelerate launch` passes the settings of its file to the processes in environment variables, and plain `torchrun` sets
only the processes' numbers. Settings with which a training would compute something else than on one process, or save no
model, are refused before it begins.
"""

import os

from srlm.config.finetune import TuningConfig
from srlm.errors import UsageError

FILE = "the launcher's file for accelerate"


def uses_fsdp() -> bool:
    """Return true if FSDP shards the weights over the processes."""
    return _is_true("ACCELERATE_USE_FSDP")


def uses_deepspeed() -> bool:
    """Return true if DeepSpeed trains."""
    return _is_true("ACCELERATE_USE_DEEPSPEED")


def receives_weights() -> bool:
    """Return true if accelerate sends this process its weights, so that it need not read them.

    With `fsdp_cpu_ram_efficient_loading` the first process sends each weight when the model is sharded.
    """
    return uses_fsdp() and _is_true("FSDP_CPU_RAM_EFFICIENT_LOADING") and os.environ.get("RANK", "0") != "0"


def require_usable(config: TuningConfig, section: str) -> None:
    """Check the launcher's settings against those of a training.

    Args:
        config: the training's settings.
        section: their name, such as "sft".

    Raises:
        UsageError: no whole model would be saved, or gradients would be wrong.
    """
    if uses_fsdp():
        # The default of version 2 is SHARDED_STATE_DICT, with which nothing is written at the end of a training.
        kind = os.environ.get("FSDP_STATE_DICT_TYPE", "SHARDED_STATE_DICT")
        if kind.upper() != "FULL_STATE_DICT":
            raise UsageError(
                f"fsdp_state_dict_type = {kind} saves no whole model. In {FILE}, set it to FULL_STATE_DICT."
            )
        # accelerate's wrapper recomputes without restoring the random state (preserve_rng_state=False), so dropout
        # would drop others than in the forward pass; and transformers refuses two recomputations.
        if _is_true("FSDP_ACTIVATION_CHECKPOINTING") and (config.dropout or config.gradient_checkpointing):
            raise UsageError(
                f"fsdp_activation_checkpointing recomputes activations with other dropout than before. In {FILE}, set "
                f"it to false: {section}.gradient_checkpointing=true has the same effect. Without dropout it can be "
                f"used: --set {section}.dropout=0 --set {section}.gradient_checkpointing=false"
            )
    sharded = uses_deepspeed() and os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3"
    if sharded and not _is_true("ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL"):
        raise UsageError(f"ZeRO-3 saves no whole model. In {FILE}, set zero3_save_16bit_model to true.")


def set_mixed_precision(*, bfloat16: bool) -> None:
    """Let srlm's `dtype` decide the precision. transformers would prefer that of the launcher's file."""
    if "ACCELERATE_MIXED_PRECISION" in os.environ:
        os.environ["ACCELERATE_MIXED_PRECISION"] = "bf16" if bfloat16 else "no"


def _is_true(name: str) -> bool:
    return os.environ.get(name, "false").lower() in {"true", "1", "yes"}
