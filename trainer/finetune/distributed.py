"""Several processes that train together: their number, and the dataset that they share."""

import os
import shutil
from pathlib import Path
from typing import Any

from trainer.finetune.checkpoints import shared_rows_dir


def world_size() -> int:
    """Return the number of processes that a launcher has started for this training; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


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
