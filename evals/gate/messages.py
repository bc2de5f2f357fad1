"""Sentences and table cells of a decision, the same for the terminal, Markdown, JUnit and JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose

from evals.compare.cells import format_value
from evals.compare.export.json import UNIT_NAMES
from evals.gate.decision import Decision, RuleResult
from evals.gate.judge_checks import JudgeCheck
from evals.gate.policy import UNIT_WORDS
from evals.metric import Unit

LABEL_UNITS = {"fraction": ", %", "characters": ", characters", "grade": ", 1-10"}
"""The unit behind a row's label."""

COLUMNS = ("rule", "baseline", "candidate", "difference, 95 %", "bound", "must be", "verdict", "prompts", "needed")
UNITS: dict[str, Unit] = {name: unit for unit, name in UNIT_NAMES.items()}
"""The unit of a metric by its name in the JSON."""
CHECK_COLUMNS = ("requirement on the judge", "of", "is, 95 %", "must be", "verdict")
STATES = {"holds": "holds", "broken": "broken", "unknown": "unknown"}


@dataclass(frozen=True)
class RuleText:
    """A row of the table of rules, by column, and the sentence that explains it."""

    cells: tuple[str, ...]
    sentence: str


def headline(decision: Decision) -> str:
    """Return the outcome in one line, the first line of every output."""
    pair = f"{decision.candidate} against {decision.baseline}"
    if decision.outcome == "pass":
        return f"Pass: {pair}, {_all_rules(len(decision.results))}."
    if decision.outcome == "judge broken":
        broken = [check for check in decision.checks if check.state == "broken"]
        return f"Judge broken: {pair} cannot be decided. {check_sentence(broken[0])}{_and_more(len(broken))}"
    chosen = [one for one in decision.results if one.verdict == decision.outcome]
    word = "Regression" if decision.outcome == "regression" else "Inconclusive"
    return f"{word}: {pair}. {rule_text(chosen[0]).sentence}{_and_more(len(chosen))}"


def _all_rules(count: int) -> str:
    return "by the only rule" if count == 1 else f"by all {count} rules"


def _and_more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def rule_text(result: RuleResult) -> RuleText:
    """Return the row and the sentence of a rule."""
    rule, row, unit = result.rule, result.row, result.row.unit
    sign = "above" if result.better == "more" else "below"
    value = result.difference.value
    cells = (
        f"{row.label}{LABEL_UNITS.get(unit, '')}: {rule.kind}",
        amount(result.baseline.value, unit),
        amount(result.candidate.value, unit),
        "-" if value is None else f"{_difference(result)} {_interval(result)}".rstrip(),
        "-" if result.bound is None else amount(result.bound, unit, signed=True),
        f"{sign} {amount(result.threshold, unit, signed=True)}",
        result.verdict,
        str(result.prompts),
        needed_cell(result),
    )
    return RuleText(cells, _sentence(result))


def _sentence(result: RuleResult) -> str:
    """Explain the verdict of a rule, and what would decide it."""
    label = f"{result.row.label[:1].upper()}{result.row.label[1:]}"
    if result.bound is None:
        few = (
            "no prompt has"
            if not result.prompts
            else "a single prompt has"
            if result.prompts == 1
            else "too few prompts have"
        )
        return f"{label}: inconclusive, because {few} a value of both models."
    measured = f"{_difference(result, with_unit=True)} {_interval(result)}".rstrip()
    end = f"with {percent(1 - result.risk)} confidence {_bound_words(result, result.bound)}"
    if result.verdict == "pass":
        worse = f" It is significantly {_worse(result)}, within the margin." if result.worse else ""
        return f"{label}: passes. {measured}; {end}.{worse}"
    if result.verdict == "regression":
        return f"{label}: significantly {_worse(result)} than the baseline. {measured}."
    return f"{label}: inconclusive. {measured}; {end}, {_requirement(result)}. {_what_would_decide(result)}"


def _bound_words(result: RuleResult, end: float) -> str:
    """Put the bound into words: "at most 2.1 points worse", "at least 0.4 points better"."""
    below, bound = end < 0, size(end, result.row.unit)
    if result.row.better == "neither":
        limit = "at most" if below == (result.better == "more") else "at least"
        return f"{limit} {bound} {'less' if below else 'more'}"
    good = below == (result.better == "less")
    return f"at least {bound} better" if good else f"at most {bound} worse"


def _worse(result: RuleResult) -> str:
    """Return the word for the bad side."""
    if result.row.better != "neither":
        return "worse"
    return "more" if result.better == "less" else "less"


def _requirement(result: RuleResult) -> str:
    """Return what the bound is compared with."""
    limit = size(result.threshold, result.row.unit)
    if result.rule.kind == "superiority":
        return "and it has to be better" if not result.threshold else f"and it has to be better by more than {limit}"
    return f"and the margin is {limit}"


def _what_would_decide(result: RuleResult) -> str:
    needed = result.needed
    if needed is None:
        known = "it is not better by that much" if result.rule.kind == "superiority" else "it lies at the margin"
        return f"If the difference is as measured, {known}, and no number of prompts would decide it."
    more = needed.prompts - result.prompts
    chance = f"in {percent(needed.power)} of tries"
    if needed.assuming == "equal":
        return (
            f"A truly equal candidate would pass with {needed.prompts:,} prompts, {more:,} more than there are, "
            f"{chance}."
        )
    if more <= 0:
        return f"If the difference is as measured, {needed.prompts:,} prompts would decide it {chance}: try others."
    word = "pass" if needed.shows == "pass" else "show that it is worse"
    return (
        f"If the difference is as measured, it takes {needed.prompts:,} prompts to {word} {chance}, {more:,} more than "
        "there are."
    )


def needed_cell(result: RuleResult) -> str:
    """Return the number of prompts needed, and how many more that is: "346 (+90)"."""
    if result.verdict != "inconclusive":
        return ""
    if result.needed is None:
        return "-"
    more = result.needed.prompts - result.prompts
    return f"{result.needed.prompts:,} (+{more:,})" if more > 0 else f"{result.needed.prompts:,}"


def check_cells(check: JudgeCheck) -> tuple[str, ...]:
    """Return a row of the table of judge checks."""
    value = "not to be trusted" if check.reason else _check_value(check)
    return (_check_label(check), check.of, value, limit_text(check), STATES[check.state])


def limit_text(check: JudgeCheck) -> str:
    """Return what the value must be."""
    if check.reason:
        return "trusted"
    if check.limit is None:
        return "no significant change"
    return f"at {'most' if check.key == 'missing' else 'least'} {percent(check.limit)}"


def check_sentence(check: JudgeCheck) -> str:
    """Return one line about a check, with the requirement."""
    if check.reason:
        return f"{check.of}: its judged metrics cannot be trusted, because {check.reason}."
    if check.limit is None:
        required = "a significant change" if check.state == "broken" else "no significant change"
    else:
        required = f"the policy requires {limit_text(check)}"
    return f"{check.of}, {_check_label(check)}: {_check_value(check)}; {required}."


def _check_value(check: JudgeCheck) -> str:
    if check.value is None:
        return "unknown"
    return share(check.value, check.low, check.high, signed=check.limit is None)


def _check_label(check: JudgeCheck) -> str:
    return f"{check.label} ({check.suite})" if check.suite else check.label


def _difference(result: RuleResult, *, with_unit: bool = False) -> str:
    value = result.difference.value
    if value is None:
        return "-"
    return f"{amount(value, result.row.unit, signed=True)}{_unit(result.row.unit) if with_unit else ''}"


def _interval(result: RuleResult) -> str:
    low, high, unit = result.difference.low, result.difference.high, result.row.unit
    return (
        "" if low is None or high is None else f"[{amount(low, unit, signed=True)}, {amount(high, unit, signed=True)}]"
    )


def amount(value: float | None, unit: str, *, signed: bool = False) -> str:
    """Return a value without its unit, which is one of the JSON; 0 has no sign."""
    if value is None:
        return "-"
    text = format_value(value, UNITS.get(unit, ""), signed=signed)
    return text if float(text) else text.removeprefix("+")


def size(value: float, unit: str) -> str:
    """Return the size of a difference with its unit: "2.1 points"."""
    return f"{amount(abs(value), unit)}{_unit(unit)}"


def _unit(unit: str) -> str:
    return f" {UNIT_WORDS[unit]}" if unit in UNIT_WORDS else ""


def percent(value: float) -> str:
    """Return a share of the policy as it was written: 0.05 -> "5 %", 0.025 -> "2.5 %"."""
    return f"{100 * value:.6g} %"


def share(value: float, low: float | None, high: float | None, *, signed: bool = False) -> str:
    """Return a share with its interval, in percent."""
    sign = "+" if signed else ""
    ends = "" if low is None or high is None else f" [{100 * low:{sign}.0f}, {100 * high:{sign}.0f}]"
    whole = isclose(100 * value, round(100 * value), abs_tol=1e-9)
    return f"{100 * value:{sign}.{0 if whole else 1}f} %{ends}"


def sentences(decision: Decision) -> list[str]:
    """Return all sentences below the tables."""
    lines = [rule_text(result).sentence for result in decision.results]
    lines += [check_sentence(check) for check in decision.checks if check.state == "broken"]
    return [*lines, *_unknown([check for check in decision.checks if check.state == "unknown"]), *decision.notes]


def _unknown(checks: Sequence[JudgeCheck]) -> list[str]:
    """Return one sentence for each judge and suite without a judge card."""
    by_card: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        by_card.setdefault((check.of, check.suite), []).append(check.label)
    return [
        f"{judge} has no judge card in the suite {suite}, so these requirements are unknown: {', '.join(labels)}."
        for (judge, suite), labels in by_card.items()
    ]
