"""How far two judges inside of one model agree: Kendall's tau, rates, margins and losses, all by hand."""

import pytest

import trainer.preferences.consistency
from srlm.config import TrainConfig
from srlm.config.finetune import DPOConfig
from srlm.config.preferences import PairsConfig
from srlm.config_file import load_config
from srlm.console import Progress
from srlm.errors import UsageError
from srlm.runs import start_run
from srlm.types import Answer, Prompt
from trainer.preferences.consistency import (
    DISAGREED,
    Agreement,
    agreeing,
    implicit_rewards,
    kendall,
    mean_tau,
    rank_agreement,
)
from trainer.preferences.log_probs import Likelihood
from trainer.session import Session


@pytest.mark.parametrize(
    ("x", "y", "tau"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1),
        ([1, 2, 3, 4], [1, 3, 2, 4], 4 / 6),  # five pairs alike, one not
        ([1, 1, 2, 3], [1, 2, 2, 3], 4 / 5),  # four alike, one tied in x alone, one in y alone: 4 / sqrt(5 * 5)
        ([1, 1, 2], [5, 5, 1], -1),  # what is tied in both says nothing
        ([1, 1, 1], [1, 2, 3], None),
        ([1, 2], [3, 3], None),
        ([1], [2], None),
        ([], [], None),
    ],
)
def test_kendalls_tau_by_hand(x, y, tau):
    assert kendall(x, y) == (None if tau is None else pytest.approx(tau))
    assert kendall(y, x) == kendall(x, y)


def candidates(*numbers):
    return [
        Answer(f"p{prompt}-c{one}", f"p{prompt}", "M1", f"{prompt} {one}", "stop", one)
        for prompt, number in enumerate(numbers)
        for one in range(number)
    ]


def values(answers, *numbers):
    return {answer.id: value for answer, value in zip(answers, numbers, strict=True)}


def test_the_mean_is_over_instructions_with_a_tau():
    answers = candidates(3, 2, 2, 1)
    now = values(answers, 3, 2, 1, 5, 4, 1, 2, 9)
    then = values(answers, 3, 2, 1, 4, 5, 7, 7, 9)  # 1; -1; all tied; a single one
    assert mean_tau(answers, now, then) == (0, 2)
    assert mean_tau([], {}, {}) == (None, 0)


@pytest.mark.parametrize(("tau", "rate"), [(1.0, 1.0), (0.5, 0.75), (0.0, 0.5), (-1.0, 0.0)])
def test_the_rate_is_the_tau_on_a_scale_from_0_to_1(tau, rate):
    found = Agreement("M3", "M2", "M1", 7, tau)
    assert (found.consistency, found.smoothing) == (rate, 1 - rate)
    assert f"tau {tau:.2f}; labels smoothed by {1 - rate:.2f}." in str(found)
    assert ("nothing is learned" in str(found)) == (rate <= 0.5)


def test_without_a_ranking_labels_stay_as_they_are():
    found = Agreement("M3", "M2", "M1", 0, None)
    assert found.smoothing == 0
    assert "labels as they are" in str(found)


# --- which models are compared ----------------------------------------------------------------------------------------


@pytest.fixture
def session(tmp_path, monkeypatch):
    """A run in which every model's log-probabilities are given; it notes who reads."""
    config = TrainConfig(model="x")
    made = Session(config, start_run(tmp_path, "r", config), Progress(quiet=True))
    # Log-probabilities of four candidates of one instruction.
    given = {"M0": [-10, -20, -30, -40], "M1": [-9, -18, -27, -36], "M2": [-5, -17, -26, -32]}
    made.read = []

    def likelihoods(session, stage, model, prompts, answers):
        made.read.append((stage, model))
        return {
            answer.id: Likelihood(answer.id, model, one, 9) for answer, one in zip(answers, given[model], strict=True)
        }

    monkeypatch.setattr(trainer.preferences.consistency, "likelihoods", likelihoods)
    return made


PROMPT = Prompt("p0", "Do.", "generated")


def test_two_models_are_ranked_against_m0(session):
    """M2 less M0: 5 3 4 8, M1 less M0: 1 2 3 4, of six pairs two fall the other way."""
    found = rank_agreement(session, 2, [PROMPT], candidates(4))
    assert session.read == [("M3", "M2"), ("M3", "M1"), ("M3", "M0")]
    assert (found.model, found.current, found.before, found.instructions) == ("M3", "M2", "M1", 1)
    assert found.tau == pytest.approx(2 / 6)
    assert found.smoothing == pytest.approx(1 / 3)
    assert rank_agreement(session, 2, [PROMPT], candidates(4)) == found
    assert len(session.read) == 3  # the second time it was read from the run


def test_the_filters_reference_is_the_model_before(session):
    assert list(implicit_rewards(session, 2, [PROMPT], candidates(4)).values()) == [4, 1, 1, 4]
    assert session.read == [("M3", "M2"), ("M3", "M1")]


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_a_pair_stays_where_both_judges_prefer_the_chosen_answer(pairs):
    three = pairs[:3]
    margins = (0.5, -0.25, 0.0)
    rewards = {one.rejected_id: 1.0 for one in three}
    rewards |= {one.chosen_id: 1 + margin for one, margin in zip(three, margins, strict=True)}
    kept, dropped = agreeing(three, rewards)
    assert kept == [three[0]]
    assert [(one.id, one.reason) for one in dropped] == [(one.prompt_id, DISAGREED) for one in three[1:]]
    assert dropped[0].detail.startswith("-0.25 nats")


# --- the settings -----------------------------------------------------------------------------------------------------


def test_both_are_off_by_default():
    config = TrainConfig(model="x")
    assert (config.dpo.label_smoothing, config.pairs.agreement) == (0, None)
    assert (PairsConfig().agreement, DPOConfig(label_smoothing="0.1").label_smoothing) == (None, 0.1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["dpo.label_smoothing=agrement"], "dpo.label_smoothing: .*below 0.5, or agreement, .*not 'agrement'"),
        (["pairs.agreement=judge"], "pairs.agreement: .*'implicit', not 'judge'"),
        (["pairs.agreement=implicit", "iterations=1"], "pairs.agreement=implicit begins .* iterations is 1"),
        (["dpo.label_smoothing=agreement", "iterations=0"], "dpo.label_smoothing=agreement begins .* iterations is 0"),
    ],
)
def test_wrong_settings_are_refused_before_any_compute(changes, words):
    with pytest.raises(UsageError, match=words):
        load_config("quickstart", changes)
