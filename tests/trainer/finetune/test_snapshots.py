"""Snapshots during DPO: each is the model of its step, and they do not change the training."""

import torch
from safetensors.torch import load_file
from transformers import AutoConfig

from srlm.config.finetune import DPOConfig
from srlm.console import Progress
from trainer.finetune.dpo import train_dpo
from trainer.finetune.job import DPOJob

SETTINGS = {"batch_size": 4, "per_device_train_batch_size": 4, "epochs": 2, "learning_rate": 1e-3, "dropout": 0.2}


def tuned(perturbed_model, pairs, folder, **changes):
    folder.mkdir(parents=True)
    config = DPOConfig(**{**SETTINGS, **changes})
    job = DPOJob(perturbed_model, folder, tuple(pairs), (), config, "cpu", "float32", 3, "M2")
    train_dpo(job, Progress(quiet=True))
    return folder


def test_a_snapshot_is_the_model_of_its_step_and_the_result_is_unchanged(perturbed_model, pairs, tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        plain = tuned(perturbed_model, pairs, tmp_path / "plain" / "checkpoint", save_steps=6)
        # The snapshot of step 6 is compared with transformers' own checkpoint.
        stopping = {"judge": "smollm2", "every": 3}
        folder = tuned(perturbed_model, pairs, tmp_path / "kept" / "checkpoint", save_steps=0, stopping=stopping)
    finally:
        torch.set_num_threads(before)
    places = sorted((folder.parent / "kept").iterdir())
    assert [path.name for path in places] == ["step-3", "step-6"]
    assert (folder / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()
    own = load_file(plain.parent / "training" / "step-6" / "model.safetensors")
    found = load_file(places[1] / "model.safetensors")
    assert own.keys() == found.keys()
    assert all(torch.equal(own[name], found[name]) for name in own)
    assert any(not torch.equal(found[name], one) for name, one in load_file(places[0] / "model.safetensors").items())
    assert AutoConfig.from_pretrained(places[0]).attention_dropout == 0
    assert (places[0] / "chat_template.jinja").exists()
    assert not list(tmp_path.rglob("training_args.bin"))
