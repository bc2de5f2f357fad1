"""Recipes: settings of accelerate for a training on several GPUs, which the setting `launcher` names.

ddp.yaml          every GPU holds the whole training state
fsdp.yaml         weights, gradients and optimiser are sharded over all GPUs
deepspeed.yaml    ZeRO-3 with the optimiser in the machine's memory
"""

from pathlib import Path

FOLDER = Path(__file__).parent
"""Folder of the recipes. The processes of a launcher find it in the environment variable SRLM_RECIPES."""

RECIPES = {file.stem: file for file in sorted(FOLDER.glob("*.yaml"))}
"""File of each recipe by its name."""
