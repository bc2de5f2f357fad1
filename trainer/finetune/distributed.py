"""Several processes that train together: their number, and the dataset that they share."""

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

from srlm.engines.device import pick_device
from trainer.finetune.checkpoints import shared_rows_dir
from trainer.finetune.launcher_settings import uses_deepspeed, uses_fsdp

COLLECTIVE_TIMEOUT_S = 3 * 3600
"""Seconds that the processes wait for each other, also while the first one writes a checkpoint: for 70 billion
parameters 840 GB with the optimiser, which three hours allow at 0.08 GB/s and torch's 30 minutes only at 0.47."""


def world_size() -> int:
    """Return the number of processes that a launcher has started for this training; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def process_group() -> Any:
    """Return accelerate's state of the processes, for what they agree on before there are TRL's arguments.

    The first `PartialState` of a process decides how long all collectives wait: `COLLECTIVE_TIMEOUT_S`.
    """
    from accelerate import PartialState

    return PartialState(timeout=timedelta(seconds=COLLECTIVE_TIMEOUT_S))


def own_device(device: str) -> str:
    """Return the device to which this process loads a model: the CPU where FSDP or DeepSpeed then moves its weights.

    With several processes a GPU is that of this process's number on its machine, as in accelerate.
    """
    if uses_fsdp() or uses_deepspeed():
        return "cpu"
    place = pick_device(device)
    if world_size() == 1:
        return place
    if not place.startswith("cuda"):
        return "cpu"
    import torch

    return f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % torch.cuda.device_count()}"


def shared_dataset(rows: list[dict[str, Any]], folder: Path) -> Any:
    """Return the rows as a `datasets.Dataset`.

    With several processes the first one writes the rows to disk and all read them from there: TRL prepares them in the
    first process, for all, and caches the result in a file next to them.

    Args:
        rows: tokenized examples or pairs.
        folder: the folder of the final checkpoint.
    """
    from accelerate import PartialState
    from datasets import Dataset, load_from_disk

    dataset = Dataset.from_list(rows)
    if world_size() == 1:
        return dataset
    place, state = shared_rows_dir(folder), PartialState()
    if state.is_main_process:
        shutil.rmtree(place, ignore_errors=True)
        dataset.save_to_disk(str(place))
    state.wait_for_everyone()
    return load_from_disk(str(place))
