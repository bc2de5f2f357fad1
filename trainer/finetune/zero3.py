"""LoRA under DeepSpeed ZeRO-3 is refused: adapters are merged into weights that no process holds as a whole.

PEFT's `merge_and_unload` would add them to empty tensors, and the saved model would be M_t again. ZeRO-3 is recognised
in the launcher's text and its configuration files before the run, and surely by accelerate's environment variables in
the processes that train.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srlm.config.finetune import TuningConfig
from srlm.errors import UsageError
from srlm.jsonl import read_json
from srlm.read_yaml import read_yaml
from trainer.finetune.recipes import RECIPES

STAGE = 3


def refuse_lora_with_zero3(config: TuningConfig, launcher: str = "") -> None:
    """Check a training's settings against the launcher, or against the environment that a launcher has set.

    Raises:
        UsageError: they are LoRA and ZeRO-3.
    """
    if config.lora.rank and (environment_has_zero3(os.environ) or launcher_has_zero3(launcher)):
        section = type(config).__name__.removesuffix("Config").lower()
        raise UsageError(
            f"{section}.lora.rank is {config.lora.rank}, and the launcher sets DeepSpeed ZeRO-3, under which adapters "
            "cannot be merged into the weights. Set zero_stage: 2 in its configuration, or a launcher with FSDP or "
            f"DDP, or train without LoRA: --set {section}.lora.rank=0"
        )


def environment_has_zero3(environment: Mapping[str, str]) -> bool:
    """Return true if accelerate's variables turn on ZeRO-3."""
    return environment.get("ACCELERATE_USE_DEEPSPEED", "").lower() == "true" and _has_zero3(
        environment.get("ACCELERATE_DEEPSPEED_ZERO_STAGE"), environment.get("ACCELERATE_DEEPSPEED_CONFIG_FILE")
    )


def launcher_has_zero3(launcher: str) -> bool:
    """Return true if a launcher's options, or the configuration that accelerate reads for it, turn on ZeRO-3.

    The options may be anywhere in the text, such as in a command that `srun bash -c` gets in quotes.
    """
    found = re.findall(r"--([\w-]+)[=\s]+([^\s'\"-][^\s'\"]*)", launcher)
    options = {name.replace("-", "_"): value for name, value in found}
    settings: dict[str, Any] = {}
    file = Path(options["config_file"]) if "config_file" in options else _recipe_or_default(launcher)
    if file is not None and file.is_file():
        read = read_yaml(file)
        if isinstance(read, dict) and read.get("distributed_type") == "DEEPSPEED":
            settings = read.get("deepspeed_config") or {}
    return _has_zero3(
        options.get("zero_stage", settings.get("zero_stage")),
        options.get("deepspeed_config_file", settings.get("deepspeed_config_file")),
    )


def _recipe_or_default(launcher: str) -> Path | None:
    """Return the recipe that a launcher names, or the file of `accelerate config`, which is read if none is given."""
    if (recipe := launcher.partition(" ")[0]) in RECIPES:
        return RECIPES[recipe]
    if "accelerate" not in launcher:
        return None
    from accelerate.commands.config.config_args import default_config_file

    return Path(default_config_file)


def _has_zero3(stage: Any, file: str | None) -> bool:
    """Return true for stage 3, in an option or in a configuration of DeepSpeed's own."""
    if file is not None and Path(file).is_file():
        read = read_json(Path(file))
        stage = (read.get("zero_optimization") or {}).get("stage", stage) if isinstance(read, dict) else stage
    return str(stage) == str(STAGE)
