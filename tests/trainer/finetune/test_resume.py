"""A training that is stopped and started again ends with the weights of one that never was, to the last bit."""

import json
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from transformers import AutoConfig

from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.console import Progress, Step
from srlm.errors import ModelError, NoDiskSpace, OutOfMemory
from trainer.finetune.dpo import prefer
from trainer.finetune.job import Preference, Supervision
from trainer.finetune.sft import supervised
from trainer.finetune.trl_common import dropouts

SETTINGS = {
    "batch_size": 4,
    "per_device_train_batch_size": 2,
    "epochs": 3,
    "learning_rate": 1e-3,
    "dropout": 0.2,  # what it draws must go on, too
    "gradient_checkpointing": False,
    "save_steps": 2,
}


class Killed(BaseException):
    """Stands for a signal."""


class Deadly(Progress):
    """Ends the training at an optimiser step."""

    def __init__(self, at: int | None) -> None:
        super().__init__(quiet=True)
        self.at = at
        self.steps: list[int] = []

    @contextmanager
    def step(self, label, total):
        def advance(count):
            self.steps.append(round(step.done))
            if self.steps[-1] == self.at:
                raise Killed

        step = Step(advance)
        yield step


@pytest.fixture(params=["sft", "dpo", "lora"])
def train(request, tiny_model, moved_model, examples, pairs):
    """Trains 12 steps in 3 epochs into a folder, and returns the steps that were made."""

    def sft(folder, progress, **changes):
        config = SFTConfig(**{**SETTINGS, **changes})
        supervised(Supervision(tiny_model, folder, tuple(examples[:16]), config, "cpu", "float32", 3, "M1"), progress)

    def dpo(folder, progress, **changes):
        config = DPOConfig(**{**SETTINGS, "nll_coef": 0.1, "replay": 3, **changes})
        job = Preference(moved_model, folder, tuple(pairs), tuple(examples), config, "cpu", "float32", 3, "M2")
        prefer(job, progress)

    def run(folder, at=None, **changes):
        folder.mkdir(parents=True, exist_ok=True)
        progress = Deadly(at)
        trainings = {"sft": sft, "dpo": dpo, "lora": partial(dpo, lora={"rank": 2})}
        trainings[request.param](folder, progress, **changes)
        return progress.steps

    return run


def kill(train, folder, at):
    with pytest.raises(Killed):
        train(folder, at)


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def losses(folder):
    lines = (folder.parent / "training.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry["loss"] for entry in map(json.loads, lines) if "loss" in entry]


def test_stopped_in_the_middle_is_never_stopped(train, tmp_path):
    """In the first epoch, at an epoch's end, and inside a later one, where the order of the data is another."""
    whole, broken = tmp_path / "whole" / "checkpoint", tmp_path / "broken" / "checkpoint"
    assert train(whole) == list(range(1, 13))
    for at in (3, 5, 8, 11):
        kill(train, broken, at)
        left = sorted(path.name for path in (broken.parent / "training").iterdir())
        assert left[-1] == f"step-{(at - 1) // 2 * 2}"
        assert [name for name in left if name.startswith("step-")] == left[-1:]
        assert not list(broken.parent.rglob("training_args.bin"))
    assert train(broken)[0] == 11
    assert weights(broken) == weights(whole)
    assert losses(broken) == losses(whole)


@pytest.mark.parametrize("train", ["sft", "dpo"], indirect=True)
def test_a_checkpoint_that_is_half_written_is_not_read(train, tmp_path):
    whole, broken = tmp_path / "whole" / "checkpoint", tmp_path / "broken" / "checkpoint"
    train(whole, save_steps=0)
    assert not list((whole.parent / "training").glob("*-*"))
    kill(train, broken, 5)
    half = broken.parent / "training" / "checkpoint-6"
    half.mkdir()
    (half / "trainer_state.json").write_text('{"global_st', encoding="utf-8")
    assert train(broken)[0] == 5
    assert weights(broken) == weights(whole)


@pytest.mark.parametrize("train", ["sft", "dpo"], indirect=True)
def test_a_smaller_micro_batch_goes_on_in_the_same_training(train, tmp_path):
    folder = tmp_path / "broken" / "checkpoint"
    kill(train, folder, 7)
    assert train(folder, per_device_train_batch_size=1) == list(range(7, 13))


@pytest.mark.parametrize("train", ["sft"], indirect=True)
@pytest.mark.parametrize(
    ("broken", "expected", "words"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
            OutOfMemory,
            "per_device_train_batch_size=1",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemory, "per_device_train_batch_size = 2"),
        (OSError(28, "No space left on device"), NoDiskSpace, "save_steps=0"),
        (RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/0"), NoDiskSpace, "Make room"),
    ],
)
def test_the_machines_end_is_one_message_and_nothing_is_lost(train, tmp_path, monkeypatch, broken, expected, words):
    whole, folder = tmp_path / "whole" / "checkpoint", tmp_path / "broken" / "checkpoint"
    train(whole)
    written = []
    save = torch.save

    def breaking(states, path, **rest):
        written.append(path)
        if len(written) == 6:  # the second checkpoint's optimiser; each has four such files
            raise broken
        save(states, path, **rest)

    monkeypatch.setattr(torch, "save", breaking)
    with pytest.raises(expected, match=words) as error:
        train(folder)
    assert "\n" not in str(error.value)
    monkeypatch.undo()
    assert train(folder)[0] == 3
    assert weights(folder) == weights(whole)


def test_an_architecture_without_dropout_is_told_so(tmp_path):
    AutoConfig.for_model("mamba", hidden_size=8, num_hidden_layers=1).save_pretrained(tmp_path)
    assert dropouts(tmp_path, 0) == []
    with pytest.raises(ModelError, match=r"--set sft.dropout=0 --set dpo.dropout=0"):
        dropouts(tmp_path, 0.1)
