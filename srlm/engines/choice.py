"""Choice of the engine of local models where the configuration leaves it open (`engine: auto`).

vLLM fills a GPU with as many answers as fit, so it is taken where CUDA and a vLLM that srlm supports are there. On
everything else the built-in engine (`hf`) is taken, which needs nothing more than torch and transformers.
"""

import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal

from srlm.engines.device import pick_device
from srlm.engines.vllm_arguments import SERIES
from srlm.errors import UsageError

VARIABLE = "SRLM_ENGINE"
"""Environment variable that says which engine `auto` is on this machine, also for commands without a configuration."""

PAGE = "docs/howto/engines.md"


@dataclass(frozen=True)
class EngineChoice:
    """The engine of local models, and a sentence for the user where it is not the obvious one."""

    engine: Literal["hf", "vllm"]
    message: str | None = None


def choose_engine(device: str) -> EngineChoice:
    """Choose the engine of local models on this machine.

    Args:
        device: see `srlm.config.TrainConfig`.

    Raises:
        EngineError: torch does not find the device.
        UsageError: the environment variable SRLM_ENGINE is neither hf nor vllm.
    """
    wanted = os.environ.get(VARIABLE)
    if wanted == "hf":
        return EngineChoice("hf")
    if wanted == "vllm":
        return EngineChoice("vllm", f"Engine: vLLM ({VARIABLE}=vllm).")
    if wanted:
        raise UsageError(f"{VARIABLE} is {wanted!r:.100}. Set it to hf or vllm, or unset it.")
    if find_spec("torch") is None or not (picked := pick_device(device)).startswith("cuda"):
        return EngineChoice("hf")
    try:
        found = version("vllm")
    except PackageNotFoundError:
        return EngineChoice("hf", f"Engine: transformers. vLLM, which is made for GPUs, is not installed ({PAGE}).")
    if not f"{found}.".startswith(f"{SERIES}."):
        return EngineChoice(
            "hf",
            f"Engine: transformers, because vLLM {found} is installed and srlm supports {SERIES}. To try it: "
            "engine=vllm.",
        )
    if ":" in picked:
        return EngineChoice(
            "hf",
            f"Engine: transformers, because vLLM does not support device={picked}. For vLLM leave device out, and set "
            f"CUDA_VISIBLE_DEVICES={picked.partition(':')[2]}.",
        )
    return EngineChoice(
        "vllm", f"Engine: vLLM {found}, because CUDA and vLLM are there. For transformers set {VARIABLE}=hf."
    )
