"""TRL's other losses of a pair: each gives the losses of TRL's own trainer, and the others are refused by name."""

import re
from typing import get_args

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.trainer.dpo_config import DPOConfig as Arguments
from trl.trainer.dpo_trainer import DPOTrainer

from srlm.config.finetune import BATCH_DEPENDENT, SMOOTHED, Loss
from srlm.config_file import load_config
from srlm.errors import UsageError

NAMES = get_args(Loss)
NEEDS_SMOOTHING = {"robust": 0.1, "exo_pair": 1e-3}


def losses_of_trl(folder, pairs, out, loss, smoothing):
    """Train two epochs of one step each with TRL's own trainer, on messages that it tokenizes itself."""
    arguments = Arguments(
        output_dir=str(out),
        loss_type=[loss],
        label_smoothing=smoothing,
        beta=0.1,
        learning_rate=1e-3,
        lr_scheduler_type="cosine_warmup_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.1},
        per_device_train_batch_size=16,
        num_train_epochs=2,
        logging_steps=1,
        bf16=False,
        gradient_checkpointing=False,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
    )
    rows = [
        {
            "prompt": [{"role": "user", "content": one.prompt}],
            "chosen": [{"role": "assistant", "content": one.chosen}],
            "rejected": [{"role": "assistant", "content": one.rejected}],
        }
        for one in pairs
    ]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    trainer = DPOTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(folder),
    )
    trainer.train()
    return [(one["loss"], one["grad_norm"]) for one in trainer.state.log_history if "loss" in one]


QUICK = {"sigmoid", "ipo", "robust"}
EVERY = [pytest.param(one, marks=() if one in QUICK else pytest.mark.slow) for one in NAMES]


@pytest.mark.parametrize("loss", EVERY)
def test_the_losses_are_those_of_trls_own_trainer(dpo_losses, perturbed_model, pairs, tmp_path, loss):
    """Also where a step has several micro-batches."""
    smoothing = NEEDS_SMOOTHING.get(loss, 0)
    theirs = losses_of_trl(perturbed_model, pairs, tmp_path / "trl", loss, smoothing)
    entries = dpo_losses(loss=loss, label_smoothing=smoothing, epochs=2, per_device_train_batch_size=4)
    ours = [(one["loss"], one["grad_norm"]) for one in entries]
    assert len(ours) == 2
    assert ours == [pytest.approx(one, rel=1e-5, abs=1e-5) for one in theirs]
    assert ours[0][0] != ours[1][0]


def test_all_losses_of_trl_are_taken_or_refused_by_name():
    described = Arguments.__dataclass_fields__["loss_type"].metadata["help"]
    assert {*NAMES, *BATCH_DEPENDENT} == {*re.findall(r"`'(\w+)'`", described)}


def test_conservative_smoothing_is_sigmoids_alone(dpo_losses):
    """The losses robust and exo_pair pass their own to TRL, and nothing is added to them."""
    robust = dpo_losses(loss="robust", label_smoothing=0.3, epochs=1)[0]["loss"]
    assert robust == pytest.approx(dpo_losses(epochs=1)[0]["loss"], abs=1e-6)  # at a margin of 0 both are log 2
    assert dpo_losses(loss="ipo", nll_coef=0.5, epochs=1)[0]["nll"] > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        *((["loss=" + name], f"dpo.loss: {name} would give another model for another") for name in BATCH_DEPENDENT),
        (["loss=dpo"], "dpo.loss: one of TRL's losses of a pair is expected: sigmoid, sigmoid_norm, .*, not 'dpo'"),
        (["loss=[sigmoid, ipo]"], "dpo.loss: one of TRL's losses of a pair is expected"),
        (["loss=robust"], "the loss robust needs label_smoothing"),
        (["loss=exo_pair"], "the loss exo_pair needs a label_smoothing above 0"),
        (["loss=robust", "label_smoothing=agreement"], "label_smoothing=agreement .* is defined for the loss sigmoid"),
        *(
            ([f"loss={name}", f"label_smoothing={rate}"], f"label_smoothing has no effect on the loss {name}")
            for name in NAMES
            if name not in SMOOTHED
            for rate in (0.1, "agreement")
        ),
    ],
)
def test_a_loss_that_cannot_be_is_one_message(changes, words):
    with pytest.raises(UsageError, match=f"Configuration {words}" if words.startswith("dpo.") else words) as error:
        load_config("quickstart", [f"dpo.{one}" for one in changes])
    assert str(error.value).count("\n") == 0
