"""Low-rank adapters (LoRA): their configuration for TRL."""

from typing import TYPE_CHECKING, Any

from srlm.optional_deps import require

if TYPE_CHECKING:
    from srlm.config.finetune import TuningConfig


def lora_config(config: "TuningConfig") -> Any:
    """Return PEFT's configuration of adapters on all linear layers; None for full fine-tuning."""
    if not config.lora.rank:
        return None
    require("peft", "LoRA", "train")
    from peft import LoraConfig

    return LoraConfig(
        r=config.lora.rank, lora_alpha=config.lora.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
