"""SFT: the loss is on the tokens of answers alone, for any micro-batch size; settings reach TRL."""

import pytest
import torch

from srlm.checkpoint_files import read_config
from srlm.config.finetune import SFTConfig
from srlm.config_file import load_config
from srlm.console import Progress
from srlm.errors import NothingToTrain, UsageError
from trainer.finetune.job import SFTJob
from trainer.finetune.sft import train_sft


@pytest.fixture
def tuned(tmp_path, tiny_model, examples, plain):
    """A function: train the tiny model on the first 16 examples, one step per epoch, and return the folder."""

    def train(count=16, **changes):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}" / "checkpoint"
        folder.mkdir(parents=True)
        config = SFTConfig(**{**plain, **changes})
        job = SFTJob(tiny_model, folder, tuple(examples[:count]), config, "cpu", "float32", 3, "M1")
        train_sft(job, Progress(quiet=True))
        return folder

    return train


def test_the_loss_is_the_mean_over_the_answers_tokens_alone(tuned, log, by_hand, tiny_model, examples):
    model = by_hand(tiny_model)
    logps = torch.cat([model.logps(one.prompt, one.completion) for one in examples[:16]])
    assert log(tuned())[0]["loss"] == pytest.approx(-logps.mean().item(), rel=1e-5)


def test_the_micro_batch_size_has_no_effect(tuned, log):
    whole, parts = log(tuned()), log(tuned(per_device_train_batch_size=4))
    assert [one["loss"] for one in whole] == pytest.approx([one["loss"] for one in parts], rel=1e-5)
    assert [one["grad_norm"] for one in whole] == pytest.approx([one["grad_norm"] for one in parts], rel=1e-4)
    assert whole[-1]["loss"] < whole[0]["loss"]


def test_a_micro_batch_that_does_not_divide_the_batch_is_reduced(tuned, log):
    assert [one["loss"] for one in log(tuned(per_device_train_batch_size=7))] == pytest.approx(
        [one["loss"] for one in log(tuned(per_device_train_batch_size=4))], rel=1e-9
    )


def test_gradient_checkpointing_has_no_effect(tuned, log):
    kept, again = log(tuned()), log(tuned(gradient_checkpointing=True))
    for key in ("loss", "grad_norm"):
        assert [one[key] for one in again] == pytest.approx([one[key] for one in kept], rel=1e-6)


def test_the_rate_falls_along_a_cosine_to_its_minimum(tuned, log):
    rates = [one["learning_rate"] for one in log(tuned(epochs=10, min_lr_rate=0.2))]
    assert 9e-4 < rates[0] < 1e-3
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(2e-4)


def test_every_warm_up_step_has_a_rate_above_0(tuned, log):
    rates = [one["learning_rate"] for one in log(tuned(epochs=10, warmup_ratio=0.4))]
    assert rates[:4] == pytest.approx([2.5e-4, 5e-4, 7.5e-4, 1e-3])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert max(rates) == rates[3]


def test_dropout_changes_the_training_and_not_the_checkpoints_configuration(tuned, log, tiny_model):
    without, with_it = tuned(), tuned(dropout=0.5)
    assert log(without)[0]["loss"] != pytest.approx(log(with_it)[0]["loss"], rel=1e-3)
    assert read_config(with_it)["attention_dropout"] == read_config(tiny_model)["attention_dropout"] == 0


def test_weight_decay_and_betas_reach_the_optimiser(tuned, log):
    plain = [one["loss"] for one in log(tuned())]
    for change in ({"weight_decay": 5.0}, {"betas": (0.5, 0.9)}):
        changed = [one["loss"] for one in log(tuned(**change))]
        assert changed[0] == plain[0]
        assert changed[2] != plain[2]


def test_a_checkpoint_has_no_pickle_and_no_file_of_the_trainer(tuned):
    folder = tuned(save_steps=1)
    assert {path.name for path in folder.iterdir()} == {
        "model.safetensors",
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    }


def test_long_examples_are_left_out(tuned, log):
    assert log(tuned(max_length=40))[0]["loss"] > 0
    with pytest.raises(NothingToTrain, match="M1: none of 16 examples fits into max_length = 16"):
        tuned(max_length=16)


@pytest.mark.parametrize(
    "change",
    ["dropout=1", "dropout=-0.1", "weight_decay=-1", "betas=[0.9]", "betas=[0.9, 1]", "save_steps=-1", "epochs=0"],
)
@pytest.mark.parametrize("section", ["sft", "dpo"])
def test_wrong_values_are_refused_before_any_compute(section, change):
    key = change.partition("=")[0]
    with pytest.raises(UsageError, match=f"{section}.{key}"):
        load_config("quickstart", [f"{section}.{change}"])
