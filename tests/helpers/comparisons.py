"""Comparisons as JSON has them, made from differences by prompt, for tests of what is decided on them."""

from dataclasses import replace

from evals.compare.comparison import Comparison, SuiteJudge
from evals.gate.comparison_json import from_comparison
from evals.gate.policy import Policy
from evals.metric import BinaryPerPrompt, Series, metric, observed_range
from evals.note import parse_notes
from srlm.judges.judge_card import JudgeCard
from srlm.stats.intervals import Estimate


def values(numbers, kind=Series):
    return kind({f"p{i}": (f"p{i}", float(number)) for i, number in enumerate(numbers)})


def row(key, baseline, candidate, unit="%", better="more", kind=Series, *, tested=True):
    series = {"M1": values(baseline, kind), "M2": values(candidate, kind)}
    bounds = observed_range(series) if unit == "chars" else (1, 10) if unit == "grade" else (0, 1)
    return metric(key, f"{key} in words", unit, better, series, bounds, tested=tested, level=1)


def rates(key, both, gained, lost, neither):
    """Right or wrong: prompts that both models get, that only the candidate gets, only the baseline, and neither."""
    baseline = [1] * both + [0] * gained + [1] * lost + [0] * neither
    candidate = [1] * both + [1] * gained + [0] * lost + [0] * neither
    return row(key, baseline, candidate, kind=BinaryPerPrompt)


def comparison(*rows, judges=(), captions=()):
    of = [replace(row, suite=suite_of(row.key)) for row in rows]
    return from_comparison(
        Comparison(["M1", "M2"], "M1", of, parse_notes(captions, ["M1", "M2"]), [], judges=list(judges))
    )


def suite_of(key):
    """Where compare reads a metric of this key off."""
    begins = {"head_to_head": "head-to-head", "mt_bench": "mt-bench", "rm_": "reward", "parse_": "reward"}
    begins |= {
        "prompt_": "verifiable",
        "instruction_": "verifiable",
        "verifiable_": "verifiable",
        "nlp_": "nlp",
        "human": "human",
    }
    return next((suite for begin, suite in begins.items() if key.startswith(begin)), "alpaca")


def estimate(value, n=60):
    return Estimate(value, value - 0.05, value + 0.05, n, n)


def card(agreement=0.9, consistency=0.9, read=1.0):
    coin = estimate(0.5)
    return JudgeCard("judge", "pairwise:0", estimate(agreement), estimate(consistency), coin, coin, read)


def judge(suite="alpaca", name="judge id", **figures):
    return SuiteJudge(suite, name, "pairwise:0", card(**figures))


def policy(*rules, judge=None, **more):
    return Policy.model_validate({"rules": list(rules), "judge": judge or {}, **more})


def rule(metric="win_rate", kind="non-inferiority", margin="5 points", **more):
    return {"metric": metric, "kind": kind, "margin": margin, **more}
