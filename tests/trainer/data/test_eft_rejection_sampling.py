"""EFT by rejection sampling: judgements whose scores agree with the human ranks."""

from itertools import product
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
from srlm.types import Completion, Failed, RankedAnswer, RankedPrompt, Sampling, Scored, Unparsed, Verdict
from trainer.data.eft_rejection_sampling import choose_rank_consistent, sample_eft_examples

readings = st.integers(0, 5).map(lambda value: Scored(float(value), f"Score: {value}")) | st.sampled_from(
    [Unparsed("?", "no score line"), Failed("timeout")]
)


def verdicts(given_readings):
    return [Verdict(f"v{i}", "SFT", "r", ("a",), one, i) for i, one in enumerate(given_readings)]


def scored(*values):
    return verdicts([Scored(float(value), f"Score: {value}") for value in values])


def chosen(ranks, *of_answers):
    found = choose_rank_consistent([scored(*values) for values in of_answers], ranks)
    return None if found is None else [one.value for one in found]


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
def test_the_choice_by_hand(ranks, of_answers, found):
    assert chosen(ranks, *of_answers) == found


def test_an_unparsed_verdict_is_never_chosen():
    mixed = [verdicts([Unparsed("Score: 5?", ""), Scored(3.0, "b"), Failed("")]), scored(1)]
    assert [one.value for one in choose_rank_consistent(mixed, [0, 1])] == [3, 1]
    assert choose_rank_consistent([verdicts([Unparsed("", ""), Failed("")]), scored(1)], [0, 1]) is None


def agrees(values, ranks):
    pairs = [(i, j) for i in range(len(ranks)) for j in range(len(ranks)) if ranks[i] < ranks[j]]
    return all(values[i] > values[j] for i, j in pairs)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.lists(readings, max_size=3)), max_size=4))
def test_a_choice_is_found_whenever_one_exists(items):
    ranks = [rank for rank, _ in items]
    found = choose_rank_consistent([verdicts(given_readings) for _, given_readings in items], ranks)
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


# --- sampled judgements ----------------------------------------------------------------------------------------------


class Baseline:
    """A judge whose samples score the answer "... is worth N" with N, N + 1, N + 2."""

    name = identity = "SFT"

    price = FREE

    def plan(self, requests):
        return [[index] for index in range(len(requests))]

    def run(self, batches, tick=None):
        for number, (request,) in enumerate(batches):
            value = int(request.messages[0].content.split("is worth ")[1][0])
            if request.choices:
                probabilities = tuple(float(str(value) == choice) for choice in request.choices)
                yield BatchResult(number, [Completion(str(value), "stop", 1, 1, probabilities)], 1.0)
            else:
                yield BatchResult(number, [Completion(f"Because.\nScore: {value + request.sample}", "stop", 1, 1)], 1.0)

    def close(self):
        pass


def sampled(tmp_path, scoring, *prompts):
    ledger, stored = Ledger(tmp_path / "ledger.sqlite"), {}
    session = SimpleNamespace(
        judge=lambda: PointwiseJudge(load_rubric("additive"), scoring, 3, Sampling(0.7, 0.9, 64)),
        caller=lambda model, stage: Caller(Baseline(), ledger, stage, Progress(quiet=True)),
        config=SimpleNamespace(seed=0),
        progress=Progress(quiet=True),
        run=SimpleNamespace(ledger=ledger, write=stored.__setitem__),
    )
    found = sample_eft_examples(session, "SFT", prompts)
    ledger.close()
    return found, stored


def worth(name, *values):
    answers = tuple(RankedAnswer(f"{name} {rank} is worth {value}", rank) for rank, value in enumerate(values))
    return RankedPrompt(name, "Do.", answers)


def test_judgements_are_kept_if_they_agree_with_the_ranks(tmp_path):
    found, stored = sampled(tmp_path, "sampled", worth("good", 3, 2, 1), worth("against", 0, 4), worth("tied", 1, 1))
    assert [(one.id, one.score, one.completion) for one in found] == [
        ("good-a0", 5, "Because.\nScore: 5"),
        ("good-a1", 4, "Because.\nScore: 4"),
        ("good-a2", 3, "Because.\nScore: 3"),
        ("tied-a0", 3, "Because.\nScore: 3"),
        ("tied-a1", 2, "Because.\nScore: 2"),
    ]
    assert len(stored["M1/verdicts"]) == 3 * 7


def test_sampled_judgements_have_words_and_a_score_with_either_scoring(tmp_path):
    found, _ = sampled(tmp_path, "expected", worth("good", 3, 2, 1))
    assert [read_score(Completion(one.completion, "stop", 1, 1)).kind for one in found] == ["scored"] * 3
