"""Compute the output layer only at the positions whose tokens are labelled, also on a CPU.

TRL's fused head computes log-probabilities from the last layer without the logits of the whole vocabulary. On a GPU it
scores only the labelled positions. On other devices it scores every position, prompt and padding included, and
multiplies the rest by zero. Most tokens of a judge's example are prompt, so on a CPU most of that work is wasted. Here
every device scores only the labelled positions; log-probabilities and gradients are those of TRL
(tests/trainer/finetune/test_output_head.py). Imported late: it needs TRL.
"""

from types import MethodType
from typing import Any

from trainer.finetune.trl_functions import with_names


def score_labelled_tokens(model: Any) -> None:
    """Make a model with TRL's fused head score only the labelled positions, on every device.

    TRL decides this by a function of its own module, `_use_triton`. The model's `forward` is replaced by the same
    function with another answer to that question, so that nothing in TRL changes for other models. A version of TRL
    without that function keeps its own behaviour, which is correct and may be slower.

    Args:
        model: a causal language model to which `trl.trainer.utils.add_fused_lm_head` was applied, or one with LoRA
            adapters around it.
    """
    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    fused = bare.forward.__func__
    bare.forward = MethodType(with_names(fused, _use_triton=lambda device: True), bare)
