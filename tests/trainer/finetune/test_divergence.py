"""What diverged is no model: not a loss, a gradient or a weight that is no finite number, from wherever it came."""

import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.console import Progress
from srlm.errors import Diverged, ModelError, TrainingFailed
from trainer.finetune.divergence import Watch, model_numbers, not_finite, require_finite, stored_numbers
from trainer.finetune.dpo import prefer
from trainer.finetune.job import Preference, Supervision
from trainer.finetune.launch import carry_out
from trainer.finetune.resume import last_whole
from trainer.finetune.sft import supervised

QUIET = Progress(quiet=True)


@pytest.fixture
def job(tiny_model, examples, tmp_path, plain):
    """A supervised training of sixteen examples, one step an epoch."""

    def make(**changes) -> Supervision:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}" / "checkpoint"
        folder.mkdir(parents=True)
        config = SFTConfig(**{**plain, **changes})
        return Supervision(tiny_model, folder, tuple(examples[:16]), config, "cpu", "float32", 3, "M1: tuning")

    return make


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
def test_a_training_that_diverges_ends_and_leaves_no_model(job, changes, words):
    one = job(**changes)
    with pytest.raises(Diverged, match=words) as error:
        carry_out(one, None, QUIET)
    assert str(error.value).startswith("M1: tuning: the training diverged.")
    assert "--set sft.learning_rate=5.5e-06" in str(error.value)
    assert "\n" not in str(error.value)
    assert list(one.folder.iterdir()) == []


def test_pairs_diverge_like_examples(tiny_model, pairs, tmp_path, plain):
    folder = tmp_path / "M2" / "checkpoint"
    folder.mkdir(parents=True)
    config = DPOConfig(**{**plain, "learning_rate": 1e30})
    with pytest.raises(Diverged, match=r"At step 2 of 3 .*--set dpo.learning_rate=1e-06"):
        prefer(Preference(tiny_model, folder, tuple(pairs), (), config, "cpu", "float32", 3, "M2"), QUIET)
    assert list(folder.iterdir()) == []


def test_a_loss_that_is_large_is_none_that_diverged(job):
    one = job(learning_rate=1.0)
    carry_out(one, None, QUIET)
    assert stored_numbers(one.folder) == model_numbers(one.start)


def test_checkpoints_to_choose_from_are_looked_at_too(tiny_model, pairs, tmp_path, plain):
    folder = tmp_path / "M2" / "checkpoint"
    folder.mkdir(parents=True)
    stopping = {"judge": "smollm2", "every": 1}
    config = DPOConfig(**{**plain, "learning_rate": 1e39, "stopping": stopping})
    with pytest.raises(Diverged, match=r"At step 1 of 3 .* are not finite"):
        prefer(Preference(tiny_model, folder, tuple(pairs), (), config, "cpu", "float32", 3, "M2"), QUIET)
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
def test_what_the_log_of_a_step_says(job, logs, words):
    state, arguments = SimpleNamespace(global_step=3, max_steps=9), SimpleNamespace(bf16=True)
    watch = Watch(job())
    if words is None:
        watch.on_log(arguments, state, None, logs=logs)
        return
    with pytest.raises(Diverged, match=f"{words}.*dtype=float32"):
        watch.on_log(arguments, state, None, logs=logs)


def test_a_first_loss_that_is_no_number_is_not_the_rates_fault(job):
    state, arguments = SimpleNamespace(global_step=1, max_steps=9), SimpleNamespace(bf16=False)
    one = job()
    with pytest.raises(Diverged, match=f"not the rate: the model {one.start}"):
        Watch(one).on_log(arguments, state, None, logs={"loss": float("nan")})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_weight_is_enough(job, value):
    model = torch.nn.Linear(3, 3)
    assert not_finite(model.named_parameters()) == []
    with torch.no_grad():
        model.bias[1] = value
    state, arguments = SimpleNamespace(global_step=3, max_steps=9), SimpleNamespace(bf16=False)
    with pytest.raises(Diverged, match="such as bias of 1"):
        require_finite(job(), state, arguments, model)


def test_a_state_of_a_training_that_had_diverged_is_not_gone_on_from(job):
    """As an earlier version left it, or a machine that breaks numbers."""
    one = job(save_steps=1)
    whole = one.folder.parent / "training" / "step-1"
    whole.mkdir(parents=True)
    save_file({"a": torch.ones(2), "b": torch.tensor([1.0, float("nan")])}, whole / "model.safetensors")
    assert last_whole(whole.parent) is None
    assert not whole.exists()
    supervised(one, QUIET)
    log = (one.folder.parent / "training.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in log if "loss" in line][:3] == [1, 2, 3]


def test_a_broken_model_is_not_started_from(job, tiny_model, tmp_path):
    import shutil
    from dataclasses import replace

    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    tensors = load_file(broken / "model.safetensors")
    tensors["model.norm.weight"][0] = float("nan")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"not finite: model\.norm\.weight"):
        carry_out(replace(job(), start=broken), None, QUIET)


@pytest.mark.parametrize("launcher", ["true", "echo", "python -c pass"])
def test_a_launcher_that_did_nothing_has_trained_nothing(job, launcher):
    one = job()
    with pytest.raises(TrainingFailed, match=r"has left no model: 0 of .* weights are in .*launch\.log"):
        carry_out(one, launcher, QUIET)


def test_a_part_of_a_model_is_none(job, tiny_model):
    one = job()
    save = f"""
from safetensors.torch import load_file, save_file
tensors = load_file({str(tiny_model / "model.safetensors")!r})
tensors.pop("model.norm.weight")
save_file(tensors, {str(one.folder / "model.safetensors")!r})
"""
    script = one.folder.parent / "save.py"
    script.write_text(save, encoding="utf-8")
    with pytest.raises(TrainingFailed, match=r"has left no model: [\d,]+ of [\d,]+ weights"):
        carry_out(one, f"python {script}", QUIET)
