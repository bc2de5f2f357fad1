"""The rollouts of a training, written step by step, so that a killed training goes on with those of its checkpoint.

They are in `M2/rollouts.unfinished.jsonl` until the training has ended; then in `M2/rollouts.jsonl`, with the audit of
each step in `M2/audit.jsonl`. Steps after the checkpoint are dropped and written again: they come out the same.
"""

import json
import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from pydantic import TypeAdapter

from srlm.errors import TrainingFailed
from srlm.jsonl import write_records
from srlm.rollouts import Rollout, StepAudit
from trainer.rollouts.audit import audit_step

_ROLLOUT = TypeAdapter(Rollout)


def unfinished_file(folder: Path) -> Path:
    """Return the file of a training's rollouts so far; `folder` is the model's, such as RUN/M2."""
    return folder / "rollouts.unfinished.jsonl"


class RolloutFile:
    """The rollouts and the audits of the steps so far, in the first process."""

    def __init__(self, folder: Path, num_generations: int, since: int, answers: int) -> None:
        """Read the rollouts up to the step `since`, and drop those of later steps.

        Args:
            folder: of the model.
            num_generations: answers of a group.
            since: step of the checkpoint from which the training goes on; 0 for none.
            answers: number of rollouts up to that step.

        Raises:
            TrainingFailed: rollouts are missing.
        """
        self._folder, self._num_generations = folder, num_generations
        kept = [one for one in _read(unfinished_file(folder)) if one.step <= since]
        if len(kept) != answers:
            raise TrainingFailed(
                f"{unfinished_file(folder)} has {len(kept):,} rollouts up to step {since}, and {answers:,} were "
                f"written. Remove {folder / 'training'} to begin the training of {folder.name} again."
            )
        write_records(unfinished_file(folder), kept)
        self.rollouts = kept
        self.audits: list[StepAudit] = [
            audit_step(list(of_step), num_generations) for _, of_step in groupby(kept, key=lambda one: one.step)
        ]

    def add(self, rollouts: Sequence[Rollout]) -> StepAudit:
        """Write the rollouts of a step, so that they stay if the process is killed; return their audit."""
        with unfinished_file(self._folder).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(one, ensure_ascii=False, default=vars) + "\n" for one in rollouts)
            file.flush()
            os.fsync(file.fileno())
        self.rollouts += rollouts
        self.audits.append(audit_step(rollouts, self._num_generations))
        return self.audits[-1]

    def finish(self) -> None:
        """Write the files of the finished training. The unfinished one is left until the model is complete."""
        write_records(self._folder / "rollouts.jsonl", self.rollouts)
        write_records(self._folder / "audit.jsonl", self.audits)


def _read(path: Path) -> list[Rollout]:
    """Read the whole lines of the file: a kill may have cut the last one."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    return [_ROLLOUT.validate_json(line) for line in text[: text.rfind("\n") + 1].split("\n")[:-1]]
