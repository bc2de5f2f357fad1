"""A decision as JSON, stable: docs/reference/formats.md describes it."""

import json
from typing import Any

from evals.gate.comparison_json import Figure
from evals.gate.decision import Decision, Finding
from evals.gate.judge_checks import Check
from evals.gate.messages import check_sentence, finding_words, headline


def as_json(decision: Decision) -> str:
    """The whole decision; rates as fractions, undefined figures null."""
    data = {
        "schema": 1,
        "outcome": decision.outcome,
        "exit_code": decision.exit_code,
        "candidate": decision.candidate,
        "baseline": decision.baseline,
        "words": headline(decision),
        "risk": decision.policy.risk,
        "power": decision.policy.power,
        "rules": [_rule(finding) for finding in decision.findings],
        "judge": [_check(check) for check in decision.checks],
        "notes": list(decision.notes),
    }
    return json.dumps(data, ensure_ascii=False, indent=2)


def _rule(one: Finding) -> dict[str, Any]:
    needed = one.needed
    return {
        "metric": one.rule.metric,
        "label": one.row.label,
        "unit": one.row.unit,
        "better": one.better,
        "kind": one.rule.kind,
        "margin": one.rule.margin.size if one.rule.margin else 0.0,
        "risk": one.risk,
        "candidate": _figure(one.candidate),
        "baseline": _figure(one.baseline),
        "difference": _figure(one.difference),
        "bound": one.bound,
        "threshold": one.threshold,
        "worse": one.worse,
        "verdict": one.verdict,
        "prompts": one.prompts,
        "prompts_needed": None
        if needed is None
        else {
            "prompts": needed.prompts,
            "more": max(0, needed.prompts - one.prompts),
            "assuming": needed.assuming,
            "shows": needed.shows,
        },
        "words": finding_words(one).sentence,
    }


def _figure(one: Figure) -> dict[str, Any]:
    return one.model_dump(include={"value", "low", "high", "n", "clusters"})


def _check(one: Check) -> dict[str, Any]:
    return {
        "key": one.key,
        "suite": one.suite or None,
        "of": one.of,
        "state": one.state,
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "n": one.n,
        "limit": one.limit,
        "words": check_sentence(one),
    }
