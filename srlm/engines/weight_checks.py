"""Checks of loaded weights: none missing, none left over, all finite.

transformers initialises missing weights at random and at most logs it. A partly random model would be evaluated and
trained like any other, so it is refused.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from srlm.errors import ModelError

HARMLESS = re.compile(r"rotary_emb\.inv_freq$|attn\.(masked_)?bias$|position_ids$")
"""Names of left-over tensors that are no weights: tables that models now compute themselves."""

PREFIXES = {
    "_orig_mod.": "torch.compile; save model._orig_mod in its place",
    "module.": "DistributedDataParallel or DataParallel; save model.module in its place",
    "_fsdp_wrapped_module.": "FSDP; save the model that it wraps",
    "_forward_module.": "DeepSpeed or Lightning; save the model that it wraps",
    "base_model.model.": "PEFT; save model.merge_and_unload() in its place",
}
"""Name prefixes of wrappers, each with its fix."""

HEADS = re.compile(r"(^|\.)(score|v_head|value_head|classifier|classification_head|reward_head|regression_layer)\.")


Loading = Mapping[str, Collection[Any]]
"""transformers' output_loading_info: the names of missing, left-over and misfitting weights."""


def require_whole(folder: Path, loading: Loading) -> None:
    """Refuse a model whose weights do not match its architecture.

    Args:
        folder: the checkpoint.
        loading: of its class in transformers.

    Raises:
        ModelError: weights are missing, left over or of another shape; the message names the first and a likely cause.
    """
    missing = sorted(map(str, loading["missing_keys"]))
    over = sorted(name for name in map(str, loading["unexpected_keys"]) if not HARMLESS.search(name))
    misfits = sorted(_misfit(*one) for one in loading["mismatched_keys"])
    others = [" ".join(str(one).split())[:200] for one in loading.get("error_msgs", ())]
    found = [
        *([f"missing are {len(missing)} ({_first(missing)})"] if missing else []),
        *([f"left over are {len(over)} ({_first(over)})"] if over else []),
        *([f"of another shape are {len(misfits)} ({_first(misfits)})"] if misfits else []),
        *others[:1],
    ]
    if found:
        raise ModelError(
            f"The weights in {folder} do not fit its config.json: {'; '.join(found)}.{_cause(missing, over, misfits)} "
            "srlm does not initialise weights at random."
        )


def _misfit(name: Any, found: Any = (), wanted: Any = ()) -> str:
    return f"{name}: {'x'.join(map(str, found))} in place of {'x'.join(map(str, wanted))}"


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if names[3:] else "")


def _cause(missing: list[str], over: list[str], misfits: list[str]) -> str:
    for prefix, way in PREFIXES.items():
        if over and all(name.startswith(prefix) for name in over):
            return f" All names begin with {prefix}, which comes from {way}."
    if any(".lora_" in name for name in over):
        return " The names with lora_ are those of an adapter that was not merged: PEFT's merge_and_unload does that."
    if heads := [name for name in over if HEADS.search(name)]:
        return (
            f" {heads[0]} is the head of a reward model or classifier, which generates no text. Use the language model "
            "that it was made from."
        )
    if missing and over:
        return " The config.json may be that of another architecture, or the weights another library's."
    if missing:
        return " A file of weights may be left out, or the model saved in part."
    if misfits:
        return " The config.json, or the number of tokens, is that of another model."
    return " It may have been saved together with something else."


def require_finite(folder: Path, model: Any) -> None:
    """Refuse a model with weights that are not finite.

    Raises:
        ModelError: the message has the number of tensors and the first of them.
    """
    import torch

    broken = []
    with torch.inference_mode():
        for name, weight in model.named_parameters():
            if weight.dtype not in {torch.float32, torch.float64, torch.bfloat16, torch.float16}:
                continue  # of quantised models
            # A sum is one pass without a copy: it is not finite if a term is not, and rarely otherwise.
            if not weight.sum(dtype=torch.float32).isfinite() and not weight.isfinite().all():
                broken.append(name)
    if broken:
        raise ModelError(
            f"The weights in {folder} are not finite: {_first(broken)} ({len(broken)} in all). The training that made "
            "them diverged, or they are too large for their dtype: use an earlier checkpoint, or "
            "dtype=float32."
        )
