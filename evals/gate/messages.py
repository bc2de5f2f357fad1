"""Why, in sentences and in cells: the same words for the terminal, Markdown, JUnit and JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose

from evals.gate.decision import Decision, Finding
from evals.gate.judge_checks import Check
from evals.gate.policy import WORDS

IN = {"fraction": ", %", "characters": ", characters", "grade": ", 1-10"}
"""What a row's name says of the unit of its cells."""

COLUMNS = ("rule", "baseline", "candidate", "difference, 95 %", "bound", "must be", "verdict", "prompts", "needed")
CHECK_COLUMNS = ("asked of the judge", "of", "is, 95 %", "must be", "verdict")


@dataclass(frozen=True)
class Words:
    """A row of the table of rules, by column, and the sentence that belongs to it."""

    cells: tuple[str, ...]
    sentence: str


def headline(decision: Decision) -> str:
    """The outcome in one line, which is the first one of every report."""
    pair = f"{decision.candidate} against {decision.baseline}"
    findings = decision.findings
    if decision.outcome == "pass":
        return f"Pass: {pair}, {_all_of(len(findings))}."
    if decision.outcome == "judge broken":
        broken = [check for check in decision.checks if check.state == "broken"]
        return f"Judge broken: {pair} cannot be decided. {check_sentence(broken[0])}{_and_more(len(broken))}"
    chosen = [one for one in findings if one.verdict == decision.outcome]
    word = "Regression" if decision.outcome == "regression" else "Inconclusive"
    more = _and_more(len(chosen)) if len(chosen) > 1 else ""
    return f"{word}: {pair}. {finding_words(chosen[0]).sentence}{more}"


def _all_of(count: int) -> str:
    return "by the only rule" if count == 1 else f"by all {count} rules"


def _and_more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def finding_words(finding: Finding) -> Words:
    """A rule's row and sentence."""
    rule, row, unit = finding.rule, finding.row, finding.row.unit
    sign = "above" if finding.better == "more" else "below"
    value = finding.difference.value
    cells = (
        f"{row.label}{IN.get(unit, '')}: {rule.kind}",
        amount(finding.baseline.value, unit),
        amount(finding.candidate.value, unit),
        "-" if value is None else f"{_difference(finding)} {_interval(finding)}".rstrip(),
        "-" if finding.bound is None else amount(finding.bound, unit, signed=True),
        f"{sign} {amount(finding.threshold, unit, signed=True)}",
        finding.verdict,
        str(finding.prompts),
        needed_cell(finding),
    )
    return Words(cells, _sentence(finding))


def _sentence(finding: Finding) -> str:
    """What the evidence says of a rule, and what would settle it."""
    label = f"{finding.row.label[:1].upper()}{finding.row.label[1:]}"
    if finding.bound is None:
        few = (
            "no prompt has"
            if not finding.prompts
            else "a single prompt has"
            if finding.prompts == 1
            else "too few have"
        )
        return f"{label}: nothing can be said, for {few} a figure of both models."
    measured = f"{_difference(finding, words=True)} {_interval(finding)}".rstrip()
    end = f"with {percent(1 - finding.risk)} confidence {_by(finding, finding.bound)}"
    if finding.verdict == "pass":
        worse = f" It is certainly {_worse(finding)}, within the margin." if finding.worse else ""
        return f"{label}: passes. {measured}; {end}.{worse}"
    if finding.verdict == "regression":
        return f"{label}: certainly {_worse(finding)} than the baseline. {measured}."
    return f"{label}: nothing is certain. {measured}; {end}, {_short_of(finding)}. {_what_would_tell(finding)}"


def _by(finding: Finding, end: float) -> str:
    """What the bound says: "at most 2.1 points worse", "at least 0.4 points better", "at most 120 characters more"."""
    below, bound = end < 0, size(end, finding.row.unit)
    if finding.row.better == "neither":
        limit = "at most" if below == (finding.better == "more") else "at least"
        return f"{limit} {bound} {'less' if below else 'more'}"
    good = below == (finding.better == "less")
    return f"at least {bound} better" if good else f"at most {bound} worse"


def _worse(finding: Finding) -> str:
    """What the bad side is called."""
    if finding.row.better != "neither":
        return "worse"
    return "more" if finding.better == "less" else "less"


def _short_of(finding: Finding) -> str:
    """What the bound would have to be."""
    limit = size(finding.threshold, finding.row.unit)
    if finding.rule.kind == "superiority":
        return "and it has to be better" if not finding.threshold else f"and it has to be better by more than {limit}"
    return f"and the margin is {limit}"


def _what_would_tell(finding: Finding) -> str:
    needed = finding.needed
    if needed is None:
        known = "it is not better by that much" if finding.rule.kind == "superiority" else "it lies at the margin"
        return f"If the difference is as measured, {known}, and no number of prompts would tell."
    more = needed.prompts - finding.prompts
    chance = f"in {percent(needed.power)} of tries"
    if needed.assuming == "equal":
        return (
            f"A truly equal candidate would pass with {needed.prompts:,} prompts, {more:,} more than there are, "
            f"{chance}."
        )
    if more <= 0:
        return f"If the difference is as measured, {needed.prompts:,} prompts would tell {chance}: try others."
    word = "pass" if needed.shows == "pass" else "show that it is worse"
    return (
        f"If the difference is as measured, it takes {needed.prompts:,} prompts to {word} {chance}, {more:,} more than "
        "there are."
    )


def needed_cell(finding: Finding) -> str:
    """How many prompts are needed, and how many more that is: "346 (+90)"."""
    if finding.verdict != "inconclusive":
        return ""
    if finding.needed is None:
        return "-"
    more = finding.needed.prompts - finding.prompts
    return f"{finding.needed.prompts:,} (+{more:,})" if more > 0 else f"{finding.needed.prompts:,}"


def check_cells(check: Check) -> tuple[str, ...]:
    """A row of the table of what is asked of the judge."""
    value = "unknown" if check.value is None else share(check.value, check.low, check.high, check.limit is None)
    if check.why:
        value = "not to be trusted"
    return (_what(check), check.of, value, limit_words(check), VERDICTS[check.state])


VERDICTS = {"holds": "holds", "broken": "broken", "unknown": "not known"}


def limit_words(check: Check) -> str:
    """What the figure must be."""
    if check.why:
        return "trusted"
    if check.limit is None:
        return "no certain change"
    return f"at {'most' if check.key == 'missing' else 'least'} {percent(check.limit)}"


def check_sentence(check: Check) -> str:
    """One line for people: what of the judge does not hold."""
    if check.why:
        return f"{check.of}: its judged figures are not to be trusted, for {check.why}."
    value = "unknown" if check.value is None else share(check.value, check.low, check.high, check.limit is None)
    changed = "a change beyond chance" if check.state == "broken" else "no certain change"
    must = changed if check.limit is None else f"it must be {limit_words(check)}"
    return f"{check.of}, {_what(check)}: {value}; {must}."


def _what(check: Check) -> str:
    return f"{check.label} ({check.suite})" if check.suite else check.label


def _difference(finding: Finding, words: bool = False) -> str:
    value = finding.difference.value
    if value is None:
        return "-"
    return f"{amount(value, finding.row.unit, signed=True)}{_unit(finding.row.unit) if words else ''}"


def _interval(finding: Finding) -> str:
    low, high, unit = finding.difference.low, finding.difference.high, finding.row.unit
    return (
        "" if low is None or high is None else f"[{amount(low, unit, signed=True)}, {amount(high, unit, signed=True)}]"
    )


def amount(value: float | None, unit: str, signed: bool = False) -> str:
    """A figure in its unit, which is not said: rates in percent with one digit, lengths whole, others two digits."""
    if value is None:
        return "-"
    digits = 1 if unit == "fraction" else 0 if unit in {"characters", "count", "elo"} else 2
    rounded = round(100 * value if unit == "fraction" else value, digits)
    return f"{rounded:{'+' if signed and rounded else ''}.{digits}f}".removeprefix("-" * (not rounded))


def size(value: float, unit: str) -> str:
    """How large a difference is, with its unit: "2.1 points"."""
    return f"{amount(abs(value), unit)}{_unit(unit)}"


def _unit(unit: str) -> str:
    return f" {WORDS[unit]}" if unit in WORDS else ""


def percent(value: float) -> str:
    """A share of the policy as it was written: 0.05 -> "5 %", 0.025 -> "2.5 %"."""
    return f"{100 * value:.6g} %"


def share(value: float, low: float | None, high: float | None, signed: bool = False) -> str:
    """A share with its interval, in percent."""
    sign = "+" if signed else ""
    ends = "" if low is None or high is None else f" [{100 * low:{sign}.0f}, {100 * high:{sign}.0f}]"
    whole = isclose(100 * value, round(100 * value), abs_tol=1e-9)
    return f"{100 * value:{sign}.{0 if whole else 1}f} %{ends}"


def sentences(decision: Decision) -> list[str]:
    """Everything that is to be said under the tables."""
    lines = [finding_words(finding).sentence for finding in decision.findings]
    lines += [check_sentence(check) for check in decision.checks if check.state == "broken"]
    return [*lines, *_unknown([check for check in decision.checks if check.state == "unknown"]), *decision.notes]


def _unknown(checks: Sequence[Check]) -> list[str]:
    """What nobody knows of a judge, in one sentence a suite."""
    by_card: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        by_card.setdefault((check.of, check.suite), []).append(check.label)
    return [
        f"{judge} has no card in the suite {suite}, so nothing is known of this: {', '.join(labels)}."
        for (judge, suite), labels in by_card.items()
    ]
