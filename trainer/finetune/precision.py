"""The base of both trainers: precision, and what is saved, where the weights are sharded or frozen.

FSDP          accelerate's policy for bfloat16 casts what the model returns and sums gradients over processes in it. A
              sequence's log-probability would be a multiple of 2 to 8: bfloat16 has 8 bits. Layers still compute in
              bfloat16; what they return keeps its precision, and gradients are summed in float32. Weights are written
              once: transformers would write those of a resumable checkpoint twice, and tied ones too.
adapters      LoRA freezes the weights that autocast casts to bfloat16 in every forward pass. They are stored so, once:
              half of the memory for the same products. `trainer/finetune/save.py` merges adapters into the float32
              weights of the checkpoint from which training started.

Imported late: it needs torch and transformers.
"""

from dataclasses import replace
from typing import Any

import torch
from transformers import Trainer

from trainer.finetune.launcher_settings import receives_weights


class PreciseTrainer(Trainer):  # type: ignore[misc, unused-ignore]
    """Base of the trainers. To be named before TRL's class, which has transformers' Trainer as its base, too."""

    def create_accelerator_and_postprocess(self) -> None:
        """Change the precision after the accelerator exists, and before the model is moved to a device or sharded."""
        super().create_accelerator_and_postprocess()  # type: ignore[no-untyped-call, unused-ignore]
        plugin = getattr(self.accelerator.state, "fsdp_plugin", None)
        if plugin is not None and plugin.mixed_precision_policy is not None:
            plugin.mixed_precision_policy = precise_policy(plugin.mixed_precision_policy)
        if self.args.bf16:
            store_frozen_in_bfloat16(self.model, known=not receives_weights())

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the model; in a checkpoint to resume from, FSDP writes the weights itself, and only those trained."""
        if not (_internal_call and self.is_fsdp_enabled):
            super().save_model(output_dir, _internal_call)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        # Gathered by FSDP, tied weights are separate tensors, of which transformers would write each.
        tied = getattr(self.model, "all_tied_weights_keys", {})
        left = None if state_dict is None else {name: one for name, one in state_dict.items() if name not in tied}
        super()._save(output_dir, left)


def precise_policy(policy: Any) -> Any:
    """Return FSDP's policy of mixed precision without a cast of outputs, and with float32 sums of gradients.

    Args:
        policy: torch's MixedPrecisionPolicy of FSDP2, or MixedPrecision of FSDP1, which has no cast of outputs.
    """
    changes: dict[str, Any] = {"reduce_dtype": torch.float32}
    if hasattr(policy, "output_dtype"):
        # None, not float32: layers would return float32 to the next layer and to the output head, too.
        changes["output_dtype"] = None
    return replace(policy, **changes)


def store_frozen_in_bfloat16(model: Any, *, known: bool = True) -> None:
    """Store the weights that LoRA adapts in bfloat16. Others are left: autocast computes with them in float32.

    Args:
        model: the model, with adapters or without.
        known: false if the weights have no values yet, and take no memory (`trainer.finetune.load_model`).
    """
    for module in model.modules():
        if hasattr(module, "lora_A") and hasattr(module, "get_base_layer"):
            for weight in module.get_base_layer().parameters():
                if not weight.requires_grad:
                    half = torch.empty_like(weight.data, dtype=torch.bfloat16)
                    weight.data = half.copy_(weight.data) if known else half
