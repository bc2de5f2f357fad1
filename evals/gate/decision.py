"""Decision by the rules of a policy: pass, regression, inconclusive, or judge broken.

Everything here is a pure function of the comparison's JSON and the policy.

A rule passes if a one-sided bound clears its threshold at the rule's risk. The candidate passes if all rules do; that
needs no adjustment, because a candidate that is not good enough in one rule has to pass that very rule
(intersection-union test). A regression is a difference that is significantly below 0. Any of several may look so by
chance: these claims are made at the policy's risk for all rules together (Holm 1979, which holds however the metrics
are correlated). Everything else is inconclusive, with the number of prompts that would be needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evals.gate.bounds import Evidence, evidence
from evals.gate.comparison_json import Cell, ComparisonJson, Difference, Row
from evals.gate.judge_checks import JudgeCheck, judge_checks
from evals.gate.judge_drift import DriftResult
from evals.gate.policy import UNIT_WORDS, UNITS, Policy, Rule
from srlm.errors import UnknownName, UsageError

Verdict = Literal["pass", "regression", "inconclusive"]
Outcome = Literal["pass", "regression", "inconclusive", "judge broken"]

EXIT: dict[Outcome, int] = {"pass": 0, "regression": 1, "inconclusive": 3, "judge broken": 4}
"""The command's exit codes; 2 is a usage error."""


@dataclass(frozen=True)
class PromptsNeeded:
    """The number of prompts that would decide a rule in a share `power` of tries.

    It assumes that the candidate's true difference is 0 ("equal"), or that it is as measured.
    """

    prompts: int
    power: float
    assuming: Literal["equal", "measured"]
    shows: Literal["pass", "regression"]


@dataclass(frozen=True)
class RuleResult:
    """The result of one rule.

    Attributes:
        rule: of the policy.
        row: the metric.
        better: the direction that is better, of the metric or of the rule.
        risk: one-sided, of passing.
        candidate: its value.
        baseline: its value.
        difference: between them.
        bound: the one-sided end of the difference that must clear the threshold; an upper end where less is better.
        threshold: with the metric's own sign, as `bound`.
        worse: the difference is significantly on the bad side of 0, over all rules together.
        verdict: of the rule.
        needed: None where the rule is decided, and where no number of prompts is likely to decide it.
    """

    rule: Rule
    row: Row
    better: Literal["more", "less"]
    risk: float
    candidate: Cell
    baseline: Cell
    difference: Difference
    bound: float | None
    threshold: float
    worse: bool
    verdict: Verdict
    needed: PromptsNeeded | None

    @property
    def prompts(self) -> int:
        """Return the number of prompts on which both models have a value."""
        return self.difference.clusters


@dataclass(frozen=True)
class Decision:
    """The outcome, the results of all rules and judge checks, and the warnings of the comparison."""

    candidate: str
    baseline: str
    outcome: Outcome
    policy: Policy
    results: tuple[RuleResult, ...]
    checks: tuple[JudgeCheck, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """Return the exit code of the command."""
        return EXIT[self.outcome]


def decide(comparison: ComparisonJson, candidate: str, policy: Policy, drift: DriftResult | None = None) -> Decision:
    """Decide whether the candidate may replace the baseline.

    Args:
        comparison: of both models, by `srlm compare`.
        candidate: its name there.
        policy: what it must show.
        drift: the judge's verdicts of today on its pinned pairs, where the policy has any.

    Raises:
        UnknownName: the comparison has no such model or metric.
        UsageError: a rule is on a metric that was not tested, or in a unit or a direction that is not the metric's.
    """
    _refuse(comparison, candidate, policy)
    rows = {row.key: row for row in comparison.metrics}
    chosen = [_chosen(rows, rule, candidate) for rule in policy.rules]
    known = [evidence(one.difference, one.better) for one in chosen]
    worse = _significantly_worse(known, policy.risk)
    results = tuple(
        _rule_result(one, found, place in worse, comparison.baseline, candidate, policy)
        for place, (one, found) in enumerate(zip(chosen, known, strict=True))
    )
    checks = tuple(judge_checks(comparison, (candidate, comparison.baseline), policy, drift))
    notes = _notes(comparison, candidate)
    return Decision(candidate, comparison.baseline, _outcome(results, checks), policy, results, checks, notes)


def _notes(comparison: ComparisonJson, candidate: str) -> tuple[str, ...]:
    """Return the warnings of the comparison, without those that are about other models alone."""
    two = {candidate, comparison.baseline}
    return tuple(str(one) for one in comparison.warnings if not one.models or two & {*one.models})


def _outcome(results: Sequence[RuleResult], checks: Sequence[JudgeCheck]) -> Outcome:
    """Return the outcome: a broken judge first, for none of its verdicts can be used; then the worst of the rules."""
    if any(check.state == "broken" for check in checks):
        return "judge broken"
    verdicts = {result.verdict for result in results}
    if "regression" in verdicts:
        return "regression"
    return "inconclusive" if "inconclusive" in verdicts else "pass"


@dataclass(frozen=True)
class _Chosen:
    """A rule with its metric, the direction that is better, and the difference."""

    rule: Rule
    row: Row
    better: Literal["more", "less"]
    difference: Difference


def _refuse(comparison: ComparisonJson, candidate: str, policy: Policy) -> None:
    if candidate == comparison.baseline:
        raise UsageError(f"{candidate} is the baseline itself; name the model that is to replace it.")
    if candidate not in comparison.models:
        others = [model for model in comparison.models if model != comparison.baseline]
        raise UnknownName("In the comparison, the candidate", candidate, others)
    for suite in comparison.suites(rule.metric for rule in policy.rules):
        judges = {(one.judge, one.rubric) for one in comparison.judges if one.suite == suite}
        if len(judges) > 1:
            raise UsageError(
                f"The {suite} results are of different judges or rubrics, so a difference need not be one between the "
                "models, and nothing can be decided on it. Evaluate both with the same judge."
            )


def _chosen(rows: dict[str, Row], rule: Rule, candidate: str) -> _Chosen:
    """Look up the metric of a rule."""
    tested = [key for key, row in rows.items() if row.models[candidate].difference is not None]
    if rule.metric not in rows:
        raise UnknownName("In the comparison, the metric", rule.metric, tested)
    row = rows[rule.metric]
    difference = row.models[candidate].difference
    if difference is None:
        raise UsageError(
            f"The metric {rule.metric} has no paired difference, so no rule can be on it. "
            f"There {'is' if len(tested) == 1 else 'are'}: {', '.join(tested) or 'none'}."
        )
    _refuse_unit(rule, row)
    return _Chosen(rule, row, _direction(rule, row), difference)


def _direction(rule: Rule, row: Row) -> Literal["more", "less"]:
    """Return the metric's direction, or that of the rule where the metric has none."""
    if row.better == "neither":
        if rule.better is None:
            raise UsageError(
                f"Neither more nor less of {rule.metric} is better by itself. Set the direction in its rule: "
                "better: less, or better: more"
            )
        return rule.better
    if rule.better not in (None, row.better):
        raise UsageError(f"Of {rule.metric} {row.better} is better. Leave better: {rule.better} out of its rule.")
    return row.better


def _refuse_unit(rule: Rule, row: Row) -> None:
    if rule.margin is None or not rule.margin.size:
        return
    expected = row.unit if row.unit in UNIT_WORDS else None
    if rule.margin.unit != expected:
        example = {"fraction": '"5 points" (of percent)', "characters": '"300 characters"', "grade": '"0.2 grades"'}
        raise UsageError(
            f"The margin {rule.margin.text!r} of {rule.metric} is not in its unit. "
            + (f"Write it such as {example[expected]}." if expected else f"It has none of {', '.join(UNITS)}: 0.05")
        )


def _significantly_worse(known: Sequence[Evidence | None], risk: float) -> set[int]:
    """Return the places whose difference is below 0, by Holm's steps: of k claims left, each is tested at risk / k."""
    left = {place for place, one in enumerate(known) if one is not None}
    found: set[int] = set()
    while left:
        bounds = {place: one.upper_bound(risk / len(left)) for place in left if (one := known[place]) is not None}
        claimed = {place for place, bound in bounds.items() if bound < 0}
        if not claimed:
            break
        found |= claimed
        left -= claimed
    return found


def _rule_result(
    one: _Chosen, known: Evidence | None, worse: bool, baseline: str, candidate: str, policy: Policy
) -> RuleResult:
    rule, risk = one.rule, policy.risk_of(one.rule)
    margin = rule.margin.size if rule.margin else 0.0
    threshold = -margin if rule.kind == "non-inferiority" else margin
    bound = known.lower_bound(risk) if known else None
    passed = bound is not None and bound > threshold
    verdict: Verdict = "pass" if passed else "regression" if worse else "inconclusive"
    needed = _prompts_needed(known, threshold, risk, policy) if known and verdict == "inconclusive" else None
    sign = 1 if one.better == "more" else -1
    return RuleResult(
        rule=rule,
        row=one.row,
        better=one.better,
        risk=risk,
        candidate=one.row.models[candidate],
        baseline=one.row.models[baseline],
        difference=one.difference,
        bound=None if bound is None else sign * bound,
        threshold=sign * threshold,
        worse=worse,
        verdict=verdict,
        needed=needed,
    )


def _prompts_needed(known: Evidence, threshold: float, risk: float, policy: Policy) -> PromptsNeeded | None:
    """Return the number of prompts that would decide an inconclusive rule.

    A rule of non-inferiority should pass for a candidate that is truly equal. If there are enough prompts for that
    already, this candidate looks worse than equal, and the number is for the difference as measured.
    """
    equal = known.prompts_needed(-threshold, risk, policy.power) if threshold < 0 else None
    if equal is not None and equal > known.prompts:
        return PromptsNeeded(equal, policy.power, "equal", "pass")
    if known.value > threshold:
        measured = known.prompts_needed(known.value - threshold, risk, policy.power)
        return None if measured is None else PromptsNeeded(measured, policy.power, "measured", "pass")
    claim = known.prompts_needed(-known.value, policy.risk / len(policy.rules), policy.power)
    return None if claim is None else PromptsNeeded(claim, policy.power, "measured", "regression")
