"""Run a training job: in this process, or in processes that a launcher starts (`trainer/finetune/launcher.py`).

The launcher decides how the training is distributed over GPUs and machines (DDP, FSDP, DeepSpeed); the trainers are
TRL's in any case. Its processes have ended when the next stage begins, so their memory is free for generation.
"""

import json
import os
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

from srlm.console import Progress
from srlm.engines.open import public_name
from srlm.errors import TrainingFailed, UsageError, error_of_process
from srlm.jsonl import write_json
from trainer.finetune.checkpoints import shared_rows_dir
from trainer.finetune.distributed import world_size
from trainer.finetune.job import JOB, DPOJob, GRPOJob, Job, SFTJob
from trainer.finetune.launcher import Launcher, choose_launcher, search_path
from trainer.finetune.micro_batch import retry_with_smaller_micro_batch
from trainer.finetune.zero3 import refuse_lora_with_zero3

STEP_PREFIX, SAY_PREFIX, ERROR_PREFIX = "srlm step ", "srlm say ", "srlm error "
"""Lines in which the first process reports to the parent, on standard output: its progress, a message for the user, the
class and the message of its error."""

JUDGE_VARIABLE = "SRLM_ROLLOUT_JUDGE"
"""Environment variable of the judge of rollouts: an address may have a password, which no file of a run has."""


def run_job(job: Job, launcher: str | None, progress: Progress) -> None:
    """Train in this process, or in others, and check that a complete model was written.

    Args:
        job: the training.
        launcher: the setting `launcher`.
        progress: what the training reports to.

    Raises:
        Diverged: a loss, a gradient or a weight is not finite.
        TrainingFailed: the launcher's processes ended with an error or wrote no model; their output is in the log file
            that the message names.
        SrlmError: the error of the first process, where that has one for the user.
    """
    from trainer.finetune.stored_weights import model_weight_count

    expected = model_weight_count(job.start)
    chosen = choose_launcher(launcher, job.device, job.config.batch_size)
    if chosen is None:
        run_job_in_process(job, progress)
        require_weights(job, expected, "the training")
        return
    if chosen.note:
        progress.say(f"{job.label}: {chosen.note}")
    file = job.folder.parent / "job.json"
    write_json(file, JOB.dump_python(_without_secrets(replace(job, device=chosen.device)), mode="json"))
    retry_with_smaller_micro_batch(job, lambda: _launch(job, chosen, file, progress), progress.say)
    require_weights(job, expected, f"the launcher {chosen.name}")
    file.unlink()
    shutil.rmtree(shared_rows_dir(job.folder), ignore_errors=True)


def read_job(file: Path) -> Job:
    """Read the job of a file, in a process that a launcher has started."""
    job = JOB.validate_json(file.read_bytes())
    if isinstance(job, GRPOJob):
        judge = os.environ.get(JUDGE_VARIABLE, job.rewards.judge_model)
        return replace(job, rewards=replace(job.rewards, judge_model=judge))
    return job


def _without_secrets(job: Job) -> Job:
    """Return the job without the password of an address."""
    if not isinstance(job, GRPOJob):
        return job
    rewards = job.rewards
    named = rewards.rollouts.model_copy(update={"judged_by": public_name(rewards.rollouts.judged_by)})
    return replace(job, rewards=replace(rewards, judge_model=public_name(rewards.judge_model), rollouts=named))


def run_job_in_process(job: Job, progress: Progress) -> None:
    """Train in this process. Torch and TRL are imported only now.

    Raises:
        UsageError: this process is alone and sees several GPUs; or it is one of DeepSpeed ZeRO-3, and the training has
            LoRA.
    """
    _require_one_gpu(job.device)
    refuse_lora_with_zero3(job.config)
    if isinstance(job, SFTJob):
        from trainer.finetune.sft import train_sft

        train_sft(job, progress)
    elif isinstance(job, DPOJob):
        from trainer.finetune.dpo import train_dpo

        train_dpo(job, progress)
    else:
        from trainer.finetune.grpo import train_grpo

        train_grpo(job, progress)


def _require_one_gpu(device: str) -> None:
    """Check that one process does not see several GPUs: transformers would use DataParallel, which TRL refuses.

    Raises:
        UsageError: it does.
    """
    import torch

    from srlm.engines.device import pick_device

    seen = torch.cuda.device_count() if pick_device(device).startswith("cuda") else 1
    if seen > 1 and world_size() == 1:
        raise UsageError(
            f"One process cannot train on the {seen} GPUs that it sees. Set launcher=null, which starts a process for "
            "each; or a launcher that does, such as ddp or fsdp; or choose one GPU, such as device=cuda:0"
        )


def _launch(job: Job, launcher: Launcher, file: Path, progress: Progress) -> None:
    """Start the launcher with `trainer.worker` and the job's file, and follow its output to the end.

    Raises:
        UsageError: the launcher cannot be started.
        TrainingFailed: it ended with an error.
        SrlmError: likewise, and the first process had a message for the user.
    """
    command = [*launcher.words, "-m", "trainer.worker", str(file)]
    log = _log_file(job)
    # Python would first look for modules in the current folder, which holds data and not code to run.
    environment = {**os.environ, **launcher.environment, "PATH": search_path(), "PYTHONSAFEPATH": "1"}
    if isinstance(job, GRPOJob):
        environment[JUDGE_VARIABLE] = job.rewards.judge_model
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
                elif line.startswith(SAY_PREFIX):
                    progress.say(json.loads(line.removeprefix(SAY_PREFIX)))
                elif line.startswith(ERROR_PREFIX):
                    error = error_of_process(*json.loads(line.removeprefix(ERROR_PREFIX)))
                else:
                    output.write(line)
    if process.returncode:
        raise error or TrainingFailed(
            f"{job.label}: the processes of {launcher.name} {_ending(process.returncode)}, see {log}."
        )


def _ending(status: int) -> str:
    if status == -signal.SIGKILL:
        return "were killed, as the system does when its memory is used up"
    return f"were ended by signal {-status}" if status < 0 else "ended with an error"


def require_weights(job: Job, expected: int, trained_by: str) -> None:
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


def _log_file(job: Job) -> Path:
    return job.folder.parent / "launch.log"
