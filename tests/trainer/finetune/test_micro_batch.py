"""Micro-batches found from memory: fixed on a processor, halved after an out-of-memory error with nothing lost."""

import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import accelerate
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, Trainer

from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.console import Progress
from srlm.errors import Diverged, OutOfMemory
from trainer.finetune import micro_batch
from trainer.finetune.distributed import COLLECTIVE_TIMEOUT_S
from trainer.finetune.dpo import _longest, train_dpo
from trainer.finetune.job import DPOJob
from trainer.finetune.launch import run_job_in_process
from trainer.finetune.micro_batch import (
    micro_batch_size,
    next_smaller,
    record_smaller,
    recorded_limit,
    reference_batch_size,
    retry_with_smaller_micro_batch,
)
from trainer.finetune.replay import Replay
from trainer.finetune.tokenize import Tokens

QUIET = Progress(quiet=True)


@pytest.fixture
def gpu(monkeypatch):
    """A function: pretend that trainings are on a GPU with so many bytes."""
    return lambda memory: monkeypatch.setattr(micro_batch, "device_memory", lambda device: memory)


@pytest.fixture
def model(tiny_model):
    return AutoModelForCausalLM.from_pretrained(tiny_model)


def dpo_job(folder, **changes):
    return DPOJob(folder, folder / "checkpoint", (), (), DPOConfig(**changes), "cpu", "float32", 3, "M2")


def test_on_a_processor_it_is_a_fixed_number(sft_job, tmp_path, model):
    assert SFTConfig().per_device_train_batch_size == DPOConfig().per_device_train_batch_size == "auto"
    automatic = sft_job(per_device_train_batch_size="auto", batch_size=16)
    assert micro_batch_size(automatic, 16, model, 100) == 8
    assert micro_batch_size(automatic, 12, model, 100) == 6
    assert micro_batch_size(dpo_job(tmp_path), 16, model, 100) == 4
    record_smaller(automatic, 8, 16)
    assert recorded_limit(automatic) is None


def test_on_a_gpu_it_is_what_fits_and_a_given_number_stays(sft_job, tmp_path, model, gpu):
    gpu(1e12)
    assert micro_batch_size(sft_job(per_device_train_batch_size="auto"), 16, model, 100) == 16
    assert micro_batch_size(dpo_job(tmp_path), 15, model, 100) == 15
    assert micro_batch_size(sft_job(per_device_train_batch_size=4), 16, model, 100) == 4
    gpu(3e9)  # two of which are not for tensors
    sizes = [micro_batch_size(dpo_job(tmp_path), 16, model, tokens) for tokens in (10**4, 10**5, 10**6)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1] == 1


def test_without_known_sizes_it_is_the_fixed_number(sft_job, model, gpu, monkeypatch):
    gpu(1e12)
    monkeypatch.setattr(micro_batch, "model_shape", lambda *_: None)
    assert micro_batch_size(sft_job(per_device_train_batch_size="auto"), 16, model, 100) == 8


def test_the_reference_reads_more_pairs_at_once_on_a_gpu_alone(tmp_path, gpu):
    assert reference_batch_size(dpo_job(tmp_path), 4) is None
    gpu(1e12)
    assert reference_batch_size(dpo_job(tmp_path), 4) == 16
    assert reference_batch_size(dpo_job(tmp_path, per_device_train_batch_size=4), 4) is None


def test_ddp_has_one_copy_of_the_gradients(sft_job, monkeypatch):
    found = []
    monkeypatch.setattr(Trainer, "train", lambda self, **_: found.append(self.accelerator.ddp_handler.to_kwargs()))
    monkeypatch.setattr("trainer.finetune.sft.save_checkpoint", lambda *_: None)
    run_job_in_process(sft_job(), QUIET)
    assert found[0]["gradient_as_bucket_view"] is True


def test_half_divides_the_share():
    assert [next_smaller(16, 16), next_smaller(12, 12), next_smaller(3, 12), next_smaller(5, 15)] == [8, 6, 1, 1]


def test_the_longest_pair_counts_both_sides_and_its_part_of_the_replay(tmp_path):
    pairs = [{"prompt_ids": [1] * 5, "chosen_ids": [1] * 7, "rejected_ids": [1] * 9}, {"prompt_ids": [1] * 20} | {}]
    pairs[1] |= {"chosen_ids": [1] * 40, "rejected_ids": [1]}
    assert _longest(pairs, None, dpo_job(tmp_path)) == 2 * 60
    assert _longest(pairs, None, dpo_job(tmp_path, max_length=50)) == 2 * 50
    replay = Replay([Tokens((1,) * 10, (1,) * 22)], 8, 0)
    assert _longest(pairs, replay, dpo_job(tmp_path, batch_size=16)) == 2 * 60 + 8 * 32 / 16


def no_memory_for(rows, monkeypatch, from_step=0):
    """Let a training step with more than `rows` examples fail, as a GPU does."""
    step = Trainer.training_step
    sizes = []

    def limited(self, model, inputs, *rest):
        size = len(inputs["input_ids"]) // (2 if "ref_chosen_logps" in inputs else 1)
        sizes.append(size)
        if size > rows and self.state.global_step >= from_step:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return step(self, model, inputs, *rest)

    monkeypatch.setattr(Trainer, "training_step", limited)
    return sizes


def weights(job):
    return (job.folder / "model.safetensors").read_bytes()


def test_a_training_that_does_not_fit_goes_on_with_half_in_the_same_steps(sft_job, gpu, monkeypatch):
    """Out of memory in the fourth step: the first two are kept, and the rest is what a resumed training computes."""
    settings = {"batch_size": 4, "save_steps": 2, "epochs": 2, "dropout": 0.2}
    resumed = sft_job(per_device_train_batch_size=4, **settings)
    broken = sft_job(per_device_train_batch_size="auto", **settings)
    with monkeypatch.context() as patch, pytest.raises(OutOfMemory, match="per_device_train_batch_size = 4"):
        no_memory_for(2, patch, from_step=3)
        run_job_in_process(resumed, QUIET)
    assert recorded_limit(resumed) is None  # a number that the user gave is the user's to change
    smaller = replace(resumed, config=resumed.config.model_copy(update={"per_device_train_batch_size": 2}))
    run_job_in_process(smaller, QUIET)

    gpu(1e12)
    said = []
    with monkeypatch.context() as patch:
        sizes = no_memory_for(2, patch, from_step=3)
        retry_with_smaller_micro_batch(broken, lambda: run_job_in_process(broken, QUIET), said.append)
    assert sizes == [4] * 4 + [2] * 2 * 6
    assert weights(broken) == weights(resumed)
    assert len(said) == 1
    assert "goes on with 2 examples at once per process" in said[0]
    assert json.loads((broken.folder.parent / "micro_batch.json").read_text()) == {"per_device_train_batch_size": 2}


def test_pairs_too_and_down_to_one(tmp_path, pairs, examples, perturbed_model, gpu, monkeypatch):
    def job(name, micro):
        folder = tmp_path / name / "checkpoint"
        folder.mkdir(parents=True)
        config = DPOConfig(
            batch_size=8, per_device_train_batch_size=micro, replay=3, nll_coef=0.1, dropout=0, learning_rate=1e-3
        )
        return DPOJob(perturbed_model, folder, tuple(pairs[:8]), tuple(examples), config, "cpu", "float32", 3, "M2")

    one, automatic = job("one", 1), job("auto", "auto")
    train_dpo(one, QUIET)
    gpu(1e12)
    no_memory_for(1, monkeypatch)
    retry_with_smaller_micro_batch(automatic, lambda: train_dpo(automatic, QUIET), lambda line: None)
    assert recorded_limit(automatic) == 1
    theirs, ours = (load_file(one_of.folder / "model.safetensors") for one_of in (one, automatic))
    for name, weight in theirs.items():  # the reference was read in batches of another size
        torch.testing.assert_close(ours[name], weight, rtol=1e-4, atol=1e-6)


def test_one_example_that_does_not_fit_is_the_error(sft_job, gpu, monkeypatch):
    gpu(1e12)
    no_memory_for(0, monkeypatch)
    job = sft_job(per_device_train_batch_size="auto", batch_size=4)
    with pytest.raises(OutOfMemory, match=r"per_device_train_batch_size = 1\. Start a new run with sft\.max_length"):
        retry_with_smaller_micro_batch(job, lambda: run_job_in_process(job, QUIET), lambda line: None)
    assert recorded_limit(job) == 1


def test_other_errors_are_not_tried_again(sft_job):
    calls = []

    def fails():
        calls.append(1)
        raise Diverged("M1: the training diverged.")

    with pytest.raises(Diverged):
        retry_with_smaller_micro_batch(sft_job(), fails, calls.append)
    assert calls == [1]


def test_processes_that_agree_on_it_wait_as_long_as_those_of_the_training(monkeypatch):
    """The first PartialState decides: torch's own 10 or 30 minutes are too few for a large checkpoint."""
    given = {}

    def state(**settings):
        given.update(settings)
        return SimpleNamespace(device="cpu")

    monkeypatch.setattr(accelerate, "PartialState", state)
    monkeypatch.setattr(micro_batch, "world_size", lambda: 2)
    monkeypatch.setattr(accelerate.utils, "gather", lambda own: torch.cat([own, own - 1]))
    assert micro_batch._smallest_of_all_processes(5) == 4
    assert given == {"timeout": timedelta(seconds=COLLECTIVE_TIMEOUT_S)}
