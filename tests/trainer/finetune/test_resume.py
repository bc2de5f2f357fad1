"""A training that is interrupted and resumed ends with the weights of an uninterrupted one, to the last bit."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from srlm.console import Progress
from trainer.finetune.resume import last_complete
from trainer.finetune.sft import train_sft


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def losses(folder):
    lines = (folder.parent / "training.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry["loss"] for entry in map(json.loads, lines) if "loss" in entry]


def test_a_resumed_training_equals_an_uninterrupted_one(train, tmp_path):
    """Interrupted in the first epoch, at the end of an epoch, and inside later ones, which have another order."""
    whole, broken = tmp_path / "whole" / "checkpoint", tmp_path / "broken" / "checkpoint"
    assert train(whole) == list(range(1, 13))
    for at in (3, 5, 8, 11):
        train(broken, at)
        left = sorted(path.name for path in (broken.parent / "training").iterdir())
        assert left[-1] == f"step-{(at - 1) // 2 * 2}"
        assert [name for name in left if name.startswith("step-")] == left[-1:]
        assert not list(broken.parent.rglob("training_args.bin"))
    assert train(broken)[0] == 11
    assert weights(broken) == weights(whole)
    assert losses(broken) == losses(whole)
    for name in ("rollouts.jsonl", "audit.jsonl"):  # of GRPO, whose rewards are by the policy itself
        if (whole.parent / name).exists():
            assert (broken.parent / name).read_bytes() == (whole.parent / name).read_bytes()


@pytest.mark.parametrize("train", ["sft", "dpo"], indirect=True)
def test_a_half_written_checkpoint_is_not_read(train, tmp_path):
    whole, broken = tmp_path / "whole" / "checkpoint", tmp_path / "broken" / "checkpoint"
    train(whole, save_steps=0)
    assert not list((whole.parent / "training").glob("*-*"))
    train(broken, 5)
    half = broken.parent / "training" / "checkpoint-6"
    half.mkdir()
    (half / "trainer_state.json").write_text('{"global_st', encoding="utf-8")
    assert train(broken)[0] == 5
    assert weights(broken) == weights(whole)


@pytest.mark.parametrize("train", ["sft", "dpo"], indirect=True)
def test_a_training_can_be_resumed_with_a_smaller_micro_batch(train, tmp_path):
    folder = tmp_path / "broken" / "checkpoint"
    train(folder, 7)
    assert train(folder, per_device_train_batch_size=1) == list(range(7, 13))


@pytest.mark.parametrize("train", ["sft"], indirect=True)
def test_a_training_begins_again_where_another_launcher_wrote_its_checkpoint(train, tmp_path, monkeypatch):
    """Two processes, or FSDP: transformers would go on with a new optimiser, and say nothing."""
    said: list[str] = []
    monkeypatch.setattr(Progress, "say", lambda self, text: said.append(text))
    folder = tmp_path / "M1" / "checkpoint"
    train(folder, 5)
    step = folder.parent / "training" / "step-4"
    two, sharded = tmp_path / "two" / "step-4", tmp_path / "sharded" / "step-4"
    shutil.copytree(step, two)
    shutil.copy(two / "rng_state.pth", two / "rng_state_1.pth")
    shutil.copytree(step, sharded)
    (sharded / "optimizer.pt").rename(sharded / "optimizer.bin")
    for other in (two, sharded):
        assert last_complete(other.parent, "M1", Progress(quiet=True)) is None
        assert not other.exists()
    assert len([one for one in said if "the launcher is another one than that of step-4" in one]) == 2
    assert train(folder)[0] == 5


def test_a_checkpoint_with_weights_that_are_not_finite_is_not_resumed_from(sft_job, log):
    job = sft_job(save_steps=1)
    diverged = job.folder.parent / "training" / "step-1"
    diverged.mkdir(parents=True)
    save_file({"a": torch.ones(2), "b": torch.tensor([1.0, float("nan")])}, diverged / "model.safetensors")
    assert last_complete(diverged.parent, "M1", Progress(quiet=True)) is None
    assert not diverged.exists()
    train_sft(job, Progress(quiet=True))
    assert [entry["step"] for entry in log(job.folder)][:3] == [1, 2, 3]
