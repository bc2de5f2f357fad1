"""CREAM's consistency rate: Kendall's tau, rates and label smoothing, all by hand."""

import pytest

from srlm.config import TrainConfig
from srlm.config.finetune import DPOConfig
from srlm.config.preferences import PairsConfig
from srlm.config_file import load_config
from srlm.errors import UsageError
from srlm.types import Prompt
from trainer.preferences.consistency import RankAgreement, kendall, mean_tau, rank_agreement


@pytest.mark.parametrize(
    ("x", "y", "tau"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1),
        ([1, 2, 3, 4], [1, 3, 2, 4], 4 / 6),  # five pairs concordant, one discordant
        ([1, 1, 2, 3], [1, 2, 2, 3], 4 / 5),  # four concordant, one tied in x alone, one in y alone: 4 / sqrt(5 * 5)
        ([1, 1, 2], [5, 5, 1], -1),  # a tie in both has no effect
        ([1, 1, 1], [1, 2, 3], None),
        ([1, 2], [3, 3], None),
        ([1], [2], None),
        ([], [], None),
    ],
)
def test_kendalls_tau_by_hand(x, y, tau):
    assert kendall(x, y) == (None if tau is None else pytest.approx(tau))
    assert kendall(y, x) == kendall(x, y)


def values(answers, *numbers):
    return {answer.id: value for answer, value in zip(answers, numbers, strict=True)}


def test_the_mean_is_over_prompts_with_a_tau(candidates):
    answers = candidates(3, 2, 2, 1)
    now = values(answers, 3, 2, 1, 5, 4, 1, 2, 9)
    then = values(answers, 3, 2, 1, 4, 5, 7, 7, 9)  # 1; -1; all tied; a single one
    assert mean_tau(answers, now, then) == (0, 2)
    assert mean_tau([], {}, {}) == (None, 0)


@pytest.mark.parametrize(("tau", "rate"), [(1.0, 1.0), (0.5, 0.75), (0.0, 0.5), (-1.0, 0.0)])
def test_the_rate_is_the_tau_on_a_scale_from_0_to_1(tau, rate):
    found = RankAgreement("M3", "M2", "M1", 7, tau)
    assert (found.consistency, found.smoothing) == (rate, 1 - rate)
    assert f"tau {tau:.2f}; label smoothing {1 - rate:.2f}." in str(found)
    assert ("learns no preference" in str(found)) == (rate <= 0.5)


def test_without_a_ranking_there_is_no_smoothing():
    found = RankAgreement("M3", "M2", "M1", 0, None)
    assert found.smoothing == 0
    assert "no label smoothing" in str(found)


def test_two_models_are_ranked_against_m0(session, candidates):
    """M2 - M0: 5 3 4 8; M1 - M0: 1 2 3 4. Of six pairs two are discordant."""
    prompts = [Prompt("p0", "Do.", "generated")]
    found = rank_agreement(session, 2, prompts, candidates(4))
    assert session.read == [("M3", "M2"), ("M3", "M1"), ("M3", "M0")]
    assert (found.model, found.current, found.before, found.instructions) == ("M3", "M2", "M1", 1)
    assert found.tau == pytest.approx(2 / 6)
    assert found.smoothing == pytest.approx(1 / 3)
    assert rank_agreement(session, 2, prompts, candidates(4)) == found
    assert len(session.read) == 3  # the second time it was read from the run


# --- the settings -----------------------------------------------------------------------------------------------------


def test_smoothing_and_filter_are_off_by_default():
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
