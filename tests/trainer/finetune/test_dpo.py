"""DPO as the paper has it, and the terms beside it: each changes the loss by what a computation by hand says."""

import math

import pytest
import torch

from srlm.config.finetune import DPOConfig
from srlm.config_file import load_config
from srlm.console import Progress
from srlm.errors import NothingToTrain, UsageError
from trainer.finetune.dpo import prefer
from trainer.finetune.dpo_loss import Replay
from trainer.finetune.job import Preference
from trainer.finetune.tokenize import Tokens, read


@pytest.fixture
def losses(tmp_path, pairs, moved_model, log, plain):
    """Trains M_t on the sixteen pairs, one step an epoch, and returns its log."""

    def train(examples=(), consistency=1, **changes):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}" / "checkpoint"
        folder.mkdir(parents=True)
        config = DPOConfig(**{**plain, **changes})
        data = (tuple(pairs), tuple(examples), config)
        job = Preference(moved_model, folder, *data, "cpu", "float32", 7, "M2", consistency=consistency)
        prefer(job, Progress(quiet=True))
        return log(folder)

    return train


def curve(entries, name="loss"):
    return [entry[name] for entry in entries]


def test_the_reference_is_the_model_that_training_starts_from(losses, moved_model, tiny_model, by_hand, pairs):
    """Log 2 at the first step is M_t against itself; against M0 it would be another number."""
    first = losses()[0]
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert first["rewards/margins"] == pytest.approx(0, abs=1e-6)
    m_t, m_0 = by_hand(moved_model), by_hand(tiny_model)
    margins = torch.stack(
        [
            (m_t.logps(one.prompt, one.chosen).sum() - m_0.logps(one.prompt, one.chosen).sum())
            - (m_t.logps(one.prompt, one.rejected).sum() - m_0.logps(one.prompt, one.rejected).sum())
            for one in pairs
        ]
    )
    assert -torch.nn.functional.logsigmoid(0.1 * margins).mean().item() != pytest.approx(math.log(2), abs=1e-3)


def test_dropout_is_in_the_policy_and_not_in_the_reference(losses, by_hand, moved_model, pairs):
    model = by_hand(moved_model)
    chosen = torch.stack([model.logps(one.prompt, one.chosen).sum() for one in pairs]).mean().item()
    first = losses(dropout=0.5)[0]
    assert first["logps/chosen"] != pytest.approx(chosen, rel=1e-3)
    assert first["logps/chosen"] - first["rewards/chosen"] / 0.1 == pytest.approx(chosen, rel=1e-5)


def test_the_loss_falls_and_later_steps_are_measured_against_the_start(losses):
    entries = losses(epochs=6)
    assert entries[-1]["loss"] < entries[0]["loss"]
    assert entries[-1]["rewards/margins"] > 0


@pytest.mark.parametrize("terms", [{}, {"nll_coef": 0.5, "label_smoothing": 0.2}])
def test_sixteen_at_once_are_four_times_four(losses, terms):
    whole = losses(**terms)
    parts = losses(**terms, per_device_train_batch_size=4)
    assert curve(whole) == pytest.approx(curve(parts), rel=1e-5)
    assert curve(whole, "grad_norm") == pytest.approx(curve(parts, "grad_norm"), rel=1e-4)


def test_the_nll_term_is_the_mean_over_answers_of_the_mean_over_tokens(losses, by_hand, moved_model, pairs):
    model = by_hand(moved_model)
    nll = torch.stack([-model.logps(one.prompt, one.chosen).mean() for one in pairs]).mean().item()
    first = losses(nll_coef=0.5)[0]
    assert first["nll"] == pytest.approx(nll, rel=1e-5)
    assert first["loss"] == pytest.approx(math.log(2) + 0.5 * nll, rel=1e-5)


def test_label_smoothing_is_conservative_dpo(losses):
    """Log 2 at first; then (1 - e) of the pair's loss and e of the flipped pair's, at a margin that TRL logs."""
    entries = losses(label_smoothing=0.3, per_device_train_batch_size=1, batch_size=1, epochs=1)
    assert entries[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    for entry in entries:
        margin = entry["rewards/margins"]
        by_hand = 0.7 * math.log1p(math.exp(-margin)) + 0.3 * math.log1p(math.exp(margin))
        assert entry["loss"] == pytest.approx(by_hand, abs=1e-5)
    assert max(abs(entry["rewards/margins"]) for entry in entries) > 0.01


@pytest.mark.parametrize("rate", [0.8, 0.3])
def test_smoothing_by_agreement_weighs_the_pair_against_its_flipped_self(losses, rate):
    """C * L(chosen, rejected) + (1 - C) * L(rejected, chosen), which below a half prefers the rejected one."""
    entries = losses(
        label_smoothing="agreement", consistency=rate, per_device_train_batch_size=1, batch_size=1, epochs=2
    )
    assert entries[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    for entry in entries:
        margin = entry["rewards/margins"]
        by_hand = rate * math.log1p(math.exp(-margin)) + (1 - rate) * math.log1p(math.exp(margin))
        assert entry["loss"] == pytest.approx(by_hand, abs=1e-5)
    last = [entry["rewards/margins"] for entry in entries[16:]]
    assert (sum(last) > 0) == (rate > 0.5)


def test_full_agreement_is_no_smoothing(losses):
    assert losses(label_smoothing="agreement") == losses()


def test_replay_adds_the_mean_over_the_tokens_of_the_drawn_examples(losses, by_hand, moved_model, examples):
    model = by_hand(moved_model)
    replay = Replay([read(model.tokenizer, one) for one in examples], 6, 7)
    of_tokens = dict(zip(replay.examples, examples, strict=True))
    drawn = [of_tokens[one] for one in replay.drawn(0)]
    by_hand_ = -torch.cat([model.logps(one.prompt, one.completion) for one in drawn]).mean().item()
    first = losses(examples, replay=6)[0]
    assert first["replay"] == pytest.approx(by_hand_, rel=1e-5)
    assert first["loss"] == pytest.approx(math.log(2) + by_hand_, rel=1e-5)


@pytest.mark.parametrize("micro", [4, 2])
def test_replay_is_shared_out_over_the_micro_batches(losses, examples, micro):
    """Six examples over four micro-batches, and over eight, of which two get none."""
    whole, parts = losses(examples, replay=6), losses(examples, replay=6, per_device_train_batch_size=micro)
    assert curve(whole) == pytest.approx(curve(parts), rel=1e-5)
    assert curve(whole, "grad_norm") == pytest.approx(curve(parts, "grad_norm"), rel=1e-4)


def test_replay_sees_every_example_before_any_again():
    tokens = [Tokens((number,), (1, 2)) for number in range(7)]
    replay = Replay(tokens, 3, seed=1)
    drawn = [one for step in range(14) for one in replay.drawn(step)]
    turns = [drawn[begin : begin + 7] for begin in range(0, 42, 7)]
    assert all(set(turn) == set(tokens) for turn in turns)
    assert len({tuple(turn) for turn in turns}) > 1
    assert drawn[:3] != Replay(tokens, 3, seed=2).drawn(0)
    assert len(Replay(tokens[:2], 5, seed=1).drawn(0)) == 5


def test_replay_without_an_example_that_fits_is_refused(losses, examples):
    with pytest.raises(NothingToTrain, match="M2, replay: none of 24 examples fits into max_length = 16"):
        losses(examples, replay=4, max_length=16)


@pytest.mark.parametrize(
    "change", ["beta=-0.1", "beta=0", "nll_coef=-1", "replay=-1", "label_smoothing=0.5", "label_smoothing=-0.1"]
)
def test_wrong_values_are_refused_before_any_compute(change):
    key = change.partition("=")[0]
    with pytest.raises(UsageError, match=f"dpo.{key}"):
        load_config("quickstart", [f"dpo.{change}"])
