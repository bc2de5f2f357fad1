"""Trainings of the tiny model: DPO that returns its losses, and trainings that end at a given step."""

from contextlib import nullcontext
from functools import partial

import pytest

from helpers.recipes import Interrupted, InterruptingProgress
from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.console import Progress
from trainer.finetune.dpo import train_dpo
from trainer.finetune.job import DPOJob, SFTJob
from trainer.finetune.sft import train_sft

SETTINGS = {
    "batch_size": 4,
    "per_device_train_batch_size": 2,
    "epochs": 3,
    "learning_rate": 1e-3,
    "dropout": 0.2,  # so that the random states matter
    "gradient_checkpointing": False,
    "save_steps": 2,
}


@pytest.fixture(params=["sft", "dpo", "lora"])
def train(request, tiny_model, perturbed_model, examples, pairs):
    """A function: train 12 steps in 3 epochs into a folder, up to the step `at`, and return the steps made."""

    def sft(folder, progress, **changes):
        config = SFTConfig(**{**SETTINGS, **changes})
        train_sft(SFTJob(tiny_model, folder, tuple(examples[:16]), config, "cpu", "float32", 3, "M1"), progress)

    def dpo(folder, progress, **changes):
        config = DPOConfig(**{**SETTINGS, "nll_coef": 0.1, "replay": 3, **changes})
        job = DPOJob(perturbed_model, folder, tuple(pairs), tuple(examples), config, "cpu", "float32", 3, "M2")
        train_dpo(job, progress)

    def run(folder, at=None, **changes):
        folder.mkdir(parents=True, exist_ok=True)
        progress = InterruptingProgress(at)
        trainings = {"sft": sft, "dpo": dpo, "lora": partial(dpo, lora={"rank": 2})}
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
