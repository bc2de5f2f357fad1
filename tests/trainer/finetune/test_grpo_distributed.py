"""GRPO in two processes (DDP, gloo) equals one, given the same answers: the policy of each judges its own share."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import helpers.given_answers
from helpers.given_answers import given_answers
from srlm.console import Progress
from srlm.jsonl import parse_lines
from srlm.rollouts import Rollout
from trainer.finetune.grpo import train_grpo
from trainer.finetune.job import JOB

pytestmark = pytest.mark.slow

SETTINGS = {"steps": 4, "batch_size": 8, "num_generations": 4, "num_iterations": 1, "dropout": 0}


@pytest.fixture
def job(judged_by_itself, perturbed_model, tmp_path):
    """A function: the job of that name, whose groups are spread over processes where it has two."""

    def make(name):
        folder = tmp_path / name / "checkpoint"
        folder.mkdir(parents=True)
        return judged_by_itself(perturbed_model, folder, **SETTINGS)

    return make


def in_two_processes(job):
    file = job.folder.parent / "job.json"
    file.write_bytes(JOB.dump_json(job))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, helpers.given_answers.__file__, str(file)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_two_processes_equal_one(job, log):
    alone, two = job("alone"), job("two")
    with given_answers():
        train_grpo(alone, Progress(quiet=True))
    ended = in_two_processes(two)
    assert ended.returncode == 0, ended.stderr
    for name in ("loss", "grad_norm", "reward", "audit/mean_reward", "completions/clipped_ratio"):
        curves = [[entry[name] for entry in log(one.folder)] for one in (alone, two)]
        assert curves[1] == pytest.approx(curves[0], rel=1e-4, abs=1e-6), name
    one, other = (parse_lines(made.folder.parent / "rollouts.jsonl", Rollout) for made in (alone, two))
    # Calls are others: with another number of processes weights follow from other answers, but for those given here.
    assert [replace(made, reward=None, calls=()) for made in one] == [
        replace(made, reward=None, calls=()) for made in other
    ]
    assert all(len(made.calls) == 1 for made in (*one, *other))
    assert [made.reward for made in one] == pytest.approx([made.reward for made in other], abs=1e-4)
    weights, others = (load_file(made.folder / "model.safetensors") for made in (alone, two))
    for name, tensor in weights.items():
        # AdamW divides by the gradient's size: where it is nearly 0 rounding decides a part of a step of 1e-3.
        torch.testing.assert_close(others[name], tensor, rtol=1e-4, atol=1e-4)
        assert (others[name] - tensor).abs().mean() < 1e-6, name


def test_answers_without_rewards_end_both_processes(job):
    """The first one would wait for it for hours."""
    broken = job("broken")
    rewards = replace(broken.rewards, judge=broken.rewards.judge.model_copy(update={"least_mass": 1.0}))
    ended = in_two_processes(replace(broken, rewards=rewards))
    assert ended.returncode != 0
    assert "have no reward" in ended.stdout
    assert not Path(broken.folder / "model.safetensors").exists()
