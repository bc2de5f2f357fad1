"""A training in several processes that is killed and resumed ends with the weights of an uninterrupted one.

SFT runs with DDP, and DPO with FSDP2 by the shipped recipe. The kills are real: SIGKILL from outside, as soon as a
checkpoint of the training exists.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.recipes import __file__ as RECIPE
from srlm.config.finetune import DPOConfig, SFTConfig
from trainer.finetune.job import JOB, DPOJob, SFTJob
from trainer.finetune.recipes import RECIPES

pytestmark = pytest.mark.slow

TIMEOUT_SECONDS = 600
SETTINGS = {"batch_size": 8, "per_device_train_batch_size": 2, "epochs": 10, "learning_rate": 1e-3, "save_steps": 4}
PARENT = """
import sys
from pathlib import Path
from srlm.console import Progress
from trainer.finetune.job import JOB
from trainer.finetune.launch import run_job
job = JOB.validate_json(Path(sys.argv[1]).read_bytes())
run_job(job, sys.argv[2], Progress(quiet=True))
"""
LAUNCHERS = {
    "sft": "torchrun --standalone --nproc-per-node 2",
    "dpo": f"accelerate launch --config_file {RECIPES['fsdp']} --num_processes 2 --main_process_port 0 {RECIPE}",
}


@pytest.fixture(params=["sft", "dpo"])
def job(request, tiny_model, perturbed_model, examples, pairs, tmp_path):
    """A function: a job of 20 updates or more, with dropout, so that the random states of both processes matter."""

    def make(name: str) -> SFTJob | DPOJob:
        folder = tmp_path / name / "checkpoint"
        folder.mkdir(parents=True)
        if request.param == "sft":
            config = SFTConfig(**SETTINGS)
            return SFTJob(tiny_model, folder, tuple(examples), config, "cpu", "float32", 7, name)
        config = DPOConfig(**SETTINGS, nll_coef=0.2, replay=5)
        return DPOJob(perturbed_model, folder, tuple(pairs), tuple(examples), config, "cpu", "float32", 7, name)

    return make


def start(job: SFTJob | DPOJob) -> subprocess.Popen[str]:
    """Start the process that starts the launcher, in a process group of its own."""
    file = job.folder.parent / "given.json"
    file.write_bytes(JOB.dump_json(job))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PARENT, str(file), LAUNCHERS[job.kind]]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def finish(job: SFTJob | DPOJob) -> None:
    process = start(job)
    try:
        _, err = process.communicate(timeout=TIMEOUT_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, err


def kill_inside(job: SFTJob | DPOJob, kill) -> list[str]:
    """Kill the training when it has written a new checkpoint; return the names of those that it leaves."""
    training = job.folder.parent / "training"
    before = set(training.glob("step-*"))
    process = start(job)
    try:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while process.poll() is None and time.monotonic() < deadline and not set(training.glob("step-*")) - before:
            time.sleep(0.001)
    finally:
        kill(process.pid)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not (job.folder / "model.safetensors").exists()
    return sorted(path.name for path in training.glob("step-*"))


def kill_group(pid: int) -> None:
    """Kill the process and the launcher. The workers have sessions of their own, and must end by themselves."""
    os.killpg(pid, signal.SIGKILL)


def kill_first(pid: int) -> None:
    """Kill the process alone, as the out-of-memory killer does: the launcher must end, too."""
    os.kill(pid, signal.SIGKILL)


def weights(job: SFTJob | DPOJob) -> bytes:
    return (job.folder / "model.safetensors").read_bytes()


def random_states(state: Path) -> int:
    return len(list(state.glob("rng_state_*.pth")))


def test_a_killed_training_is_resumed_to_the_same_weights(job, log):
    whole, broken = job("whole"), job("broken")
    finish(whole)
    (first,) = kill_inside(broken, kill_group)
    assert random_states(broken.folder.parent / "training" / first) == 2
    second = kill_inside(broken, kill_first)[-1]
    assert 0 < int(first.removeprefix("step-")) < int(second.removeprefix("step-")) < whole.steps
    finish(broken)
    assert weights(broken) == weights(whole)
    assert [entry["loss"] for entry in log(broken.folder)] == [entry["loss"] for entry in log(whole.folder)]
    assert len(log(whole.folder)) == whole.steps
