"""Paths of a training: its checkpoints and snapshots, its reference log-probabilities, the rows of several processes.

Each path is derived from the folder of the final checkpoint, `RUN/M2/checkpoint`. A checkpoint of an intermediate step
has the name `step-N` once it is complete. Under any other name it may be half written and is never read.
"""

from pathlib import Path

COMPLETE_PREFIX = "step-"
"""First part of the name of a complete checkpoint; the rest is its optimiser step."""


def trainer_state_dir(folder: Path) -> Path:
    """Return the folder of the trainer's own checkpoints (weights, optimiser, random states)."""
    return folder.parent / "training"


def snapshot_dir(folder: Path) -> Path:
    """Return the folder of the model snapshots from which early stopping selects."""
    return folder.parent / "kept"


def reference_file(folder: Path) -> Path:
    """Return the file of DPO's reference log-probabilities, the stage `M2/reference` of the run."""
    return folder.parent / "reference.jsonl"


def shared_rows_dir(folder: Path) -> Path:
    """Return the folder of the tokenized rows for several processes. The process that launches them removes it."""
    return folder.parent / "rows"


def complete_checkpoint(folder: Path, step: int) -> Path:
    """Return the path of the complete checkpoint of an optimiser step in `folder`."""
    return folder / f"{COMPLETE_PREFIX}{step}"


def complete_checkpoints(folder: Path) -> dict[int, Path]:
    """Return the complete checkpoints in `folder` by optimiser step, in ascending order."""
    found = {int(path.name.removeprefix(COMPLETE_PREFIX)): path for path in folder.glob(f"{COMPLETE_PREFIX}*")}
    return dict(sorted(found.items()))
