"""A training ends at the first loss, gradient or weight that is not finite, and writes no model."""

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from srlm.config.finetune import DPOConfig
from srlm.console import Progress
from srlm.errors import Diverged, ModelError
from trainer.finetune.divergence import DivergenceCallback, non_finite_tensors, require_finite
from trainer.finetune.dpo import train_dpo
from trainer.finetune.job import DPOJob
from trainer.finetune.launch import run_job
from trainer.finetune.stored_weights import model_weight_count, stored_weight_count

QUIET = Progress(quiet=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learning_rate": 1e30}, r"At step 2 of 3 the (loss|norm of the gradient) is (nan|inf)"),
        ({"learning_rate": 1e30, "epochs": 1}, "At step 1 of 1 weights are not finite, or too large .*, such as model"),
        ({"learning_rate": 1e16, "epochs": 1}, "At step 1 of 1"),
        ({"learning_rate": 1e38, "epochs": 1, "lora": {"rank": 2}}, "At step 1 of 1"),
        ({"learning_rate": 1e39, "save_steps": 1}, "At step 1 of 3 .* are not finite, or"),
    ],
)
def test_a_training_that_diverges_ends_and_writes_no_model(sft_job, changes, words):
    one = sft_job(**changes)
    with pytest.raises(Diverged, match=words) as error:
        run_job(one, None, QUIET)
    assert str(error.value).startswith("M1: tuning: the training diverged.")
    assert "--set sft.learning_rate=5.5e-06" in str(error.value)
    assert "\n" not in str(error.value)
    assert list(one.folder.iterdir()) == []


def test_dpo_diverges_like_sft(tiny_model, pairs, tmp_path, plain):
    folder = tmp_path / "M2" / "checkpoint"
    folder.mkdir(parents=True)
    config = DPOConfig(**{**plain, "learning_rate": 1e30})
    with pytest.raises(Diverged, match=r"At step 2 of 3 .*--set dpo.learning_rate=1e-06"):
        train_dpo(DPOJob(tiny_model, folder, tuple(pairs), (), config, "cpu", "float32", 3, "M2"), QUIET)
    assert list(folder.iterdir()) == []


def test_a_large_loss_is_no_divergence(sft_job):
    one = sft_job(learning_rate=1.0)
    run_job(one, None, QUIET)
    assert stored_weight_count(one.folder) == model_weight_count(one.start)


def test_snapshots_are_checked_too(tiny_model, pairs, tmp_path, plain):
    folder = tmp_path / "M2" / "checkpoint"
    folder.mkdir(parents=True)
    stopping = {"judge": "smollm2", "every": 1}
    config = DPOConfig(**{**plain, "learning_rate": 1e39, "stopping": stopping})
    with pytest.raises(Diverged, match=r"At step 1 of 3 .* are not finite"):
        train_dpo(DPOJob(tiny_model, folder, tuple(pairs), (), config, "cpu", "float32", 3, "M2"), QUIET)
    assert not list(folder.parent.glob("kept/*"))


@pytest.mark.parametrize(
    ("logs", "words"),
    [
        ({"loss": 0.0, "grad_norm": float("nan")}, "At step 3 of 9 the norm of the gradient is nan"),
        ({"loss": float("inf"), "grad_norm": 1.0}, "At step 3 of 9 the loss is inf"),
        ({"loss": -float("inf")}, "the loss is -inf"),
        ({"loss": 0.0, "grad_norm": None}, None),
        ({"loss": 1e30, "grad_norm": 1e30}, None),
        ({"train_loss": float("nan")}, None),
    ],
)
def test_logged_values_are_checked(sft_job, logs, words):
    state, arguments = SimpleNamespace(global_step=3, max_steps=9), SimpleNamespace(bf16=True)
    callback = DivergenceCallback(sft_job())
    if words is None:
        callback.on_log(arguments, state, None, logs=logs)
        return
    with pytest.raises(Diverged, match=f"{words}.*dtype=float32"):
        callback.on_log(arguments, state, None, logs=logs)


def test_a_first_loss_that_is_not_finite_is_not_due_to_the_learning_rate(sft_job):
    state, arguments = SimpleNamespace(global_step=1, max_steps=9), SimpleNamespace(bf16=False)
    one = sft_job()
    with pytest.raises(Diverged, match=f"learning rate is not the cause: check the weights of {one.start}"):
        DivergenceCallback(one).on_log(arguments, state, None, logs={"loss": float("nan")})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_weight_that_is_not_finite_is_enough(sft_job, value):
    model = torch.nn.Linear(3, 3)
    assert non_finite_tensors(model.named_parameters()) == []
    with torch.no_grad():
        model.bias[1] = value
    state, arguments = SimpleNamespace(global_step=3, max_steps=9), SimpleNamespace(bf16=False)
    with pytest.raises(Diverged, match="such as bias of 1"):
        require_finite(sft_job(), state, arguments, model)


def test_training_does_not_start_from_a_model_that_is_not_finite(sft_job, tiny_model, tmp_path):
    import shutil
    from dataclasses import replace

    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    tensors = load_file(broken / "model.safetensors")
    tensors["model.norm.weight"][0] = float("nan")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"not finite: model\.norm\.weight"):
        run_job(replace(sft_job(), start=broken), None, QUIET)
