"""A training as data, carried out in this process or by processes that a launcher starts.

A launcher is a command such as `accelerate launch --num_processes 8` or `torchrun --nproc-per-node 8`: how training is
spread over GPUs and machines (DDP, FSDP, DeepSpeed) is theirs to say, and the trainers are TRL's in any case. Its
processes have ended when the next stage begins, so that generation finds the memory empty.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from srlm.config import DPOConfig, SFTConfig
from srlm.display import Progress
from srlm.errors import TrainingFailed, UsageError
from srlm.records import write_json
from srlm.types import PreferencePair
from trainer.examples import Example
from trainer.tuning import optimiser_steps, shared_rows


@dataclass(frozen=True)
class Supervision:
    """Supervised tuning of the checkpoint `start` on examples; the result goes to `folder`."""

    start: Path
    folder: Path
    examples: tuple[Example, ...]
    config: SFTConfig
    device: str
    dtype: str
    seed: int
    label: str
    kind: Literal["sft"] = field(default="sft", kw_only=True)

    @property
    def steps(self) -> int:
        """Optimiser steps, if no example is too long."""
        return optimiser_steps(len(self.examples), self.config)

    def run(self, progress: Progress) -> None:
        """Carry it out, in this process."""
        from trainer.sft import supervised

        supervised(
            self.start,
            self.examples,
            self.config,
            self.folder,
            device=self.device,
            dtype=self.dtype,
            seed=self.seed,
            progress=progress,
            label=self.label,
        )


@dataclass(frozen=True)
class Preference:
    """Preference tuning of the checkpoint `start` on pairs, with examples to replay; the result goes to `folder`.

    `consistency` is the weight of the pairs as they are, where labels are smoothed by agreement.
    """

    start: Path
    folder: Path
    pairs: tuple[PreferencePair, ...]
    replay: tuple[Example, ...]
    config: DPOConfig
    device: str
    dtype: str
    seed: int
    label: str
    consistency: float = field(default=1, kw_only=True)
    kind: Literal["dpo"] = field(default="dpo", kw_only=True)

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        return optimiser_steps(len(self.pairs), self.config)

    def run(self, progress: Progress) -> None:
        """Carry it out, in this process."""
        from trainer.dpo import prefer

        prefer(
            self.start,
            self.pairs,
            self.config,
            self.folder,
            replay=self.replay,
            device=self.device,
            dtype=self.dtype,
            seed=self.seed,
            progress=progress,
            label=self.label,
            consistency=self.consistency,
        )


Job = Annotated[Supervision | Preference, Field(discriminator="kind")]
JOB: TypeAdapter[Supervision | Preference] = TypeAdapter(Job)

STEP, ERROR = "srlm step ", "srlm error "
"""How the first process tells its parent, on standard output, how far it is or what went wrong."""


def carry_out(job: Supervision | Preference, launcher: str | None, progress: Progress) -> None:
    """Train, here or through a launcher.

    Raises:
        TrainingFailed: the launcher's processes ended with an error; their words are in a file that is named.
    """
    if launcher is None:
        job.run(progress)
        return
    file, log = job.folder.parent / "job.json", job.folder.parent / "launch.log"
    write_json(file, JOB.dump_python(job, mode="json"))
    command = [*shlex.split(launcher), "-m", "trainer.worker", str(file)]
    # Launchers are installed beside this interpreter, which need not be the one that the PATH knows.
    place = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    error = None
    with log.open("w", encoding="utf-8") as words, progress.step(job.label, job.steps) as step:
        try:
            process = subprocess.Popen(  # noqa: S603 -- it is the command that the user configured
                command, stdout=subprocess.PIPE, stderr=words, text=True, env={**os.environ, "PATH": place}
            )
        except OSError as failure:
            raise UsageError(f"launcher: {command[0]} cannot be started ({failure.strerror}).") from None
        with process:
            for line in process.stdout or ():
                if line.startswith(STEP):
                    step.advance(float(line.removeprefix(STEP)))
                elif line.startswith(ERROR):
                    error = json.loads(line.removeprefix(ERROR))
                else:
                    words.write(line)
    if process.returncode:
        raise TrainingFailed(error or f"{job.label}: the processes of {command[0]} ended with an error, see {log}.")
    file.unlink()
    shutil.rmtree(shared_rows(job.folder), ignore_errors=True)
