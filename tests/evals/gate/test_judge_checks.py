"""Requirements on the judge: its card, missing verdicts, and models that fooled it."""

from dataclasses import replace

import pytest

from evals.gate.decision import decide
from evals.gate.messages import headline
from evals.metric import Cell
from helpers.comparisons import comparison, judge, policy, rates, row, rule
from srlm.stats.intervals import Estimate

BETTER = rates("win_rate", both=400, gained=80, lost=20, neither=300)
EQUAL = rates("win_rate", both=400, gained=20, lost=20, neither=360)
WORSE = rates("win_rate", both=400, gained=20, lost=120, neither=260)
FEW = rates("win_rate", both=10, gained=2, lost=2, neither=6)


def judged(floors, *judges, rows=(EQUAL,), on="win_rate"):
    return decide(comparison(*rows, judges=judges), "M2", policy(rule(on), judge=floors))


@pytest.mark.parametrize(
    ("floor", "figures"),
    [
        ({"agreement": 0.65}, {"agreement": 0.64}),
        ({"consistency": 0.5}, {"consistency": 0.49}),
        ({"parsed": 0.95}, {"read": 0.94}),
    ],
)
def test_a_card_below_its_floor_is_a_broken_judge_whatever_the_rules_say(floor, figures):
    for one in (BETTER, WORSE, FEW):
        assert judged(floor, judge(**figures), rows=(one,)).outcome == "judge broken"
    assert judged(floor, judge()).outcome == "pass"
    assert judged({}, judge(**figures)).outcome == "pass"
    at_the_floor = {next(iter(figures)): next(iter(floor.values()))}
    assert judged(floor, judge(**at_the_floor)).outcome == "pass"


def test_a_card_of_a_judge_that_said_nothing_is_below_every_floor():
    assert judged({"agreement": 0.1}, judge(agreement=float("nan"))).outcome == "judge broken"


def test_the_judge_of_a_suite_without_a_rule_is_not_looked_at():
    decided = judged({"agreement": 0.65}, judge(), judge("head-to-head", agreement=0.5))
    assert (decided.outcome, [check.state for check in decided.checks]) == ("pass", ["holds"])


@pytest.mark.parametrize("floor", ["agreement", "consistency", "parsed"])
@pytest.mark.parametrize("judges", [[], [judge("head-to-head")]])
def test_a_comparison_that_does_not_say_who_judged_passes_no_policy_that_asks_for_it(floor, judges):
    decided = judged({floor: 0.1}, *judges)
    assert decided.outcome == "judge broken"
    assert "the suite alpaca" in headline(decided) and "does not name the judge" in headline(decided)
    graded = replace(EQUAL, key="prompt_strict")
    assert (
        judged({floor: 0.1}, *judges, rows=(graded,), on="prompt_strict").outcome == "pass"
    )  # a suite without a judge


def test_a_comparison_without_the_row_of_what_was_judged_is_no_pass_either():
    decided = judged({"missing": 0.1}, judge())
    assert decided.outcome == "judge broken"
    assert "the share of prompts with a verdict" in headline(decided)


def test_a_suite_without_a_card_is_said_and_not_refused():
    graded = replace(EQUAL, key="mt_bench")
    decided = judged({"agreement": 0.65}, replace(judge("mt-bench"), card=None), rows=(graded,), on="mt_bench")
    assert decided.outcome == "pass"
    assert [check.state for check in decided.checks] == ["unknown"]


@pytest.mark.parametrize(
    ("metric_key", "answered"),
    [
        ("win_rate", "judged"),
        ("head_to_head", "head_to_head_judged"),
        ("mt_bench_turn", "mt_bench_graded"),
        ("rm_pairwise_half", "parse_rate"),
        ("instruction_loose", "verifiable_answered"),
    ],
)
@pytest.mark.parametrize("model", ["M1", "M2"])
def test_verdicts_that_are_missing_break_it_for_candidate_and_baseline_alike(metric_key, answered, model):
    def share(value):
        return Estimate(value, value - 0.01, value + 0.01, 100, 100)

    lacking = row(answered, [1.0, 1.0], [1.0, 1.0], tested=False)
    shares = {name: Cell(share(0.94 if name == model else 1.0)) for name in ("M1", "M2")}
    rows = (replace(EQUAL, key=metric_key), replace(lacking, cells=shares))
    broken = judged({"missing": 0.05}, rows=rows, on=metric_key)
    assert broken.outcome == "judge broken"
    assert [(check.of, check.value) for check in broken.checks if check.state == "broken"] == [
        (model, pytest.approx(0.06))
    ]
    assert judged({"missing": 0.06}, rows=rows, on=metric_key).outcome == "pass"


@pytest.mark.parametrize("fooling", ["M1", "M2"])
def test_a_model_that_fooled_the_judge_decides_nothing_and_never_passes(fooling):
    whole = comparison(BETTER, replace(EQUAL, key="prompt_strict"), judges=[judge()])
    known = whole.model_copy(update={"distrusted": {fooling: "it gave one and the same answer to 800 of 800 prompts"}})
    decided = decide(known, "M2", policy(rule()))
    assert decided.outcome == "judge broken"
    assert "one and the same answer to 800" in headline(decided)
    assert decide(known, "M2", policy(rule("prompt_strict"))).outcome == "pass"  # no judge was there to be fooled
    assert decide(whole, "M2", policy(rule())).outcome == "pass"
