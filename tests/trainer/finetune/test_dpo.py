"""DPO as in the paper: the reference model, dropout, batches, and settings that are refused."""

import math

import pytest
import torch

from srlm.config_file import load_config
from srlm.errors import NothingToTrain, UsageError


def curve(entries, name="loss"):
    return [entry[name] for entry in entries]


def test_the_reference_is_the_model_from_which_training_starts(dpo_losses, perturbed_model, tiny_model, by_hand, pairs):
    """The first loss is log 2, that of M_t against itself. Against M0 it would differ."""
    first = dpo_losses()[0]
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert first["rewards/margins"] == pytest.approx(0, abs=1e-6)
    m_t, m_0 = by_hand(perturbed_model), by_hand(tiny_model)
    margins = torch.stack(
        [
            (m_t.logps(one.prompt, one.chosen).sum() - m_0.logps(one.prompt, one.chosen).sum())
            - (m_t.logps(one.prompt, one.rejected).sum() - m_0.logps(one.prompt, one.rejected).sum())
            for one in pairs
        ]
    )
    assert -torch.nn.functional.logsigmoid(0.1 * margins).mean().item() != pytest.approx(math.log(2), abs=1e-3)


def test_dropout_is_in_the_policy_and_not_in_the_reference(dpo_losses, by_hand, perturbed_model, pairs):
    model = by_hand(perturbed_model)
    chosen = torch.stack([model.logps(one.prompt, one.chosen).sum() for one in pairs]).mean().item()
    first = dpo_losses(dropout=0.5)[0]
    assert first["logps/chosen"] != pytest.approx(chosen, rel=1e-3)
    assert first["logps/chosen"] - first["rewards/chosen"] / 0.1 == pytest.approx(chosen, rel=1e-5)


def test_the_loss_falls_and_margins_grow(dpo_losses):
    entries = dpo_losses(epochs=6)
    assert entries[-1]["loss"] < entries[0]["loss"]
    assert entries[-1]["rewards/margins"] > 0


@pytest.mark.parametrize("terms", [{}, {"nll_coef": 0.5, "label_smoothing": 0.2}])
def test_the_micro_batch_size_has_no_effect(dpo_losses, terms):
    whole = dpo_losses(**terms)
    parts = dpo_losses(**terms, per_device_train_batch_size=4)
    assert curve(whole) == pytest.approx(curve(parts), rel=1e-5)
    assert curve(whole, "grad_norm") == pytest.approx(curve(parts, "grad_norm"), rel=1e-4)


def test_replay_without_an_example_that_fits_is_refused(dpo_losses, examples):
    with pytest.raises(NothingToTrain, match="M2, replay: none of 24 examples fits into max_length = 16"):
        dpo_losses(examples, replay=4, max_length=16)


@pytest.mark.parametrize(
    "change", ["beta=-0.1", "beta=0", "nll_coef=-1", "replay=-1", "label_smoothing=0.5", "label_smoothing=-0.1"]
)
def test_wrong_values_are_refused_before_any_compute(change):
    key = change.partition("=")[0]
    with pytest.raises(UsageError, match=f"dpo.{key}"):
        load_config("quickstart", [f"dpo.{change}"])
