"""Trainings of the tiny model: DPO that returns its losses, and trainings that end at a given step."""

from contextlib import nullcontext
from functools import partial

import pytest

from helpers.recipes import Interrupted, InterruptingProgress
from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.config.monitor import MonitorConfig
from srlm.config.preferences import JudgeConfig
from srlm.config.rewards import JUDGE_ALONE
from srlm.config.rollouts import GRPOConfig, RolloutsConfig
from srlm.console import Progress
from srlm.tasks.puzzle import PuzzleTask
from trainer.finetune.dpo import train_dpo
from trainer.finetune.grpo import train_grpo
from trainer.finetune.job import DPOJob, GRPOJob, SFTJob
from trainer.finetune.sft import train_sft
from trainer.rollouts.settings import CURRENT, RewardSettings

SETTINGS = {
    "batch_size": 4,
    "per_device_train_batch_size": 2,
    "epochs": 3,
    "learning_rate": 1e-3,
    "dropout": 0.2,  # so that the random states matter
    "gradient_checkpointing": False,
    "save_steps": 2,
}


def grpo_job_judged_by_itself(start, folder, **changes):
    """A job of twelve steps of GRPO: each answer serves two, and the policy judges it with its weights of the step."""
    settings = {name: value for name, value in SETTINGS.items() if name != "epochs"}
    config = {"steps": 12, "num_iterations": 2, "num_generations": 2, "max_completion_length": 8, **settings, **changes}
    rewards = RewardSettings(
        model="M2",
        ledger=folder.parent / "ledger.sqlite",
        rollouts=RolloutsConfig(),
        parts=JUDGE_ALONE,
        judge=JudgeConfig(rubric="brief", scoring="expected", least_mass=0),
        judge_model=CURRENT,
        judge_name="M1",
        external=False,
        monitor=MonitorConfig(),
        seed=3,
        batch_tokens=None,
        strict=False,
        max_cost=None,
        spent=0.0,
        max_connections=None,
        timeout=300.0,
    )
    problems = tuple(PuzzleTask().problems(5, 0, "train"))
    return GRPOJob(start, folder, problems, GRPOConfig(**config), rewards, "cpu", "float32", 3, "M2")


@pytest.fixture(scope="session")
def judged_by_itself():
    return grpo_job_judged_by_itself


@pytest.fixture(params=["sft", "dpo", "lora", "grpo"])
def train(request, tiny_model, perturbed_model, examples, pairs):
    """A function: train 12 steps (in 3 epochs) into a folder, up to the step `at`, and return the steps made."""

    def sft(folder, progress, **changes):
        config = SFTConfig(**{**SETTINGS, **changes})
        train_sft(SFTJob(tiny_model, folder, tuple(examples[:16]), config, "cpu", "float32", 3, "M1"), progress)

    def dpo(folder, progress, **changes):
        config = DPOConfig(**{**SETTINGS, "nll_coef": 0.1, "replay": 3, **changes})
        job = DPOJob(perturbed_model, folder, tuple(pairs), tuple(examples), config, "cpu", "float32", 3, "M2")
        train_dpo(job, progress)

    def grpo(folder, progress, **changes):
        if "epochs" in changes:
            changes["steps"] = round(changes.pop("epochs") * 4)
        train_grpo(grpo_job_judged_by_itself(perturbed_model, folder, **changes), progress)

    def run(folder, at=None, **changes):
        folder.mkdir(parents=True, exist_ok=True)
        progress = InterruptingProgress(at)
        trainings = {"sft": sft, "dpo": dpo, "lora": partial(dpo, lora={"rank": 2}), "grpo": grpo}
        with pytest.raises(Interrupted) if at else nullcontext():
            trainings[request.param](folder, progress, **changes)
        return progress.steps

    return run


@pytest.fixture
def dpo_losses(tmp_path, pairs, perturbed_model, log, plain):
    """A function: train M_t on the sixteen pairs, one step per epoch, and return its log."""

    def train(examples=(), consistency=1, **changes):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}" / "checkpoint"
        folder.mkdir(parents=True)
        config = DPOConfig(**{**plain, **changes})
        data = (tuple(pairs), tuple(examples), config)
        job = DPOJob(perturbed_model, folder, *data, "cpu", "float32", 7, "M2", consistency=consistency)
        train_dpo(job, Progress(quiet=True))
        return log(folder)

    return train


@pytest.fixture
def sft_job(tiny_model, examples, tmp_path, plain):
    """A function: the job of an SFT on sixteen examples, one step per epoch."""

    def make(**changes) -> SFTJob:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}" / "checkpoint"
        folder.mkdir(parents=True)
        config = SFTConfig(**{**plain, **changes})
        return SFTJob(tiny_model, folder, tuple(examples[:16]), config, "cpu", "float32", 3, "M1: tuning")

    return make
