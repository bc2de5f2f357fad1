"""Run a training job: in this process, or in processes that a launcher starts.

A launcher is a command such as `accelerate launch --num_processes 8` or `torchrun --nproc-per-node 8`. It decides how
the training is distributed over GPUs and machines (DDP, FSDP, DeepSpeed); the trainers are TRL's in any case. Its
processes have ended when the next stage begins, so their memory is free for generation.
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
from trainer.finetune.checkpoints import shared_rows_dir
from trainer.finetune.job import JOB, DPOJob, SFTJob
from trainer.finetune.zero3 import refuse_lora_with_zero3

STEP_PREFIX, ERROR_PREFIX = "srlm step ", "srlm error "
"""Lines in which the first process reports its progress or its error to the parent, on standard output."""


def run_job(job: SFTJob | DPOJob, launcher: str | None, progress: Progress) -> None:
    """Train in this process, or through a launcher, and check that a complete model was written.

    Raises:
        Diverged: a loss, a gradient or a weight is not finite. Through a launcher this is a TrainingFailed.
        TrainingFailed: the launcher's processes ended with an error or wrote no model; their output is in the log file
            that the message names.
    """
    from trainer.finetune.stored_weights import model_weight_count

    expected = model_weight_count(job.start)
    if launcher is None:
        run_job_in_process(job, progress)
        require_weights(job, expected, "the training")
        return
    file = job.folder.parent / "job.json"
    write_json(file, JOB.dump_python(job, mode="json"))
    _launch(job, launcher, file, progress)
    require_weights(job, expected, f"the launcher {shlex.split(launcher)[0]}")
    file.unlink()
    shutil.rmtree(shared_rows_dir(job.folder), ignore_errors=True)


def run_job_in_process(job: SFTJob | DPOJob, progress: Progress) -> None:
    """Train in this process. Torch and TRL are imported only now.

    Raises:
        UsageError: the process is of DeepSpeed ZeRO-3, and the training has LoRA.
    """
    refuse_lora_with_zero3(job.config)
    if isinstance(job, SFTJob):
        from trainer.finetune.sft import train_sft

        train_sft(job, progress)
    else:
        from trainer.finetune.dpo import train_dpo

        train_dpo(job, progress)


def _launch(job: SFTJob | DPOJob, launcher: str, file: Path, progress: Progress) -> None:
    """Start the launcher with `trainer.worker` and the job's file, and follow its output to the end.

    Raises:
        UsageError: the launcher cannot be started.
        TrainingFailed: it ended with an error.
    """
    command = [*shlex.split(launcher), "-m", "trainer.worker", str(file)]
    log = _log_file(job)
    # Python would first look for modules in the current folder, which holds data and not code to run.
    environment = {**os.environ, "PATH": search_path(), "PYTHONSAFEPATH": "1"}
    error = None
    with log.open("w", encoding="utf-8") as output, progress.step(job.label, job.steps) as step:
        try:
            process = subprocess.Popen(  # noqa: S603 -- it is the command that the user configured
                command, stdout=subprocess.PIPE, stderr=output, text=True, env=environment
            )
        except OSError as failure:
            raise UsageError(f"launcher: {command[0]} cannot be started ({failure.strerror}).") from None
        with process:
            for line in process.stdout or ():
                if line.startswith(STEP_PREFIX):
                    step.advance(float(line.removeprefix(STEP_PREFIX)))
                elif line.startswith(ERROR_PREFIX):
                    error = json.loads(line.removeprefix(ERROR_PREFIX))
                else:
                    output.write(line)
    if process.returncode:
        raise TrainingFailed(error or f"{job.label}: the processes of {command[0]} ended with an error, see {log}.")


def require_weights(job: SFTJob | DPOJob, expected: int, trained_by: str) -> None:
    """Check that the job's folder holds all weights of a model.

    Args:
        job: the training that has ended.
        expected: the number of weights of its model.
        trained_by: the process that had to write them, for the message.

    Raises:
        TrainingFailed: there are none, or too few.
    """
    from trainer.finetune.stored_weights import stored_weight_count

    found = stored_weight_count(job.folder)
    if found < expected:
        log = _log_file(job)
        advice = (
            f" See {log} for its output. A launcher must run `-m trainer.worker` with the file that follows, as "
            "`accelerate launch` and `torchrun` do."
            if log.exists()
            else ""
        )
        raise TrainingFailed(
            f"{job.label}: {trained_by} ended without an error but wrote no complete model: {found:,} of "
            f"{expected:,} weights are in {job.folder}.{advice}"
        )


def require_launcher(launcher: str | None) -> None:
    """Check that a launcher's command exists, before anything is written.

    Raises:
        UsageError: it does not.
    """
    if launcher is not None and shutil.which(name := shlex.split(launcher)[0], path=search_path()) is None:
        raise UsageError(f"launcher: {name} cannot be started: no such command. Install it, or correct the setting.")


def search_path() -> str:
    """Return the PATH for launchers: they are installed next to this interpreter, which the PATH need not contain."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _log_file(job: SFTJob | DPOJob) -> Path:
    return job.folder.parent / "launch.log"
