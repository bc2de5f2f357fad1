"""A decision as JSON. The format is stable; docs/reference/formats.md describes it."""

import json
from typing import Any

from evals.gate.comparison_json import Value
from evals.gate.decision import Decision, RuleResult
from evals.gate.judge_checks import JudgeCheck
from evals.gate.messages import check_sentence, headline, rule_text


def as_json(decision: Decision) -> str:
    """Return the whole decision; rates as fractions, undefined values null."""
    data = {
        "schema": 1,
        "outcome": decision.outcome,
        "exit_code": decision.exit_code,
        "candidate": decision.candidate,
        "baseline": decision.baseline,
        "words": headline(decision),
        "risk": decision.policy.risk,
        "power": decision.policy.power,
        "rules": [_rule(result) for result in decision.results],
        "judge": [_check(check) for check in decision.checks],
        "notes": list(decision.notes),
    }
    return json.dumps(data, ensure_ascii=False, indent=2)


def _rule(one: RuleResult) -> dict[str, Any]:
    needed = one.needed
    return {
        "metric": one.rule.metric,
        "label": one.row.label,
        "unit": one.row.unit,
        "better": one.better,
        "kind": one.rule.kind,
        "margin": one.rule.margin.size if one.rule.margin else 0.0,
        "risk": one.risk,
        "candidate": _value(one.candidate),
        "baseline": _value(one.baseline),
        "difference": _value(one.difference),
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
        "words": rule_text(one).sentence,
    }


def _value(one: Value) -> dict[str, Any]:
    return one.model_dump(include={"value", "low", "high", "n", "clusters"})


def _check(one: JudgeCheck) -> dict[str, Any]:
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
