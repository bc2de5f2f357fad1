"""Going on inside a training: TRL's checkpoints with optimiser, schedule and random states, one kept at a time.

They lie in `training/` beside the model's checkpoint while it trains, and go when it has ended. transformers writes
`checkpoint-N`, which a kill can leave half written; what is whole is renamed to `step-N`, and only that is read again.
The states of optimiser and generators are torch's files, which transformers loads as plain tensors (weights_only); the
pickle of the arguments is removed. Imported late: it needs transformers.
"""

import shutil
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import TrainerCallback

from trainer.finetune.divergence import not_finite, stored
from trainer.finetune.trl_common import WHOLE, whole


def last_whole(folder: Path) -> Path | None:
    """The latest whole checkpoint whose weights are finite.

    All else in the folder is removed: halves, what was not removed in time, and what an earlier version wrote of a
    training that had diverged.
    """
    state = PartialState()
    if state.is_main_process and folder.exists():
        steps = [path for path in whole(folder).values() if not any(not_finite([one]) for one in stored(path))]
        for path in set(folder.iterdir()) - set(steps[-1:]):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    state.wait_for_everyone()
    left = list(whole(folder).values())
    return left[-1] if left else None


class Keep(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Gives a whole checkpoint its name, and removes those before it."""

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Nothing to go on from is needed after the last step: the model itself is written next."""
        control.should_save = control.should_save and state.global_step < state.max_steps

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """All processes have written their part when the main one renames the whole."""
        processes = PartialState()
        processes.wait_for_everyone()
        if processes.is_main_process:
            folder = Path(args.output_dir)
            written = folder / f"checkpoint-{state.global_step}"
            (written / "training_args.bin").unlink(missing_ok=True)
            before = list(whole(folder).values())
            written.rename(folder / f"{WHOLE}{state.global_step}")
            for path in before:
                shutil.rmtree(path)
        processes.wait_for_everyone()
