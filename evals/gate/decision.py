"""Rules on evidence: pass, regression, inconclusive, or a broken judge. Pure functions of the JSON and the policy.

Each rule passes when a one-sided bound clears its threshold at the rule's risk. The candidate passes when all rules do;
no adjustment is needed for that, because whoever is not good enough in one thing must pass that very rule
(intersection-union). A regression is claimed when any difference is certainly below 0, and any of several may be so by
chance: these claims are made at the policy's risk for all rules together (Holm 1979, which holds however the metrics
hang together). Everything in between is inconclusive, with the number of prompts that would tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evals.gate.bounds import Evidence, evidence
from evals.gate.comparison_json import Cell, Compared, Difference, Row
from evals.gate.judge_checks import Check, judge_checks
from evals.gate.judge_drift import Asked
from evals.gate.policy import UNITS, WORDS, Policy, Rule
from srlm.errors import UnknownName, UsageError

Verdict = Literal["pass", "regression", "inconclusive"]
Outcome = Literal["pass", "regression", "inconclusive", "judge broken"]

EXIT: dict[Outcome, int] = {"pass": 0, "regression": 1, "inconclusive": 3, "judge broken": 4}
"""The command's exit codes; 2 is that of a mistake in its use."""


@dataclass(frozen=True)
class Needed:
    """How many prompts would settle a rule in a share `power` of tries.

    That is so if the candidate's true difference is 0 ("equal"), or if it is as it was measured.
    """

    prompts: int
    power: float
    assuming: Literal["equal", "measured"]
    shows: Literal["pass", "regression"]


@dataclass(frozen=True)
class Finding:
    """What became of one rule.

    `bound`, one-sided, is the end of the difference that must clear `threshold`; both have the metric's own sign, and
    are upper ends where less is better. `worse` says whether the difference is certainly on the bad side of 0, over all
    rules together. `needed` is None where the rule is settled, and where no number of prompts is likely to settle it.
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
    needed: Needed | None

    @property
    def prompts(self) -> int:
        """Prompts on which both models have a figure."""
        return self.difference.clusters


@dataclass(frozen=True)
class Decision:
    """The whole: an outcome, what each rule and each check came to, and what the comparison calls attention to."""

    candidate: str
    baseline: str
    outcome: Outcome
    policy: Policy
    findings: tuple[Finding, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """Of the command."""
        return EXIT[self.outcome]


def decide(compared: Compared, candidate: str, policy: Policy, asked: Asked | None = None) -> Decision:
    """Whether the candidate may take the baseline's place.

    Args:
        compared: both models, by `srlm compare`.
        candidate: its name there.
        policy: what it must show.
        asked: what the judge says of its pinned pairs today, where the policy has any.

    Raises:
        UnknownName: the comparison has no such model or metric.
        UsageError: a rule is on a metric that was not tested, or in a unit or a direction that is not the metric's.
    """
    _refuse(compared, candidate, policy)
    rows = {row.key: row for row in compared.metrics}
    chosen = [_chosen(rows, rule, candidate) for rule in policy.rules]
    known = [evidence(one.difference, one.better) for one in chosen]
    worse = _certainly_worse(known, policy.risk)
    findings = tuple(
        _finding(one, found, place in worse, compared.baseline, candidate, policy)
        for place, (one, found) in enumerate(zip(chosen, known, strict=True))
    )
    checks = tuple(judge_checks(compared, (candidate, compared.baseline), policy, asked))
    notes = _notes(compared, candidate)
    return Decision(candidate, compared.baseline, _outcome(findings, checks), policy, findings, checks, notes)


def _notes(compared: Compared, candidate: str) -> tuple[str, ...]:
    """What the comparison calls attention to, without what is about other models alone."""
    others = {*compared.models} - {candidate, compared.baseline}
    calls = [line for line in compared.captions if line.startswith("Attention:")]
    named = [(line, {word.strip(".,:;()") for word in line.split()}) for line in calls]
    return tuple(line for line, words in named if not words & others or words & {candidate, compared.baseline})


def _outcome(findings: Sequence[Finding], checks: Sequence[Check]) -> Outcome:
    """A broken judge above all, for nothing that it said can be used; then the worst of the rules."""
    if any(check.state == "broken" for check in checks):
        return "judge broken"
    verdicts = {finding.verdict for finding in findings}
    if "regression" in verdicts:
        return "regression"
    return "inconclusive" if "inconclusive" in verdicts else "pass"


@dataclass(frozen=True)
class _Chosen:
    rule: Rule
    row: Row
    better: Literal["more", "less"]
    difference: Difference


def _refuse(compared: Compared, candidate: str, policy: Policy) -> None:
    if candidate == compared.baseline:
        raise UsageError(f"{candidate} is the baseline itself; name the model that is to take its place.")
    if candidate not in compared.models:
        others = [model for model in compared.models if model != compared.baseline]
        raise UnknownName("In the comparison, the candidate", candidate, others)
    for suite in compared.suites(rule.metric for rule in policy.rules):
        judges = {(one.judge, one.rubric) for one in compared.judges if one.suite == suite}
        if len(judges) > 1:
            raise UsageError(
                f"The {suite} results are of different judges or rubrics, so a difference need not be one between the "
                "models, and nothing can be decided on it. Evaluate both with the same judge."
            )


def _chosen(rows: dict[str, Row], rule: Rule, candidate: str) -> _Chosen:
    """The metric of a rule, with the direction and the difference that it is about."""
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
    """The metric's own, or where it has none the rule's."""
    if row.better == "neither":
        if rule.better is None:
            raise UsageError(
                f"Neither more nor less of {rule.metric} is better by itself. Say in its rule which it shall be: "
                "better: less, or better: more"
            )
        return rule.better
    if rule.better not in (None, row.better):
        raise UsageError(f"Of {rule.metric} {row.better} is better. Leave better: {rule.better} out of its rule.")
    return row.better


def _refuse_unit(rule: Rule, row: Row) -> None:
    if rule.margin is None or not rule.margin.size:
        return
    expected = row.unit if row.unit in WORDS else None
    if rule.margin.unit != expected:
        example = {"fraction": '"5 points" (of percent)', "characters": '"300 characters"', "grade": '"0.2 grades"'}
        raise UsageError(
            f"The margin {rule.margin.text!r} of {rule.metric} is not in its unit. "
            + (f"Write it such as {example[expected]}." if expected else f"It has none of {', '.join(UNITS)}: 0.05")
        )


def _certainly_worse(known: Sequence[Evidence | None], risk: float) -> set[int]:
    """The places whose difference is below 0, by Holm's steps: with k claims left, each is tried at risk / k."""
    left = {place for place, one in enumerate(known) if one is not None}
    found: set[int] = set()
    while left:
        bounds = {place: one.at_most(risk / len(left)) for place in left if (one := known[place]) is not None}
        claimed = {place for place, bound in bounds.items() if bound < 0}
        if not claimed:
            break
        found |= claimed
        left -= claimed
    return found


def _finding(
    one: _Chosen, known: Evidence | None, worse: bool, baseline: str, candidate: str, policy: Policy
) -> Finding:
    rule, risk = one.rule, policy.risk_of(one.rule)
    margin = rule.margin.size if rule.margin else 0.0
    threshold = -margin if rule.kind == "non-inferiority" else margin
    bound = known.at_least(risk) if known else None
    passed = bound is not None and bound > threshold
    verdict: Verdict = "pass" if passed else "regression" if worse else "inconclusive"
    needed = _needed(known, threshold, risk, policy) if known and verdict == "inconclusive" else None
    sign = 1 if one.better == "more" else -1
    return Finding(
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


def _needed(known: Evidence, threshold: float, risk: float, policy: Policy) -> Needed | None:
    """What would settle a rule that is open.

    A candidate that is truly equal is what a rule of non-inferiority is made for: it should pass. Where there are
    prompts enough for that one, this candidate looks worse than equal, and what was measured is all there is to go by.
    """
    equal = known.prompts_needed(-threshold, risk, policy.power) if threshold < 0 else None
    if equal is not None and equal > known.prompts:
        return Needed(equal, policy.power, "equal", "pass")
    if known.value > threshold:
        measured = known.prompts_needed(known.value - threshold, risk, policy.power)
        return None if measured is None else Needed(measured, policy.power, "measured", "pass")
    claim = known.prompts_needed(-known.value, policy.risk / len(policy.rules), policy.power)
    return None if claim is None else Needed(claim, policy.power, "measured", "regression")
