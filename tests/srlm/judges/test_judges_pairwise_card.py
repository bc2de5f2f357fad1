"""The pairwise judge and its card, with judges whose card is known beforehand."""

from math import isnan

import pytest

from srlm.display import Progress
from srlm.engines.engine import Done
from srlm.judges.card import WEAK, labelled_matches, measure, percent
from srlm.judges.pairwise import Match, compare, load_pairwise
from srlm.ledger import Ledger
from srlm.prices import FREE
from srlm.stats.intervals import Estimate
from srlm.types import Answer, Completion, Failed, RankedAnswer, RankedPrompt

QUIET = Progress(quiet=True)


class Judge:
    """Says P(the answer shown first is better) by a function of both; None fails, a string is a plain vote."""

    name = identity = "scripted"

    def __init__(self, prefer):
        self.prefer, self.asked = prefer, []

    price = FREE

    def plan(self, requests):
        return [list(range(len(requests)))] if requests else []

    def run(self, batches, tick=None):
        for number, batch in enumerate(batches):
            yield Done(number, [self.reply(request) for request in batch], 1.0)

    def reply(self, request):
        content = request.messages[0].content
        first = content.split("<answer_a>\n")[1].split("\n</answer_a>")[0]
        second = content.split("<answer_b>\n")[1].split("\n</answer_b>")[0]
        self.asked.append((first, second))
        p = self.prefer(first, second)
        if p is None:
            return Failed("timeout")
        if isinstance(p, str):
            return Completion(p, "stop", 1, 1)
        return Completion("A" if p >= 0.5 else "B", "stop", 1, 1, (p, 1 - p))

    def close(self):
        pass


@pytest.fixture
def ledger(tmp_path):
    found = Ledger(tmp_path / "ledger.sqlite")
    yield found
    found.close()


def match(one="good", two="bad", name="m"):
    return Match(
        name, "Say it.", Answer(f"{name}1", name, "M1", one, "stop"), Answer(f"{name}2", name, "M2", two, "stop")
    )


def judged(prefer, ledger, *matches):
    return compare(Judge(prefer), load_pairwise(), matches or [match()], ledger, stage="s", progress=QUIET, label="l")


def test_both_orders_are_asked_and_averaged(ledger):
    judge = Judge(lambda first, second: 0.9 if first == "good" else 0.2)
    (found,) = compare(judge, load_pairwise(), [match()], ledger, stage="s", progress=QUIET, label="l")
    assert judge.asked == [("good", "bad"), ("bad", "good")]
    assert found.orders == pytest.approx((0.9, 0.8))
    assert found.value == pytest.approx(0.85)
    assert found.consistent
    assert [one.answer_ids for one in found.verdicts] == [("m1", "m2"), ("m2", "m1")]
    assert [one.id for one in found.verdicts] == ["m-v0", "m-v1"]


@pytest.mark.parametrize(("p", "bias"), [(1.0, "first"), (0.0, "second"), (0.8, "rather first")])
def test_a_judge_that_knows_only_positions_gives_one_half(ledger, p, bias):
    (found,) = judged(lambda first, second: p, ledger)
    assert found.value == pytest.approx(0.5), bias
    assert found.consistent is False


@pytest.mark.parametrize("lost", ["good", "bad"])
@pytest.mark.parametrize("kind", [None, "I cannot say"])
def test_a_missing_order_gives_no_preference_at_all(ledger, lost, kind):
    (found,) = judged(lambda first, second: kind if first == lost else 1.0, ledger)
    assert found.value is None
    assert found.consistent is None
    assert sum(one is None for one in found.orders) == 1
    assert {one.reading.kind for one in found.verdicts} == {"scored", "failed" if kind is None else "unparsed"}


def test_a_plain_vote_is_one_or_zero(ledger):
    (found,) = judged(lambda first, second: "A" if first == "good" else "B.", ledger)
    assert found.orders == (1.0, 1.0)


def test_verdicts_stay_with_their_matches(ledger):
    matches = [match(f"good {i}", f"bad {i}", f"m{i}") for i in range(5)]
    found = judged(lambda first, second: float(first in {"good 1", "good 3", "bad 0"}), ledger, *matches)
    assert [one.match.id for one in found] == ["m0", "m1", "m2", "m3", "m4"]
    assert [one.orders for one in found] == [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 1.0), (0.0, 1.0)]


# --- the card ---------------------------------------------------------------------------------------------------------


def ranked(count=12, answers=3):
    """Instructions whose answers carry their rank in their words; the better, the shorter."""
    return [
        RankedPrompt(
            f"q{i}", f"Question {i}?", tuple(RankedAnswer(f"q{i} rank {r} " + "x" * r, r) for r in range(answers))
        )
        for i in range(count)
    ]


def rank_of(text):
    return int(text.split()[2])


def card(prefer, ledger, prompts=None, limit=100):
    return measure(Judge(prefer), prompts or ranked(), ledger, limit=limit, stage="card", progress=QUIET)


def test_a_perfect_judge(ledger):
    found = card(lambda first, second: float(rank_of(first) < rank_of(second)), ledger)
    assert (found.agreement.value, found.consistency.value, found.first_position.value) == (1, 1, 0.5)
    assert (found.longer_preferred.value, found.read) == (0, 1)
    assert (found.agreement.n, found.agreement.clusters) == (36, 12)
    assert WEAK < found.agreement.low < found.agreement.high == 1
    assert not found.weak
    assert found.caption().startswith("Judge: scripted agrees with the labelled order in 100 %")


def test_a_judge_that_is_always_wrong(ledger):
    found = card(lambda first, second: float(rank_of(first) > rank_of(second)), ledger)
    assert (found.agreement.value, found.consistency.value, found.longer_preferred.value) == (0, 1, 1)
    assert found.weak


def test_a_judge_that_always_takes_the_first(ledger):
    found = card(lambda first, second: 1.0, ledger)
    assert (found.agreement.value, found.consistency.value, found.first_position.value) == (0.5, 0, 1)
    assert found.weak
    assert found.caption().startswith("This judge is weak")
    assert isnan(found.longer_preferred.value)


def test_a_judge_that_always_takes_the_second(ledger):
    found = card(lambda first, second: 0.0, ledger)
    assert (found.agreement.value, found.consistency.value, found.first_position.value) == (0.5, 0, 0)


def test_what_cannot_be_read_is_a_share_and_not_a_vote(ledger):
    def prefer(first, second):
        return "hm" if first.startswith("q0 ") else float(rank_of(first) < rank_of(second))

    found = card(prefer, ledger, ranked(count=4))
    assert found.read == pytest.approx(0.75)
    assert (found.agreement.value, found.agreement.n, found.agreement.clusters) == (1, 9, 3)


def test_a_judge_that_can_never_be_read_is_weak(ledger):
    found = card(lambda first, second: "hm", ledger)
    assert found.read == 0
    assert found.weak
    assert found.agreement.n == 0


def test_the_caption_has_words_where_there_is_no_figure(ledger):
    assert "nan" not in card(lambda first, second: 1.0, ledger).caption()


def test_percent():
    assert percent(Estimate(0.551, 0.48, 0.62, 100, 50)) == "55 % [48, 62]"


def test_labelled_pairs_are_spread_better_first_and_reproducible():
    prompts = ranked(count=4, answers=4)
    found = labelled_matches(prompts, 100)
    assert len(found) == 4 * 6
    assert all(rank_of(one.first.text) < rank_of(one.second.text) for one in found)
    assert len({one.id for one in found}) == 24
    assert [one.first.prompt_id for one in found[:8]] == ["q0", "q1", "q2", "q3"] * 2
    assert labelled_matches(prompts, 7) == found[:7]
    assert labelled_matches(prompts, 0) == []


def test_answers_of_equal_rank_are_no_pair():
    prompt = RankedPrompt("q", "Q?", tuple(RankedAnswer(text, rank) for text, rank in [("a", 0), ("b", 1), ("c", 1)]))
    found = labelled_matches([prompt], 10)
    assert sorted((one.first.text, one.second.text) for one in found) == [("a", "b"), ("a", "c")]
    assert labelled_matches([], 10) == []
