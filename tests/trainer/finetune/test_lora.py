"""Low-rank adapters: they start as the identity, and end merged into the weights."""

import math

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.console import Progress
from trainer.finetune.dpo import train_dpo
from trainer.finetune.job import DPOJob, SFTJob
from trainer.finetune.sft import train_sft

CONSTANT = {
    "learning_rate": 1e-2,
    "min_lr_rate": 1,
    "warmup_ratio": 0,
    "dropout": 0,
    "gradient_checkpointing": False,
    "per_device_train_batch_size": 16,
}
PLACE = ("cpu", "float32", 3)
QUIET = Progress(quiet=True)
LORA = {"rank": 2, "alpha": 8}


@pytest.fixture
def tuned(tmp_path, tiny_model, examples):
    def train(name, **changes):
        folder = tmp_path / name / "checkpoint"
        folder.mkdir(parents=True)
        config = SFTConfig(**{**CONSTANT, **changes})
        train_sft(SFTJob(tiny_model, folder, tuple(examples[:16]), config, *PLACE, "M1"), QUIET)
        return folder

    return train


def test_the_checkpoint_equals_the_base_model_with_its_adapter(tuned, tiny_model):
    """M0 with the adapter of the second of three steps has the logits of the checkpoint of two steps."""
    merged = tuned("two", epochs=2, lora=LORA)
    adapter = tuned("three", epochs=3, lora=LORA, save_steps=2).parent / "training" / "step-2"
    ids = torch.arange(40).reshape(2, 20) * 7 + 3
    with torch.no_grad():
        base = AutoModelForCausalLM.from_pretrained(tiny_model)
        before = base(ids).logits
        with_adapter = PeftModel.from_pretrained(base, adapter)(ids).logits
        alone = AutoModelForCausalLM.from_pretrained(merged)(ids).logits
    assert torch.allclose(with_adapter, alone, atol=1e-5)
    assert not torch.allclose(before, alone, atol=1e-2)


def test_only_linear_layers_are_trained_and_the_checkpoint_is_complete(tuned, tiny_model):
    folder = tuned("one", epochs=1, lora=LORA)
    before, after = load_file(tiny_model / "model.safetensors"), load_file(folder / "model.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if "_proj" in name}
    assert not list(folder.glob("adapter*"))


def test_the_first_losses_are_those_of_full_fine_tuning(tuned, log, perturbed_model, pairs, tmp_path):
    full, low = log(tuned("full", epochs=2)), log(tuned("low", epochs=2, lora=LORA))
    assert full[0]["loss"] == pytest.approx(low[0]["loss"], rel=1e-6)
    assert full[1]["loss"] != low[1]["loss"]
    folder = tmp_path / "dpo" / "checkpoint"
    folder.mkdir(parents=True)
    config = DPOConfig(**CONSTANT, epochs=4, lora=LORA)
    train_dpo(DPOJob(perturbed_model, folder, tuple(pairs), (), config, *PLACE, "M2"), QUIET)
    entries = log(folder)
    assert entries[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert entries[-1]["loss"] < entries[0]["loss"]
