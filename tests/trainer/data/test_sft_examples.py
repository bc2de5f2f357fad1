"""What supervised tuning sees: judgements in the order of people's ranks, scores that no single value dominates."""

from collections import Counter
from itertools import pairwise, product
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srlm.console import Progress
from srlm.engines.engine import BatchResult
from srlm.inference import Caller
from srlm.judges.parse import read_score
from srlm.judges.pointwise import PointwiseJudge
from srlm.judges.rubric import load_rubric
from srlm.ledger import Ledger
from srlm.prices import FREE
from srlm.types import (
    Completion,
    Demonstration,
    Failed,
    RankedAnswer,
    RankedPrompt,
    Sampling,
    Scored,
    Unparsed,
    Verdict,
)
from trainer.data.sft_examples import (
    Example,
    agreeing,
    bare_eft_examples,
    eft_examples,
    ift_examples,
    spread,
    thin,
    written_eft_examples,
)

readings = st.integers(0, 5).map(lambda value: Scored(float(value), f"Score: {value}")) | st.sampled_from(
    [Unparsed("?", "no score line"), Failed("timeout")]
)


def verdicts(given_readings):
    return [Verdict(f"v{i}", "SFT", "r", ("a",), one, i) for i, one in enumerate(given_readings)]


def scored(*values):
    return verdicts([Scored(float(value), f"Score: {value}") for value in values])


def chosen(ranks, *of_answers):
    found = agreeing([scored(*values) for values in of_answers], ranks)
    return None if found is None else [one.value for one in found]


def test_ift_and_eft_examples():
    (one,) = ift_examples([Demonstration("d", "Do.", "BatchResult.")])
    assert (one.source, one.prompt, one.completion, one.score) == ("IFT", "Do.", "BatchResult.", None)
    answers = (
        RankedAnswer("best", 0, 5, "Why."),
        RankedAnswer("no rationale", 1, 3),
        RankedAnswer("worst", 2, 0, "Bad."),
    )
    found = eft_examples([RankedPrompt("q", "Do.", answers)], load_rubric("additive"))
    assert [(one.id, one.score, one.completion) for one in found] == [
        ("q-a0", 5, "Why.\nScore: 5"),
        ("q-a2", 0, "Bad.\nScore: 0"),
    ]
    assert all("Do." in one.prompt for one in found)
    assert [read_score(Completion(one.completion, "stop", 1, 1)).value for one in found] == [5, 0]


@pytest.mark.parametrize(
    ("rubric", "ranks", "scores"),
    [
        ("additive", [0, 1], [5, 0]),
        ("additive", [2, 0, 1], [0, 5, 2]),
        ("additive", [0, 3, 3, 7], [5, 2, 2, 0]),
        ("levels", [0, 1, 2, 3, 4], [5, 4, 3, 2, 1]),
    ],
)
def test_bare_scores_follow_the_ranks_over_the_whole_scale(rubric, ranks, scores):
    answers = tuple(RankedAnswer(f"answer {index}", rank) for index, rank in enumerate(ranks))
    found = bare_eft_examples([RankedPrompt("q", "Do.", answers)], load_rubric(rubric))
    assert [one.score for one in found] == scores
    assert [one.completion for one in found] == [f"Score: {score}" for score in scores]
    assert [f"answer {index}" in one.prompt for index, one in enumerate(found)] == [True] * len(scores)


# --- agreeing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ranks", "of_answers", "found"),
    [
        ([0, 1, 2], [(5,), (3,), (1,)], [5, 3, 1]),
        ([2, 0, 1], [(1,), (5,), (3,)], [1, 5, 3]),
        ([0, 1, 2], [(3, 5, 4), (4, 2), (4, 3, 0)], [5, 4, 3]),
        ([0, 1], [(4, 2), (4, 3)], [4, 3]),
        ([0, 1], [(3,), (3,)], None),
        ([0, 1], [(2,), (4,)], None),
        ([0, 1, 2], [(5,), (4,), (4,)], None),
        ([0, 1], [(5,), ()], None),
        ([], [], []),
        ([0], [(0, 2)], [2]),
        # Equal ranks: any order among themselves, all below the better and above the worse.
        ([0, 1, 1, 2], [(5,), (4,), (3,), (2,)], [5, 4, 3, 2]),
        ([0, 1, 1, 2], [(5,), (3,), (3,), (2,)], [5, 3, 3, 2]),
        ([0, 1, 1, 2], [(5,), (4,), (2,), (3, 1)], [5, 4, 2, 1]),
        ([0, 1, 1, 2], [(5,), (2,), (4,), (3,)], None),
        ([0, 0], [(1,), (5,)], [1, 5]),
    ],
)
def test_agreeing_by_hand(ranks, of_answers, found):
    assert chosen(ranks, *of_answers) == found


def test_what_cannot_be_read_is_never_chosen():
    mixed = [verdicts([Unparsed("Score: 5?", ""), Scored(3.0, "b"), Failed("")]), scored(1)]
    assert [one.value for one in agreeing(mixed, [0, 1])] == [3, 1]
    assert agreeing([verdicts([Unparsed("", ""), Failed("")]), scored(1)], [0, 1]) is None


def agrees(values, ranks):
    pairs = [(i, j) for i in range(len(ranks)) for j in range(len(ranks)) if ranks[i] < ranks[j]]
    return all(values[i] > values[j] for i, j in pairs)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.lists(readings, max_size=3)), max_size=4))
def test_agreeing_finds_a_choice_whenever_there_is_one(items):
    ranks = [rank for rank, _ in items]
    found = agreeing([verdicts(given_readings) for _, given_readings in items], ranks)
    possible = [
        choice
        for choice in product(*[[one.value for one in own if isinstance(one, Scored)] for _, own in items])
        if agrees(choice, ranks)
    ]
    if found is None:
        assert possible == []
    else:
        assert tuple(one.value for one in found) in possible
        assert all(one in own for one, (_, own) in zip(found, items, strict=True))


# --- written judgements -----------------------------------------------------------------------------------------------


class Baseline:
    """A judge that gives the answer "... is worth N" the scores N, N + 1, N + 2, one a sample."""

    name = identity = "SFT"

    price = FREE

    def plan(self, requests):
        return [[index] for index in range(len(requests))]

    def run(self, batches, on_progress=None):
        for number, (request,) in enumerate(batches):
            value = int(request.messages[0].content.split("is worth ")[1][0])
            if request.choices:
                probabilities = tuple(float(str(value) == choice) for choice in request.choices)
                yield BatchResult(number, [Completion(str(value), "stop", 1, 1, probabilities)], 1.0)
            else:
                yield BatchResult(number, [Completion(f"Because.\nScore: {value + request.sample}", "stop", 1, 1)], 1.0)

    def close(self):
        pass


def written(tmp_path, scoring, *prompts):
    ledger, stored = Ledger(tmp_path / "ledger.sqlite"), {}
    session = SimpleNamespace(
        judge=lambda: PointwiseJudge(load_rubric("additive"), scoring, 3, Sampling(0.7, 0.9, 64)),
        caller=lambda model, stage: Caller(Baseline(), ledger, stage, Progress(quiet=True)),
        config=SimpleNamespace(seed=0),
        progress=Progress(quiet=True),
        run=SimpleNamespace(ledger=ledger, write=stored.__setitem__),
    )
    found = written_eft_examples(session, "SFT", prompts)
    ledger.close()
    return found, stored


def worth(name, *values):
    answers = tuple(RankedAnswer(f"{name} {rank} is worth {value}", rank) for rank, value in enumerate(values))
    return RankedPrompt(name, "Do.", answers)


def test_judgements_of_the_baseline_are_kept_where_they_agree_with_people(tmp_path):
    found, stored = written(tmp_path, "sampled", worth("good", 3, 2, 1), worth("against", 0, 4), worth("tied", 1, 1))
    assert [(one.id, one.score, one.completion) for one in found] == [
        ("good-a0", 5, "Because.\nScore: 5"),
        ("good-a1", 4, "Because.\nScore: 4"),
        ("good-a2", 3, "Because.\nScore: 3"),
        ("tied-a0", 3, "Because.\nScore: 3"),
        ("tied-a1", 2, "Because.\nScore: 2"),
    ]
    assert len(stored["M1/verdicts"]) == 3 * 7


def test_written_judgements_are_words_and_a_score_in_either_way_of_scoring(tmp_path):
    found, _ = written(tmp_path, "expected", worth("good", 3, 2, 1))
    assert [read_score(Completion(one.completion, "stop", 1, 1)).kind for one in found] == ["scored"] * 3


# --- thin and spread --------------------------------------------------------------------------------------------------


def examples(*scores):
    return [Example(f"e{i}", "EFT", "p", "c", score) for i, score in enumerate(scores)]


def counts(found):
    return Counter(one.score for one in found)


def test_the_most_common_score_is_capped_at_the_second():
    given_examples = examples(*[4] * 10, *[2] * 3, *[1] * 2)
    found = thin(given_examples, seed=0)
    assert counts(found) == {4: 3, 2: 3, 1: 2}
    assert found == sorted(found, key=given_examples.index)
    assert found == thin(given_examples, seed=0)
    assert {tuple(one.id for one in thin(given_examples, seed)) for seed in range(5)} != {
        tuple(one.id for one in found)
    }


@pytest.mark.parametrize("scores", [(), (4, 4, 4), (4, 4, 2, 2), (5, 4, 3)])
def test_nothing_to_thin(scores):
    assert thin(examples(*scores), seed=0) == examples(*scores)


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 20), st.integers(0, 3))
def test_spread_is_as_even_as_can_be(scores, limit, seed):
    given_examples = examples(*scores)
    found = spread(given_examples, limit, seed)
    assert len(found) == min(limit, len(scores))
    assert len({one.id for one in found}) == len(found)
    assert {one.id for one in found} <= {one.id for one in given_examples}
    assert found == spread(given_examples, limit, seed)
    all_of, taken = counts(given_examples), counts(found)
    for score, own in all_of.items():
        # A score that has examples left over is never two behind another.
        if taken[score] < own:
            assert max(taken.values()) - taken[score] <= 1


def test_spread_without_a_limit_keeps_all():
    assert spread(examples(1, 2), None, 0) == examples(1, 2)
    assert spread(examples(1, 2), 2, 0) == examples(1, 2)


def test_a_larger_limit_contains_a_smaller_one():
    given_examples = examples(*[5] * 9, *[3] * 4, 1)
    ids = [{one.id for one in spread(given_examples, limit, 1)} for limit in range(1, 14)]
    assert all(small < large for small, large in pairwise(ids))
