"""The output layer of a training on a processor: only the positions whose tokens the loss counts are scored.

TRL's fused head computes log-probabilities from the last layer without the logits of the whole vocabulary. On a GPU it
scores the labelled positions; on other devices every position, prompt and padding included, and multiplies the rest by
zero. Of a judge's example most tokens are prompt, so that on a processor most of the head's work is for nothing. Here
every device scores the labelled ones; log-probabilities and gradients are those of TRL (tests/trainer/finetune/test_output_head.py).
Imported late: it needs TRL.
"""

import functools
from types import FunctionType, MethodType
from typing import Any


def score_counted_tokens(model: Any) -> None:
    """Have a model with TRL's fused head score the labelled positions alone, on every device.

    TRL decides this by a function of its own module, `_use_triton`. The model's `forward` is replaced by the same
    function with another answer to that question, so that nothing in TRL changes for other models. A version of TRL
    that asks no such question keeps its own behaviour, which is right and may be slower.

    Args:
        model: a causal language model to which `trl.trainer.utils.add_fused_lm_head` was applied, or one with LoRA
            adapters around it.
    """
    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    fused = bare.forward.__func__
    counted = FunctionType(
        fused.__code__,
        {**fused.__globals__, "_use_triton": lambda device: True},
        argdefs=fused.__defaults__,
        closure=fused.__closure__,
    )
    counted.__kwdefaults__ = fused.__kwdefaults__
    bare.forward = MethodType(functools.update_wrapper(counted, fused), bare)
