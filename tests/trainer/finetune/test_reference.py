"""The reference log-probabilities of DPO: those of TRL, stored with the run, computed once, and by no second model."""

import json
import math
import shutil
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer
from trl.trainer import dpo_trainer
from trl.trainer.dpo_config import DPOConfig as Arguments
from trl.trainer.dpo_trainer import DPOTrainer

from srlm.config.finetune import DPOConfig
from srlm.console import Progress
from srlm.errors import DataError, Diverged
from trainer.finetune import reference
from trainer.finetune.checkpoints import reference_file
from trainer.finetune.dpo import train_dpo
from trainer.finetune.job import DPOJob

MAX_LENGTH = 20
"""Tokens. The prompt of some of the pairs is longer, and with their answers most are."""


class Interrupted(BaseException):
    """The end of a process at its first step."""


class Recorder(Progress):
    """Progress that records messages, and steps; it may end the training at one of them."""

    def __init__(self, stop_at=None):
        super().__init__(quiet=True)
        self.said, self.steps, self.stop_at = [], [], stop_at

    def say(self, text):
        self.said.append(text)

    def step(self, label, total):
        def update(step):
            self.steps.append(step)
            if step == self.stop_at:
                raise Interrupted

        return nullcontext(SimpleNamespace(update=update))


@pytest.fixture
def job(tmp_path, perturbed_model, pairs, plain):
    """A function: a DPO of three steps on sixteen pairs, with a checkpoint after each of them."""

    def make(name="M2", **changes):
        folder = tmp_path / name / "checkpoint"
        folder.mkdir(parents=True, exist_ok=True)
        config = DPOConfig(**{**plain, "save_steps": 1, "per_device_train_batch_size": 4, **changes})
        return DPOJob(perturbed_model, folder, tuple(pairs), (), config, "cpu", "float32", 7, f"{name}: DPO")

    return make


def stored(job) -> list[dict]:
    return [json.loads(line) for line in reference_file(job.folder).read_text(encoding="utf-8").splitlines()]


def weights(job) -> bytes:
    return (job.folder / "model.safetensors").read_bytes()


def by_trl(model, pairs, out) -> list[tuple[float, float]]:
    """Return what TRL's own trainer precomputes, from messages that it tokenizes itself."""
    rows = [
        {
            "prompt": [{"role": "user", "content": one.prompt}],
            "chosen": [{"role": "assistant", "content": one.chosen}],
            "rejected": [{"role": "assistant", "content": one.rejected}],
        }
        for one in pairs
    ]
    trainer = DPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        args=Arguments(
            output_dir=str(out),
            precompute_ref_log_probs=True,
            bf16=False,
            use_cpu=True,
            report_to=[],
            max_length=MAX_LENGTH,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(model),
    )
    columns = ("ref_chosen_logps", "ref_rejected_logps")
    return list(zip(*(trainer.train_dataset[column] for column in columns), strict=True))


@pytest.mark.parametrize("changes", [{}, {"lora": {"rank": 2}}], ids=["full", "lora"])
def test_they_are_those_of_trl(job, pairs, perturbed_model, tmp_path, changes):
    """Also with dropout, which the policy alone has, where answers are cut, and where a pair is left out."""
    progress = Recorder()
    one = job(max_length=MAX_LENGTH, dropout=0.5, epochs=1, **changes)
    train_dpo(one, progress)
    found = {line["pair_id"]: (line["chosen"], line["rejected"]) for line in stored(one)}
    assert 1 < len(found) < len(pairs)
    kept = [pair for pair in pairs if pair.id in found]
    assert list(found.values()) == [pytest.approx(two, abs=1e-4) for two in by_trl(perturbed_model, kept, tmp_path)]


def test_a_killed_training_reads_them_and_is_not_resumed_without_them(job, monkeypatch):
    """They are on the disk before the first step. No later process computes them: its weights are not the reference's.

    A training without them is one that an earlier version has begun.
    """
    whole, killed = job("whole"), job("killed")
    train_dpo(whole, Progress(quiet=True))
    with pytest.raises(Interrupted):
        train_dpo(killed, Recorder(stop_at=2))
    assert stored(killed) == stored(whole)
    older = replace(killed, folder=killed.folder.parent.with_name("older") / "checkpoint", label="older: DPO")
    shutil.copytree(killed.folder.parent, older.folder.parent)
    reference_file(older.folder).unlink()

    resumed = Recorder()
    with monkeypatch.context() as without:
        without.setattr(reference, "compute_reference", None)
        train_dpo(killed, resumed)
    assert resumed.steps == [2, 3]
    assert resumed.said == []
    assert weights(killed) == weights(whole)

    again = Recorder()
    train_dpo(older, again)
    assert again.steps == [1, 2, 3]
    file = reference_file(older.folder)
    assert again.said == [f"older: DPO: begins again at its first step, because {file} does not have its pairs."]
    assert stored(older) == stored(whole)
    assert weights(older) == weights(whole)


def test_those_of_other_pairs_are_not_taken_and_a_damaged_file_is_named(job):
    one = job()
    file = reference_file(one.folder)
    file.write_text('{"pair_id": "p99", "chosen": 1.0, "rejected": 2.0}\n', encoding="utf-8")
    train_dpo(one, Progress(quiet=True))
    assert [line["pair_id"] for line in stored(one)] == [f"p{number}" for number in range(16)]
    file.write_text('{"pair_id": "p0"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"reference\.jsonl"):
        train_dpo(one, Progress(quiet=True))


def test_values_that_are_not_finite_are_not_stored(job, monkeypatch):
    one = job()
    monkeypatch.setattr(reference, "compute_reference", lambda trainer, pairs: [[math.nan, 0.0]] * len(pairs))
    with pytest.raises(Diverged, match=r"of 16 pairs, 16 have an answer, such as one of p0, whose .* is not finite"):
        train_dpo(one, Progress(quiet=True))
    assert not reference_file(one.folder).exists()


@pytest.mark.parametrize("sharded", [False, True])
def test_no_second_model_is_loaded_and_no_weights_are_hashed(job, monkeypatch, log, sharded):
    """TRL loads a reference where FSDP is on, in every process, and hashes all weights in any case."""

    def never(*args, **rest):
        raise AssertionError("TRL has asked for a second model, or for a digest of this one")

    for name in ("create_model_from_path", "hash_module", "prepare_fsdp", "prepare_deepspeed"):
        monkeypatch.setattr(dpo_trainer, name, never)
    if sharded:
        original = Trainer.__init__

        def with_fsdp(self, *args, **rest):
            original(self, *args, **rest)
            self.is_fsdp_enabled = True  # as it is when TRL decides

        monkeypatch.setattr(Trainer, "__init__", with_fsdp)
        train = Trainer.train

        def without_fsdp(self, *args, **rest):
            self.is_fsdp_enabled = False
            return train(self, *args, **rest)

        monkeypatch.setattr(Trainer, "train", without_fsdp)
    one = job(epochs=1)
    train_dpo(one, Progress(quiet=True))
    assert log(one.folder)[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
