"""Whether the judge is what the policy asks for: its card, what it said nothing about, and what it says today.

Looked at are the judges of the suites that a rule is on. Floors are held against the figure itself; its interval stands
beside it, and says how far the figure may be trusted in turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evals import suites as registry
from evals.gate.comparison_json import Compared, Figure, Row
from evals.gate.judge_drift import Asked
from evals.gate.policy import CalibrationPolicy, JudgePolicy, Policy
from srlm.stats.intervals import Estimate

State = Literal["holds", "broken", "unknown"]


@dataclass(frozen=True)
class Check:
    """One thing that is asked of a judge. `limit` is the least, or for what is missing the largest share.

    `why` is there for models and suites whose judged figures cannot be trusted at all.
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
    why: str = ""


def judge_checks(compared: Compared, models: Sequence[str], policy: Policy, asked: Asked | None) -> list[Check]:
    """Everything that the policy asks of the judges behind its rules.

    Args:
        compared: what the rules are on.
        models: the candidate and the baseline.
        policy: what is asked.
        asked: the verdicts of today on the pinned pairs, where the policy has any.
    """
    suites = compared.suites(rule.metric for rule in policy.rules)
    found = _of_cards(compared, suites, policy.judge)
    if _judged().intersection(suites):
        # Verdicts on answers that speak to the judge, or are all the same, say that it was fooled, whoever it is.
        found += [
            Check("distrusted", "its judged figures", "", model, "broken", None, None, None, 0, None, why)
            for model in models
            if (why := compared.distrusted.get(model))
        ]
    if policy.judge.missing is not None:
        found += _missing(compared, suites, models, policy.judge.missing)
    if policy.judge.calibration is not None and asked is not None:
        found += _moved(asked, policy.judge.calibration, policy.judge.parsed)
    return found


def _judged() -> set[str]:
    """Return the suites with an outside judge, which a candidate can have fooled."""
    return {one.name for one in registry.SUITES if one.outside_judge}


def _of_cards(compared: Compared, suites: list[str], wanted: JudgePolicy) -> list[Check]:
    found: list[Check] = []
    if any(floor is not None for floor in (wanted.agreement, wanted.consistency, wanted.parsed)):
        # srlm compare names the judge of every judged suite; a comparison without one says nothing that can be held.
        named = {judge.suite for judge in compared.judges}
        found += [_unsaid(suite, "who judged it") for suite in suites if suite in _judged() - named]
    for judge in compared.judges:
        if judge.suite not in suites:
            continue
        card, name = judge.card, judge.judge.split(" ")[0]
        read = (
            None if card is None or card.read is None else Figure(value=card.read, low=None, high=None, n=0, clusters=0)
        )
        for key, label, figure, floor in (
            ("agreement", "agrees with labelled pairs", card.agreement if card else None, wanted.agreement),
            ("consistency", "same winner in both orders", card.consistency if card else None, wanted.consistency),
            ("parsed", "its verdicts on these can be read", read, wanted.parsed),
        ):
            if floor is not None:
                # A card without the figure is one of a judge of which nothing could be read: no floor holds.
                state: State = "unknown" if card is None else _at_least(figure.value if figure else None, floor)
                found.append(_check(key, label, judge.suite, name, state, figure, floor))
    return found


def _unsaid(suite: str, what: str) -> Check:
    """What the policy asks of a suite's judge, of a comparison that leaves it out."""
    why = f"the comparison does not say {what}"
    return Check("distrusted", "its judged figures", "", f"the suite {suite}", "broken", None, None, None, 0, None, why)


def _missing(compared: Compared, suites: list[str], models: Sequence[str], ceiling: float) -> list[Check]:
    coverage = {one.name: one.coverage for one in registry.SUITES if one.coverage}
    rows = {row.key: row for row in compared.metrics}
    found: list[Check] = []
    for suite in suites:
        row = rows.get(coverage.get(suite, ""))
        if row is None:
            found += [_unsaid(suite, "which of its prompts have a verdict")] if suite in coverage else []
            continue
        for model in models:
            figure = _lacking(row, model)
            if figure is not None and figure.n:
                state: State = "broken" if (figure.value or 0.0) > ceiling + 1e-12 else "holds"
                found.append(_check("missing", "without a verdict", suite, model, state, figure, ceiling))
    return found


def _lacking(row: Row, model: str) -> Figure | None:
    """The other side of the share that has a verdict."""
    one = row.models[model]
    if one.value is None:
        return None
    low, high = (None if end is None else 1 - end for end in (one.high, one.low))
    return Figure(value=1 - one.value, low=low, high=high, n=one.n, clusters=one.clusters)


def _moved(asked: Asked, wanted: CalibrationPolicy, parsed: float | None) -> list[Check]:
    same, read, name = _figure(asked.same), _figure(asked.read), asked.judge
    found = [
        _check(
            "calibration",
            "gives its pinned verdicts again",
            "",
            name,
            _at_least(same.value, wanted.agreement),
            same,
            wanted.agreement,
        )
    ]
    if parsed is not None:
        state = _at_least(read.value, parsed)
        found.append(_check("calibration_parsed", "its verdicts of today can be read", "", name, state, read, parsed))
    if asked.labels.difference.n:
        moved, state = _figure(asked.labels.difference), "broken" if asked.moved else "holds"
        found.append(_check("calibration_labels", "change of agreement with the labels", "", name, state, moved, None))
    return found


def _at_least(value: float | None, floor: float) -> State:
    return "holds" if value is not None and value >= floor - 1e-12 else "broken"


def _figure(one: Estimate) -> Figure:
    """An estimate as the JSON has it."""
    value, low, high = (None if end != end else end for end in (one.value, one.low, one.high))  # noqa: PLR0124  # nan
    return Figure(value=value, low=low, high=high, n=one.n, clusters=one.clusters)


def _check(
    key: str, label: str, suite: str, of: str, state: State, figure: Figure | None, limit: float | None
) -> Check:
    value, low, high, n = (figure.value, figure.low, figure.high, figure.n) if figure else (None, None, None, 0)
    return Check(key, label, suite, of, state, value, low, high, n, limit)
