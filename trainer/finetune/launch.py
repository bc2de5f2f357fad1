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

from srlm.console import Progress
from srlm.errors import TrainingFailed, UsageError
from srlm.jsonl import write_json
from trainer.finetune.job import JOB, Preference, Supervision
from trainer.finetune.trl_common import shared_rows

STEP, ERROR = "srlm step ", "srlm error "
"""How the first process tells its parent, on standard output, how far it is or what went wrong."""


def carry_out(job: Supervision | Preference, launcher: str | None, progress: Progress) -> None:
    """Train, here or through a launcher.

    Raises:
        Diverged: a loss, a gradient or a weight is not finite; said by a launcher's process, it is a TrainingFailed.
        TrainingFailed: the launcher's processes ended with an error, or left no model; their words are in a file that
            is named.
    """
    from trainer.finetune.divergence import model_numbers

    numbers = model_numbers(job.start)
    if launcher is None:
        carry_out_here(job, progress)
        require_weights(job, numbers, "the training")
        return
    file, log = job.folder.parent / "job.json", job.folder.parent / "launch.log"
    write_json(file, JOB.dump_python(job, mode="json"))
    command = [*shlex.split(launcher), "-m", "trainer.worker", str(file)]
    # Python would look for modules in the current folder first: what lies there is data, and not for running.
    surroundings = {**os.environ, "PATH": search_path(), "PYTHONSAFEPATH": "1"}
    error = None
    with log.open("w", encoding="utf-8") as words, progress.step(job.label, job.steps) as step:
        try:
            process = subprocess.Popen(  # noqa: S603 -- it is the command that the user configured
                command, stdout=subprocess.PIPE, stderr=words, text=True, env=surroundings
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
    require_weights(job, numbers, f"the launcher {command[0]}")
    file.unlink()
    shutil.rmtree(shared_rows(job.folder), ignore_errors=True)


def require_weights(job: Supervision | Preference, numbers: int, who: str) -> None:
    """Take a folder for a model only where it holds the weights of one.

    Args:
        job: the training that has ended.
        numbers: how many numbers its model is made of.
        who: what was to write them.

    Raises:
        TrainingFailed: there are none, or too few.
    """
    from trainer.finetune.divergence import stored_numbers

    found = stored_numbers(job.folder)
    if found < numbers:
        log = job.folder.parent / "launch.log"
        words = f"See {log} for what it said. It must start `-m trainer.worker` with the file that it is given, as "
        advice = f" {words}`accelerate launch` and `torchrun` do." if log.exists() else ""
        raise TrainingFailed(
            f"{job.label}: {who} ended without an error and has left no model: {found:,} of {numbers:,} weights are "
            f"in {job.folder}.{advice}"
        )


def search_path() -> str:
    """Where a launcher is looked for: it is installed beside this interpreter, which the PATH need not know."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def require_launcher(launcher: str | None) -> None:
    """Refuse a launcher that cannot be started, before anything is written.

    Raises:
        UsageError: its command is not there.
    """
    if launcher is not None and shutil.which(name := shlex.split(launcher)[0], path=search_path()) is None:
        raise UsageError(f"launcher: {name} cannot be started: there is no such command. Install it, or correct it.")


def carry_out_here(job: Supervision | Preference, progress: Progress) -> None:
    """Train in this process. Torch and TRL are imported with the trainers, so not before there is work for them."""
    if isinstance(job, Supervision):
        from trainer.finetune.sft import supervised

        supervised(job, progress)
    else:
        from trainer.finetune.dpo import prefer

        prefer(job, progress)
