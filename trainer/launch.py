"""A training carried out, in this process or by processes that a launcher starts.

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
from pathlib import Path

from srlm.display import Progress
from srlm.errors import TrainingFailed, UsageError
from srlm.records import write_json
from trainer.job import JOB, Preference, Supervision
from trainer.tuning import shared_rows

STEP, ERROR = "srlm step ", "srlm error "
"""How the first process tells its parent, on standard output, how far it is or what went wrong."""


def carry_out(job: Supervision | Preference, launcher: str | None, progress: Progress) -> None:
    """Train, here or through a launcher.

    Raises:
        TrainingFailed: the launcher's processes ended with an error; their words are in a file that is named.
    """
    if launcher is None:
        carry_out_here(job, progress)
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


def carry_out_here(job: Supervision | Preference, progress: Progress) -> None:
    """Train in this process. Torch and TRL are imported with the trainers, so not before there is work for them."""
    if isinstance(job, Supervision):
        from trainer.sft import supervised

        supervised(job, progress)
    else:
        from trainer.dpo import prefer

        prefer(job, progress)
