"""Checks of the judge against the policy: its judge card, missing verdicts, and drift since it was pinned.

Only the judges of suites with a rule are checked. A requirement is compared with the value itself; its interval is
printed with it, and shows how far the value may be trusted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evals import suites as registry
from evals.gate.comparison_json import ComparisonJson, Row, Value
from evals.gate.judge_drift import DriftResult
from evals.gate.policy import CalibrationPolicy, JudgePolicy, Policy
from srlm.stats.intervals import Estimate

State = Literal["holds", "broken", "unknown"]


@dataclass(frozen=True)
class JudgeCheck:
    """One requirement on a judge, and the value that is compared with it.

    Attributes:
        key: of the requirement.
        label: of the requirement.
        suite: that it is about, if it is about one.
        of: the judge or the model that it is about.
        state: "unknown" where the suite has no judge card.
        value: with `low` and `high`, its interval, and `n`.
        limit: the minimum, or the maximum for missing verdicts.
        reason: given where the judged metrics of a model or suite cannot be trusted at all.
    """

    key: str
    label: str
    suite: str
    of: str
    state: State
    value: float | None
    low: float | None
    high: float | None
    n: int
    limit: float | None
    reason: str = ""


def judge_checks(
    comparison: ComparisonJson, models: Sequence[str], policy: Policy, drift: DriftResult | None
) -> list[JudgeCheck]:
    """Check everything that the policy requires of the judges of its rules.

    Args:
        comparison: that the rules are on.
        models: the candidate and the baseline.
        policy: with the requirements.
        drift: the verdicts of today on the pinned pairs, where the policy has any.
    """
    suites = comparison.suites(rule.metric for rule in policy.rules)
    found = _of_cards(comparison, suites, policy.judge)
    if _judged().intersection(suites):
        # Verdicts on prompt injections, or on answers that are all the same, show that the judge was fooled.
        found += [_untrusted(model, reason) for model in models if (reason := comparison.distrusted.get(model))]
    if policy.judge.missing is not None:
        found += _missing(comparison, suites, models, policy.judge.missing)
    if policy.judge.calibration is not None and drift is not None:
        found += _of_drift(drift, policy.judge.calibration, policy.judge.parsed)
    return found


def _judged() -> set[str]:
    """Return the suites with an outside judge, which a candidate can have fooled."""
    return {one.name for one in registry.SUITES if one.outside_judge}


def _of_cards(comparison: ComparisonJson, suites: list[str], required: JudgePolicy) -> list[JudgeCheck]:
    found: list[JudgeCheck] = []
    if any(minimum is not None for minimum in (required.agreement, required.consistency, required.parsed)):
        # srlm compare names the judge of every judged suite; without a name no requirement can be checked.
        named = {judge.suite for judge in comparison.judges}
        found += [_incomplete(suite, "the judge") for suite in suites if suite in _judged() - named]
    for judge in comparison.judges:
        if judge.suite not in suites:
            continue
        card, name = judge.card, judge.name
        read = (
            None if card is None or card.read is None else Value(value=card.read, low=None, high=None, n=0, clusters=0)
        )
        for key, label, value, minimum in (
            ("agreement", "agreement with labelled pairs", card.agreement if card else None, required.agreement),
            ("consistency", "same winner in both orders", card.consistency if card else None, required.consistency),
            ("parsed", "parsed verdicts on labelled pairs", read, required.parsed),
        ):
            if minimum is not None:
                # A card without the value is one of a judge whose verdicts could not be parsed: no requirement holds.
                state: State = "unknown" if card is None else _at_least(value.value if value else None, minimum)
                found.append(_check(key, label, judge.suite, name, state, value, minimum))
    return found


def _untrusted(of: str, reason: str) -> JudgeCheck:
    return JudgeCheck("distrusted", "judged metrics", "", of, "broken", None, None, None, 0, None, reason)


def _incomplete(suite: str, missing: str) -> JudgeCheck:
    """Return the check of a requirement for which the comparison lacks the data."""
    return _untrusted(f"the suite {suite}", f"the comparison does not name {missing}")


def _missing(comparison: ComparisonJson, suites: list[str], models: Sequence[str], maximum: float) -> list[JudgeCheck]:
    coverage = {one.name: one.coverage for one in registry.SUITES if one.coverage}
    rows = {row.key: row for row in comparison.metrics}
    found: list[JudgeCheck] = []
    for suite in suites:
        row = rows.get(coverage.get(suite, ""))
        if row is None:
            found += [_incomplete(suite, "the share of prompts with a verdict")] if suite in coverage else []
            continue
        for model in models:
            value = _complement(row, model)
            if value is not None and value.n:
                state: State = "broken" if (value.value or 0.0) > maximum + 1e-12 else "holds"
                found.append(_check("missing", "prompts without a verdict", suite, model, state, value, maximum))
    return found


def _complement(row: Row, model: str) -> Value | None:
    """Return the share of prompts without a verdict, from the share of those that have one."""
    one = row.models[model]
    if one.value is None:
        return None
    low, high = (None if end is None else 1 - end for end in (one.high, one.low))
    return Value(value=1 - one.value, low=low, high=high, n=one.n, clusters=one.clusters)


def _of_drift(drift: DriftResult, required: CalibrationPolicy, parsed: float | None) -> list[JudgeCheck]:
    same, read, name = _value(drift.same), _value(drift.read), drift.judge
    unchanged = _at_least(same.value, required.agreement)
    found = [_check("calibration", "unchanged pinned verdicts", "", name, unchanged, same, required.agreement)]
    if parsed is not None:
        state = _at_least(read.value, parsed)
        found.append(_check("calibration_parsed", "parsed verdicts of today", "", name, state, read, parsed))
    if drift.labels.difference.n:
        change, state = _value(drift.labels.difference), "broken" if drift.drifted else "holds"
        found.append(_check("calibration_labels", "change of agreement with the labels", "", name, state, change, None))
    return found


def _at_least(value: float | None, minimum: float) -> State:
    return "holds" if value is not None and value >= minimum - 1e-12 else "broken"


def _value(one: Estimate) -> Value:
    """Convert an estimate to what the JSON holds."""
    value, low, high = (None if end != end else end for end in (one.value, one.low, one.high))  # noqa: PLR0124  # nan
    return Value(value=value, low=low, high=high, n=one.n, clusters=one.clusters)


def _check(
    key: str, label: str, suite: str, of: str, state: State, found: Value | None, limit: float | None
) -> JudgeCheck:
    value, low, high, n = (found.value, found.low, found.high, found.n) if found else (None, None, None, 0)
    return JudgeCheck(key, label, suite, of, state, value, low, high, n, limit)
