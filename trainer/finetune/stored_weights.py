"""Weights in safetensors files: read them, and count them against what the model's configuration asks for.

Imported late: it needs torch and transformers.
"""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import torch


def stored_tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the name and value of each tensor in a folder's safetensors files, one at a time."""
    from safetensors import safe_open

    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 -- it is no dictionary
                yield name, opened.get_tensor(name)


def stored_weight_count(folder: Path) -> int:
    """Count the weights in a folder's safetensors files. Only the files' headers are read."""
    from safetensors import safe_open

    count = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            count += sum(prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118
    return count


def model_weight_count(folder: Path) -> int:
    """Count the weights of the model that a checkpoint's configuration describes. Tied weights count once."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
    written = model.state_dict().keys()
    buffers = sum(buffer.numel() for name, buffer in model.named_buffers() if name in written)
    return int(sum(parameter.numel() for parameter in model.parameters()) + buffers)
