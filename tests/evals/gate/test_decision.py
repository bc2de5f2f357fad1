"""Rules on differences whose truth is known by hand, and what holds for all of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.compare.comparison import Comparison
from evals.gate.comparison_json import from_comparison
from evals.gate.decision import EXIT, decide
from evals.gate.messages import headline, rule_text
from evals.metric import metric
from helpers.comparisons import comparison, judge, policy, rates, row, rule, values
from srlm.errors import UnknownName, UsageError

BETTER = rates("win_rate", both=400, gained=80, lost=20, neither=300)
EQUAL = rates("win_rate", both=400, gained=20, lost=20, neither=360)
SLIGHTLY_WORSE = rates("win_rate", both=4000, gained=100, lost=200, neither=3700)
WORSE = rates("win_rate", both=400, gained=20, lost=120, neither=260)
FEW = rates("win_rate", both=10, gained=2, lost=2, neither=6)


def only(one, *rules, **more):
    return decide(comparison(one), "M2", policy(*(rules or (rule(),)), **more))


def finding(one, *rules, **more):
    (found,) = only(one, *rules, **more).results
    return found


@pytest.mark.parametrize(
    ("one", "kind", "verdict"),
    [
        (BETTER, "non-inferiority", "pass"),
        (BETTER, "superiority", "pass"),
        (EQUAL, "non-inferiority", "pass"),
        (EQUAL, "superiority", "inconclusive"),
        (SLIGHTLY_WORSE, "non-inferiority", "pass"),
        (SLIGHTLY_WORSE, "superiority", "regression"),
        (WORSE, "non-inferiority", "regression"),
        (WORSE, "superiority", "regression"),
        (FEW, "non-inferiority", "inconclusive"),
        (FEW, "superiority", "inconclusive"),
    ],
)
def test_verdicts(one, kind, verdict):
    decided = only(one, rule(kind=kind, margin="5 points" if kind == "non-inferiority" else None))
    assert decided.outcome == decided.results[0].verdict == verdict
    assert decided.exit_code == EXIT[verdict]
    assert headline(decided).startswith(verdict.capitalize())


def test_superiority_with_a_margin_is_by_more_than_that():
    assert finding(BETTER, rule(kind="superiority", margin="1 point")).verdict == "pass"
    assert finding(BETTER, rule(kind="superiority", margin="7 points")).verdict == "inconclusive"


def test_worse_within_the_margin_passes_and_is_said():
    found = finding(SLIGHTLY_WORSE)
    assert (found.verdict, found.worse) == ("pass", True)
    assert "significantly worse, within the margin" in rule_text(found).sentence


def test_where_less_is_better_it_is_the_upper_end_that_must_stay_below():
    longer = row("length", [100 + i for i in range(200)], [140 + i + i % 3 for i in range(200)], "chars", "neither")
    found = finding(longer, rule("length", margin="100 characters", better="less"))
    assert found.verdict == "pass"
    assert (found.threshold, found.difference.value) == (100, pytest.approx(40.995))
    assert 41 < found.bound < 42
    words = rule_text(found)
    assert "at most 42 characters more. It is significantly more, within the margin." in words.sentence
    assert words.cells[5] == "below +100"
    assert finding(longer, rule("length", margin="30 characters", better="less")).verdict == "regression"
    assert finding(longer, rule("length", margin="30 characters", better="more")).verdict == "pass"


def test_an_open_rule_says_how_many_prompts_a_truly_equal_candidate_needs():
    found = finding(FEW)
    assert found.needed.assuming == "equal"
    assert found.needed.prompts > found.prompts == 20
    cell = rule_text(found).cells[-1]
    assert cell == f"{found.needed.prompts:,} (+{found.needed.prompts - 20:,})"
    more = f"{found.needed.prompts:,} prompts, {found.needed.prompts - 20:,} more than there are, in 80 % of tries"
    assert more in rule_text(found).sentence
    certain = finding(FEW, power=0.95).needed.prompts
    assert certain > found.needed.prompts


def test_with_prompts_enough_for_an_equal_candidate_the_number_is_for_what_was_measured():
    looks_worse = rates("win_rate", both=500, gained=75, lost=105, neither=320)
    found = finding(looks_worse, rule(margin="4 points", risk=0.05), risk=0.001)
    assert (found.verdict, found.needed.assuming, found.needed.shows) == ("inconclusive", "measured", "pass")
    assert found.needed.prompts > found.prompts
    assert "If the difference is as measured" in rule_text(found).sentence
    past = finding(rates("win_rate", both=500, gained=60, lost=117, neither=323), rule(risk=0.2), risk=0.0000001)
    assert past.difference.value < -0.05
    assert (past.verdict, past.needed.assuming, past.needed.shows) == ("inconclusive", "measured", "regression")
    assert "to show that it is worse" in rule_text(past).sentence


def test_superiority_of_what_is_not_better_has_no_number_of_prompts():
    balanced = rates("win_rate", both=400, gained=20, lost=20, neither=360)
    found = finding(balanced, rule(kind="superiority", margin=None))
    assert found.needed is None
    assert "no number of prompts would decide it" in rule_text(found).sentence
    assert rule_text(found).cells[-1] == "-"


def test_without_any_interval_nothing_can_be_said():
    found = finding(row("win_rate", [0.5], [0.4]))
    assert (found.verdict, found.bound, found.needed) == ("inconclusive", None, None)
    assert "a single prompt has" in rule_text(found).sentence
    nothing = finding(row("win_rate", [], []))
    assert "no prompt has" in rule_text(nothing).sentence


def test_a_model_that_says_the_same_passes_with_prompts_enough():
    assert finding(rates("win_rate", both=30, gained=0, lost=0, neither=30)).verdict == "pass"
    few = finding(rates("win_rate", both=10, gained=0, lost=0, neither=10))
    assert (few.verdict, few.needed.assuming) == ("inconclusive", "equal")
    assert 40 < few.needed.prompts < 65


# --- several rules ----------------------------------------------------------------------------------------------------


def test_all_rules_must_pass_and_the_worst_decides():
    named = {"pass": BETTER, "inconclusive": FEW, "regression": WORSE}
    for one, two, outcome in [
        ("pass", "pass", "pass"),
        ("pass", "inconclusive", "inconclusive"),
        ("inconclusive", "regression", "regression"),
        ("pass", "regression", "regression"),
    ]:
        rows = [replace(named[one], key="a"), replace(named[two], key="b")]
        decided = decide(comparison(*rows), "M2", policy(rule("a"), rule("b")))
        assert decided.outcome == outcome


def test_a_claim_of_regression_is_stricter_with_more_rules():
    barely = rates("win_rate", both=100, gained=4, lost=12, neither=84)
    assert finding(barely).verdict == "regression"
    others = [replace(EQUAL, key=f"m{number}") for number in range(4)]
    rules = [rule(), *(rule(one.key) for one in others)]
    many = decide(comparison(barely, *others), "M2", policy(*rules))
    assert [one.verdict for one in many.results] == ["inconclusive", *["pass"] * 4]
    # Holm: what is found makes the next claim easier. With three others significantly worse, 5 % over two is left.
    certain = [replace(WORSE, key=one.key) for one in others]
    steps = decide(comparison(barely, *certain), "M2", policy(*rules))
    assert [one.verdict for one in steps.results] == ["regression"] * 5


def test_each_rule_has_its_own_risk():
    lax, strict = finding(EQUAL, rule(risk=0.2)), finding(EQUAL, rule(risk=0.001))
    assert (lax.risk, strict.risk) == (0.2, 0.001)
    assert strict.bound < lax.bound


# --- what holds for all -----------------------------------------------------------------------------------------------

gaps = st.lists(st.sampled_from([-1.0, -0.5, -0.1, 0.0, 0.2, 0.5, 1.0]), min_size=2, max_size=80)
margins = st.integers(1, 60)


@given(gaps, margins, margins, st.floats(0.001, 0.3))
def test_a_larger_margin_never_takes_a_pass_away(differences, one, two, risk):
    small, large = sorted((one, two))
    compared_row = row("win_rate", [0.0] * len(differences), differences)
    narrow = finding(compared_row, rule(margin=f"{small} points", risk=risk))
    wide = finding(compared_row, rule(margin=f"{large} points", risk=risk))
    assert not (narrow.verdict == "pass" and wide.verdict != "pass")
    assert narrow.bound == wide.bound
    better = finding(compared_row, rule(kind="superiority", margin=None, risk=risk))
    assert not (better.verdict == "pass" and narrow.verdict != "pass")


@given(gaps, margins, st.floats(0.001, 0.3), st.sampled_from(["non-inferiority", "superiority"]))
def test_a_pass_is_no_regression_and_an_open_rule_is_neither(differences, margin, risk, kind):
    one = row("win_rate", [0.0] * len(differences), differences)
    found = finding(one, rule(kind=kind, margin=f"{margin} points", risk=risk), risk=risk)
    passed = found.bound > found.threshold
    assert (found.verdict == "pass") == passed
    assert (found.verdict == "regression") == (found.worse and not passed)
    assert found.needed is None or found.verdict == "inconclusive"
    if kind == "superiority":
        assert not (passed and found.worse)


@given(gaps, margins)
def test_turned_around_it_is_the_same_rule(differences, margin):
    """Less of the negative is more of it: the same verdict, bound and number of prompts with the other sign."""
    more = row("win_rate", [0.0] * len(differences), differences, better="more")
    less = row("win_rate", [0.0] * len(differences), [-one for one in differences], better="less")
    one, two = (finding(found, rule(margin=f"{margin} points")) for found in (more, less))
    assert (one.verdict, one.needed) == (two.verdict, two.needed)
    assert (one.bound, one.threshold) == pytest.approx((-two.bound, -two.threshold))


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_a_metric_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(UnknownName, match=r"'win_rat' does not exist. Did you mean 'win_rate'\? There is: win_rate"):
        only(EQUAL, rule("win_rat"))


def test_a_metric_without_a_difference_is_refused():
    untested = row("discrete", [0.5, 0.5], [0.5, 0.6], tested=False)
    with pytest.raises(UsageError, match=r"discrete has no paired difference.*There is: win_rate"):
        decide(comparison(EQUAL, untested), "M2", policy(rule("discrete")))


@pytest.mark.parametrize(
    ("one", "margin", "said"),
    [
        (EQUAL, 0.05, "5 points"),
        (EQUAL, "5 characters", "5 points"),
        (row("length", [1, 2, 3], [1, 2, 4], "chars"), 5, "300 characters"),
        (row("mt_bench", [5, 6, 7], [5, 6, 8], "grade"), "5 points", "0.2 grades"),
        (row("nlp_x", [5, 6, 7], [5, 6, 8], "number"), "5 points", "It has none of points, characters, grades"),
    ],
)
def test_a_margin_in_another_unit_is_refused(one, margin, said):
    with pytest.raises(UsageError, match=said):
        only(one, rule(one.key, margin=margin))
    assert only(row("nlp_x", [5, 6, 7], [5, 6, 8], "number"), rule("nlp_x", margin=0.5)).results


def test_a_direction_is_needed_where_there_is_none_and_refused_where_there_is_another():
    length = row("length", [1, 2, 3], [1, 2, 4], "chars", "neither")
    with pytest.raises(UsageError, match="Neither more nor less of length"):
        only(length, rule("length", margin="3 characters"))
    with pytest.raises(UsageError, match="more is better"):
        only(EQUAL, rule(better="less"))
    assert only(EQUAL, rule(better="more")).outcome == "pass"


def test_the_candidate_is_one_of_the_comparison_and_not_the_baseline():
    with pytest.raises(UnknownName, match="'M3' does not exist"):
        decide(comparison(EQUAL), "M3", policy(rule()))
    with pytest.raises(UsageError, match="the baseline itself"):
        decide(comparison(EQUAL), "M1", policy(rule()))


def test_results_of_two_judges_decide_nothing():
    two = [judge(), judge(name="other id")]
    with pytest.raises(UsageError, match="different judges"):
        decide(comparison(EQUAL, judges=two), "M2", policy(rule()))
    other_suite = decide(
        comparison(replace(EQUAL, key="prompt_strict"), judges=two), "M2", policy(rule("prompt_strict"))
    )
    assert other_suite.outcome == "pass"


def test_several_models_may_stand_in_the_comparison():
    series = {name: values([0.5, 0.4, 0.6, 0.7]) for name in ("M1", "M2", "M3")}
    three = Comparison(["M1", "M2", "M3"], "M1", [metric("win_rate", "w", "%", "more", series, (0, 1))], [], [])
    assert decide(from_comparison(three), "M3", policy(rule(margin="60 points"))).candidate == "M3"


def test_what_calls_for_attention_is_passed_on_unless_it_is_about_others():
    calls = [
        "Attention: 3 answers of M2.",
        "Attention: these results differ in dates.",
        "Attention: M1 and M3 met never.",
    ]
    whole = comparison(EQUAL, captions=["Of 16 prompts.", *calls, "Attention: M3 met none, M2-like as it is."])
    three = whole.model_copy(update={"models": ("M1", "M2", "M3")})
    assert decide(three, "M2", policy(rule())).notes == tuple(calls)
