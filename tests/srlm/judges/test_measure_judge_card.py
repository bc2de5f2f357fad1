"""The measurement of a judge card, with judges whose card is known beforehand."""

from dataclasses import replace
from math import isnan

import pytest

from helpers.card_judges import EXPECTED, QUIET, SAMPLED, Judge, always_first, card, rank_of, ranked, right
from srlm.errors import EngineError
from srlm.inference import Caller
from srlm.judges.judge_card import WEAK
from srlm.judges.judge_card_output import card_words
from srlm.judges.measure_judge_card import histogram, measure_judge_card
from srlm.judges.preference_data import LabelledSet
from srlm.judges.rubric import Scale
from srlm.prices import FREE
from srlm.types import RankedAnswer, RankedPrompt

# --- pairs ------------------------------------------------------------------------------------------------------------


def test_a_perfect_judge(ledger):
    found = card(right, ledger)
    assert (found.agreement.value, found.consistency.value, found.first_position.value) == (1, 1, 0.5)
    assert (found.longer_preferred.value, found.read) == (0, 1)
    assert (found.agreement.n, found.agreement.clusters) == (36, 12)
    assert WEAK < found.agreement.low < found.agreement.high == 1
    assert not found.weak
    assert found.caption().startswith("Judge: scripted agrees with the labelled order in 100 %")
    assert (found.pairs, found.instructions, found.labelled) == (36, 12, "made")


def test_a_judge_that_is_always_wrong(ledger):
    found = card(lambda first, second: 1 - right(first, second), ledger)
    assert (found.agreement.value, found.consistency.value, found.longer_preferred.value) == (0, 1, 1)
    assert found.weak
    assert "below chance" in card_words(found)[0]


def test_a_judge_that_always_takes_the_first(ledger):
    found = card(always_first, ledger)
    assert (found.agreement.value, found.consistency.value, found.first_position.value) == (0.5, 0, 1)
    assert found.weak
    assert found.caption().startswith("This judge is weak")
    assert isnan(found.longer_preferred.value)
    words = card_words(found)
    assert "not significantly different from chance" in words[0]
    assert "names the answer shown first in 100 %" in words[1]


def test_a_judge_that_always_takes_the_second(ledger):
    found = card(lambda first, second: 0.0, ledger)
    assert (found.agreement.value, found.consistency.value, found.first_position.value) == (0.5, 0, 0)
    assert "names the answer shown second in 100 %" in card_words(found)[1]


def test_a_judge_that_cannot_decide_has_no_position(ledger):
    found = card(lambda first, second: 0.5, ledger)
    assert (found.agreement.value, found.first_position.value) == (0.5, 0.5)
    assert found.length.preferred.n == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_a_judge_that_goes_by_length(ledger, sign):
    """Two instructions of three have the longer answer as the better one; the labels must be counted on those pairs."""
    prompts = tuple(
        RankedPrompt(f"q{i}", f"Question {i}?", (RankedAnswer("a" * (9 if i % 3 else 3), 0), RankedAnswer("b" * 6, 1)))
        for i in range(30)
    )
    found = card(lambda first, second: float(sign * len(first) > sign * len(second)), ledger, prompts)
    assert found.length.preferred.value == (1 if sign > 0 else 0)
    assert found.length.labelled.value == pytest.approx(2 / 3)
    assert found.length.excess.value == pytest.approx(1 / 3 if sign > 0 else -2 / 3)
    assert (found.length.excess.low > 0) == (sign > 0)
    assert found.longer_preferred == found.length.preferred
    (sentence,) = [line for line in card_words(found) if "longer" in line]
    assert ("more often than the labels" in sentence) == (sign > 0)
    assert "by 33 points [" in sentence or "by 67 points [" in sentence


def test_pairs_of_equal_length_say_nothing_about_length(ledger):
    prompts = tuple(
        RankedPrompt(f"q{i}", f"Question {i}?", (RankedAnswer("q x 0", 0), RankedAnswer("q x 1", 1))) for i in range(5)
    )
    found = card(right, ledger, prompts)
    assert found.agreement.value == 1
    for figure in (found.length.preferred, found.length.labelled, found.length.excess):
        assert isnan(figure.value)
        assert figure.n == 0
    assert "an unknown share" in found.caption()


def test_what_cannot_be_read_is_a_share_and_not_a_vote(ledger):
    def prefer(first, second):
        return "hm" if first.startswith("q0 ") else right(first, second)

    found = card(prefer, ledger, ranked(count=4))
    assert found.read == pytest.approx(0.75)
    assert (found.agreement.value, found.agreement.n, found.agreement.clusters) == (1, 9, 3)
    assert found.reliability.parsed.value == pytest.approx(0.75)
    assert found.reliability.failed.value == 0


def test_failed_calls_are_not_unread_replies(ledger):
    def prefer(first, second):
        return None if first.startswith("q0 ") else "hm" if first.startswith("q1 ") else right(first, second)

    found = card(prefer, ledger, ranked(count=4))
    assert found.reliability.failed.value == pytest.approx(1 / 4)
    assert found.reliability.parsed.value == pytest.approx(2 / 3)
    assert found.read == pytest.approx(1 / 2)
    assert found.reliability.verdicts == 4 * 3 * 2


def test_a_judge_that_can_never_be_read_is_weak(ledger):
    found = card(lambda first, second: "hm", ledger)
    assert found.read == 0
    assert found.weak
    assert found.agreement.n == 0
    assert "its reliability is unknown" in card_words(found)[0]


def test_a_judge_that_never_answers_has_no_card(ledger):
    with pytest.raises(EngineError, match="scripted"):
        card(lambda first, second: None, ledger)


def test_two_records_on_one_instruction_are_one_cluster(ledger):
    prompts = tuple(replace(prompt, instruction="The same?") for prompt in ranked(count=6))
    found = card(right, ledger, prompts)
    assert (found.agreement.n, found.agreement.clusters, found.instructions) == (18, 1, 1)
    assert isnan(found.agreement.low)
    assert found.weak


def test_subsets_have_an_agreement_each(ledger):
    labelled = LabelledSet("made", {"easy": ranked(prefix="e"), "hard": ranked(count=5, prefix="h")})
    judge = Judge(
        lambda first, second: right(first, second) if first.startswith("e") else 1 - right(first, second), rank_of
    )
    found = measure_judge_card(Caller(judge, ledger, "card", QUIET), labelled, limit=None, pointwise=EXPECTED)
    assert {name: one.value for name, one in found.subsets.items()} == {"easy": 1, "hard": 0}
    assert {name: one.n for name, one in found.subsets.items()} == {"easy": 36, "hard": 15}
    assert {name: one.value for name, one in found.scores.subsets.items()} == {"easy": 0, "hard": 0}
    assert found.agreement.value == pytest.approx(36 / 51)


def test_one_set_has_no_subsets(ledger):
    assert card(right, ledger).subsets == {}


# --- scores -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("judge", [EXPECTED, SAMPLED])
def test_scores_that_are_right(ledger, judge):
    found = card(Judge(right, lambda text: 5 - 2 * rank_of(text)), ledger, pointwise=judge).scores
    assert (found.agreement.value, found.ties.value) == (1, 0)
    assert found.histogram == (0, 12, 0, 12, 0, 12)
    assert found.mean.value == pytest.approx(3)
    assert (found.mean.n, found.mean.clusters) == (36, 12)
    assert found.reliability.verdicts == 36 * (1 if judge is EXPECTED else 2)
    assert found.length.preferred.value == 0
    assert found.scoring == ("expected" if judge is EXPECTED else "sampled x 2")
    assert not found.weak


def test_equal_scores_are_ties_and_half_right(ledger):
    found = card(Judge(right, lambda text: 3), ledger, pointwise=SAMPLED).scores
    assert (found.agreement.value, found.ties.value) == (0.5, 1)
    assert found.weak
    assert found.histogram == (0, 0, 0, 36, 0, 0)
    assert isnan(found.length.preferred.value)


def test_answers_without_a_score_leave_the_pairs_and_are_counted(ledger):
    def grade(text):
        return None if text.startswith("q0 ") else "no score" if text.startswith("q1 ") else 5 - rank_of(text)

    found = card(Judge(right, grade), ledger, pointwise=SAMPLED, prompts=ranked(count=4)).scores
    assert (found.agreement.value, found.agreement.n, found.agreement.clusters) == (1, 6, 2)
    assert sum(found.histogram) == 6
    assert found.reliability.failed.value == pytest.approx(1 / 4)
    assert found.reliability.parsed.value == pytest.approx(2 / 3)


def test_each_answer_is_scored_once_for_all_its_pairs(ledger):
    judge = Judge(right, rank_of)
    card(judge, ledger, pointwise=EXPECTED)
    assert judge.asked == 2 * 36 + 36


def test_the_histogram_takes_the_nearest_point():
    assert histogram([0.2, 0.5, 1.49, 4.5, 5.0], Scale(0, 5)) == (1, 2, 0, 0, 0, 2)
    assert histogram([1.0, 4.6], Scale(1, 5)) == (1, 0, 0, 0, 1)
    assert histogram([], Scale(0, 5)) == (0,) * 6


# --- time and money ---------------------------------------------------------------------------------------------------


class Price:
    """Costs so much a call; None is not known."""

    def __init__(self, cost):
        self.cost = cost

    def of(self, reply):
        return self.cost


@pytest.mark.parametrize(("price", "dollars"), [(FREE, 0), (Price(0.002), 2.0)])
def test_time_and_cost_per_thousand_verdicts(ledger, price, dollars):
    found = card(Judge(right, rank_of, price=price), ledger, pointwise=SAMPLED)
    for one in (found.reliability, found.scores.reliability):
        assert one.seconds.value == pytest.approx(2000)
        assert one.cost.value == pytest.approx(dollars)


@pytest.mark.parametrize("price", [None, Price(None)])
def test_a_cost_that_is_not_known_is_no_zero(ledger, price):
    found = card(Judge(right, rank_of, price=price), ledger, pointwise=EXPECTED)
    assert isnan(found.reliability.cost.value)
    assert isnan(found.scores.reliability.cost.value)
    assert found.reliability.seconds.value == pytest.approx(2000)


def test_a_second_run_asks_nothing_and_gives_the_same_card(ledger):
    judge = Judge(right, rank_of)
    first = card(judge, ledger, pointwise=SAMPLED)
    asked, judge.seconds = judge.asked, 77.0
    again = card(judge, ledger, pointwise=SAMPLED)
    assert judge.asked == asked
    assert repr(again) == repr(first)  # nan is not equal to itself
