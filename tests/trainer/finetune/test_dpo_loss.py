"""The extra terms of the DPO loss: each adds what a computation by hand gives."""

import math

import pytest
import torch

from trainer.finetune.replay import Replay
from trainer.finetune.tokenize import tokenize_example


def curve(entries, name="loss"):
    return [entry[name] for entry in entries]


def test_the_nll_term_is_the_mean_over_answers_of_the_mean_over_tokens(dpo_losses, by_hand, perturbed_model, pairs):
    model = by_hand(perturbed_model)
    nll = torch.stack([-model.logps(one.prompt, one.chosen).mean() for one in pairs]).mean().item()
    first = dpo_losses(nll_coef=0.5)[0]
    assert first["nll"] == pytest.approx(nll, rel=1e-5)
    assert first["loss"] == pytest.approx(math.log(2) + 0.5 * nll, rel=1e-5)


def test_label_smoothing_is_conservative_dpo(dpo_losses):
    """Log 2 at first; then (1 - e) of the pair's loss and e of the flipped pair's, at the margin in TRL's log."""
    entries = dpo_losses(label_smoothing=0.3, per_device_train_batch_size=1, batch_size=1, epochs=1)
    assert entries[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    for entry in entries:
        margin = entry["rewards/margins"]
        by_hand = 0.7 * math.log1p(math.exp(-margin)) + 0.3 * math.log1p(math.exp(margin))
        assert entry["loss"] == pytest.approx(by_hand, abs=1e-5)
    assert max(abs(entry["rewards/margins"]) for entry in entries) > 0.01


@pytest.mark.parametrize("rate", [0.8, 0.3])
def test_smoothing_by_agreement_weighs_the_pair_against_its_flipped_copy(dpo_losses, rate):
    """C * L(chosen, rejected) + (1 - C) * L(rejected, chosen), which prefers the rejected answer for C < 1/2."""
    entries = dpo_losses(
        label_smoothing="agreement", consistency=rate, per_device_train_batch_size=1, batch_size=1, epochs=2
    )
    assert entries[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    for entry in entries:
        margin = entry["rewards/margins"]
        by_hand = rate * math.log1p(math.exp(-margin)) + (1 - rate) * math.log1p(math.exp(margin))
        assert entry["loss"] == pytest.approx(by_hand, abs=1e-5)
    last = [entry["rewards/margins"] for entry in entries[16:]]
    assert (sum(last) > 0) == (rate > 0.5)


def test_full_agreement_is_no_smoothing(dpo_losses):
    assert dpo_losses(label_smoothing="agreement") == dpo_losses()


def test_replay_adds_the_mean_over_the_tokens_of_the_drawn_examples(dpo_losses, by_hand, perturbed_model, examples):
    model = by_hand(perturbed_model)
    replay = Replay([tokenize_example(model.tokenizer, one) for one in examples], 6, 7)
    of_tokens = dict(zip(replay.examples, examples, strict=True))
    drawn = [of_tokens[one] for one in replay.draw(0)]
    by_hand_ = -torch.cat([model.logps(one.prompt, one.completion) for one in drawn]).mean().item()
    first = dpo_losses(examples, replay=6)[0]
    assert first["replay"] == pytest.approx(by_hand_, rel=1e-5)
    assert first["loss"] == pytest.approx(math.log(2) + by_hand_, rel=1e-5)


@pytest.mark.parametrize("micro", [4, 2])
def test_replay_is_divided_over_the_micro_batches(dpo_losses, examples, micro):
    """Six examples over four micro-batches, and over eight, of which two have none."""
    whole, parts = dpo_losses(examples, replay=6), dpo_losses(examples, replay=6, per_device_train_batch_size=micro)
    assert curve(whole) == pytest.approx(curve(parts), rel=1e-5)
    assert curve(whole, "grad_norm") == pytest.approx(curve(parts, "grad_norm"), rel=1e-4)
