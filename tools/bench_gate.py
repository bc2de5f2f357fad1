"""What `srlm gate` decides where the truth is known: 1,000 gates a cell, through the code that decides.

Each gate draws the scores of two models on the same prompts, makes the comparison out of them as the suites do, and
decides on its JSON. Prompts are of three kinds, from easy to hard, so that scores of two models go together. A
candidate is truly equal, or truly worse by exactly the margin. Counted are

    equal: regression   of the equal ones, those that are called worse: at most the policy's risk
    equal: pass         of the equal ones, those that pass, and "open": the inconclusive ones
    worse: pass         of those worse by the margin, those that pass: at most the risk of the rule
    equal: superior     of the equal ones, those that pass a rule of superiority: at most its risk
    asked               equal candidates that pass with as many new prompts as an open gate had said were needed

The last kind of score is the hardest for any such bound: the baseline has nearly all prompts right, so nearly all
differences are 0, and what differs is on one side. The last row is a policy of four rules on the same answers.

Last come shares that are no simulation: of a candidate that only ever loses, in exactly the margin, against a baseline
that has everything right. The number of its failures is binomial, so the share that passes is a sum; beside it that of
Student's interval alone.

p values are not looked at by a gate; here they come from one flip of the signs and not 20,000, which is all the time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from math import sqrt
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit
from scipy.stats import binom

import evals.metric
from evals.compare.comparison import Comparison
from evals.gate.bounds import evidence
from evals.gate.comparison_json import Difference, from_comparison
from evals.gate.decision import Decision, decide
from evals.gate.policy import Policy
from evals.metric import BinaryPerPrompt, Metric, Series, metric, observed_range
from evals.pairwise_metrics import BaselineSelf, WinsVsBaseline
from srlm.stats.intervals import mean_interval
from srlm.stats.paired import paired_difference

GATES = 1_000
PROMPTS = (50, 256, 805)
RISK = 0.05
SEED = 20260102
MOST = 20_000
"""Prompts of a gate that gets as many as it asked for; one that asks for more is left out."""

KINDS = np.array([0.3, 0.4, 0.3])
"""How often a prompt is easy, middling, hard."""
RIGHT = np.array([0.9, 0.6, 0.3])
"""How often a model's answer is right on each kind, and what a judge gives it on average."""
SURE = 0.8
"""How far a judge's probabilities lie from 0 and 1: below 1, most are near one of the two."""
TIES = np.array([0.5, 0.35, 0.2])
"""How often two models tie on each kind."""

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator
Draw = Callable[[Rng, int, bool], tuple[dict[str, Series], tuple[float, float]]]


def kinds_of(rng: Rng, n: int) -> npt.NDArray[np.int64]:
    """The kind of each prompt."""
    return rng.choice(len(KINDS), n, p=KINDS)


def series(kind: type[Series], values: Iterable[float], each: int = 1) -> Series:
    """A model's values by prompt, `each` of them on one."""
    return kind({f"{i}": (f"{i // each}", float(value)) for i, value in enumerate(values)})


def right_or_wrong(rng: Rng, n: int, worse: bool) -> tuple[dict[str, Series], tuple[float, float]]:
    """0 or 1 a prompt, as of a program that checks. The margin is 5 points."""
    share = RIGHT[kinds_of(rng, n)]
    lost = 0.05 / float(KINDS @ RIGHT) if worse else 0.0
    models = {"B": rng.random(n) < share, "C": rng.random(n) < share * (1 - lost)}
    return {name: series(BinaryPerPrompt, one) for name, one in models.items()}, (0, 1)


def near_the_ceiling(rng: Rng, n: int, worse: bool) -> tuple[dict[str, Series], tuple[float, float]]:
    """The same where the baseline has 99 % right, and the candidate errs wherever it does. The margin is 5 points."""
    right = rng.random(n) < 0.99
    lost = 0.05 / 0.99 if worse else 0.0
    models = {"B": right, "C": right & (rng.random(n) >= lost)}
    if not worse:  # equals that differ here and there
        models["C"] = np.where(rng.random(n) < 0.02, rng.random(n) < 0.99, right)
    return {name: series(BinaryPerPrompt, one) for name, one in models.items()}, (0, 1)


def win_tie_loss(rng: Rng, n: int, worse: bool) -> tuple[dict[str, Series], tuple[float, float]]:
    """Head-to-head: 1, one half or 0 a prompt, against an even baseline. The margin is 5 points of the score."""
    ties = TIES[kinds_of(rng, n)]
    lead = 0.05 if worse else 0.0
    drawn = rng.random(n)
    won, lost = drawn < (1 - ties) / 2 - lead, drawn > 1 - (1 - ties) / 2 - lead
    return {
        "B": series(BaselineSelf, [0.5] * n),
        "C": series(WinsVsBaseline, np.where(won, 1.0, np.where(lost, 0.0, 0.5))),
    }, (0, 1)


def preferences(rng: Rng, n: int, worse: bool) -> tuple[dict[str, Series], tuple[float, float]]:
    """A judge's probabilities from 0 to 1 against a reference, as of the suite alpaca. The margin is 5 points."""
    mean = RIGHT[kinds_of(rng, n)]
    theirs = mean * (1 - (0.05 / float(KINDS @ RIGHT) if worse else 0.0))
    models = {name: rng.beta(SURE * one, SURE * (1 - one)) for name, one in {"B": mean, "C": theirs}.items()}
    return {name: series(Series, one) for name, one in models.items()}, (0, 1)


def grades(rng: Rng, n: int, worse: bool) -> tuple[dict[str, Series], tuple[float, float]]:
    """Grades of two turns a prompt, 3 to 10, the second near the first. The margin is 0.3: two grades, in 15 of 100."""
    share = np.repeat(RIGHT[kinds_of(rng, n)], 2)
    base = np.repeat(rng.binomial(4, share[::2]), 2)
    models = {name: 3 + base + rng.binomial(3, share) for name in "BC"}
    if worse:
        models["C"] = models["C"] - 2 * (rng.random(2 * n) < 0.15)
    return {name: series(Series, one, each=2) for name, one in models.items()}, (1, 10)


SCORES: dict[str, tuple[Draw, str, str]] = {
    "right or wrong": (right_or_wrong, "%", "5 points"),
    "win, tie or loss": (win_tie_loss, "%", "5 points"),
    "preferences from 0 to 1": (preferences, "%", "5 points"),
    "grades from 1 to 10, two turns": (grades, "grade", "0.3 grades"),
    "right or wrong, 99 % right": (near_the_ceiling, "%", "5 points"),
}


def several(rng: Rng, n: int, worse: bool) -> list[Metric]:
    """Four metrics of the same answers, that go together. A worse candidate is so in win rate alone."""
    state = rng.bit_generator.state
    found: list[Metric] = []
    for number, draw in enumerate((preferences, right_or_wrong, win_tie_loss)):
        rng.bit_generator.state = state  # the same kinds of prompts, and the same luck
        values, bounds = draw(rng, n, worse and not number)
        found.append(metric(f"m{number}", f"m{number}", "%", "more", values, bounds))
    luck = np.array([value for _, value in (found[0].series or {})["C"].values.values()])
    lengths = {"B": rng.gamma(2, 400, n), "C": rng.gamma(2, 400, n) * (1 + 0.4 * (luck - 0.59))}
    measured = {name: series(Series, one) for name, one in lengths.items()}
    return [*found, metric("length", "length", "chars", "neither", measured, observed_range(measured))]


def gate(metrics: list[Metric], policy: Policy) -> Decision:
    """What the command decides on these metrics."""
    return decide(from_comparison(Comparison(["B", "C"], "B", metrics, [], [])), "C", policy)


def one_rule(kind: str, margin: str | None) -> Policy:
    """A policy of one rule on the metric "m"."""
    return Policy.model_validate({"risk": RISK, "rules": [{"metric": "m", "kind": kind, "margin": margin}]})


FOUR = Policy.model_validate(
    {
        "risk": RISK,
        "rules": [
            *({"metric": f"m{number}", "kind": "non-inferiority", "margin": "5 points"} for number in range(3)),
            {"metric": "length", "kind": "non-inferiority", "margin": "300 characters", "better": "less"},
        ],
    }
)


def bench(gates: int = GATES) -> dict[str, Any]:
    """Shares of gates by kind of score and number of prompts."""
    whole = evals.metric.paired_difference
    evals.metric.paired_difference = partial(paired_difference, flips=1)
    try:
        cells = {name: {n: _cell(*score, n, gates) for n in PROMPTS} for name, score in SCORES.items()}
        cells["a policy of four rules"] = {n: _of_four(n, gates) for n in PROMPTS}
    finally:
        evals.metric.paired_difference = whole
    return {"gates": gates, "risk": RISK, "cells": cells, "only_losing": only_losing()}


def only_losing() -> dict[str, dict[str, list[float]]]:
    """By margin and number of prompts: the share that passes, here and by Student's interval alone. Exact."""
    found: dict[str, dict[str, list[float]]] = {}
    for margin in (0.02, 0.05, 0.1):
        for n in PROMPTS:
            ours = student = 0.0
            for lost in range(n + 1):
                chance = float(binom.pmf(lost, n, margin))
                one = mean_interval(np.repeat([0.0, -1.0], [n - lost, lost]), bounds=(-1, 1))
                shown = evidence(Difference(**asdict(one), wins=0, ties=n - lost, losses=lost), "more")
                if shown is None:
                    continue
                half = float(stdtrit(n - 1, 1 - RISK)) * sqrt(shown.variance / n)
                ours += chance * (shown.lower_bound(RISK) > -margin)
                student += chance * (shown.value - half > -margin)
            found.setdefault(f"{100 * margin:.0f} points", {})[str(n)] = [ours, student]
    return found


def _cell(draw: Draw, unit: str, margin: str, n: int, gates: int) -> dict[str, float | None]:
    rng = np.random.default_rng([SEED, n])
    rule, better = one_rule("non-inferiority", margin), one_rule("superiority", None)

    def drawn(prompts: int, worse: bool) -> list[Metric]:
        values, bounds = draw(rng, prompts, worse)
        return [metric("m", "m", unit, "more", values, bounds)]

    equal, superior, asked = [], [], []
    for _ in range(gates):
        rows = drawn(n, False)
        equal.append(gate(rows, rule))
        superior.append(gate(rows, better).outcome == "pass")
        needed = equal[-1].results[0].needed
        if needed is not None and needed.assuming == "equal":
            asked.append(needed.prompts)
    worse = [gate(drawn(n, True), rule) for _ in range(gates)]
    enough = [gate(drawn(prompts, False), rule).outcome == "pass" for prompts in asked if prompts <= MOST]
    return {
        **_shares(equal, worse),
        "superior": _mean(superior),
        "asked": _mean(enough),
        "asking": len(enough),
        "needed": median(asked) if asked else None,
    }


def _of_four(n: int, gates: int) -> dict[str, float | None]:
    rng = np.random.default_rng([SEED, n])
    equal = [gate(several(rng, n, False), FOUR) for _ in range(gates)]
    worse = [gate(several(rng, n, True), FOUR) for _ in range(gates)]
    return {**_shares(equal, worse), "superior": None, "asked": None, "asking": 0, "needed": None}


def _shares(equal: Sequence[Decision], worse: Sequence[Decision]) -> dict[str, float | None]:
    counted = {"equal": equal, "worse": worse}
    outcomes = {"pass": "pass", "regression": "regression", "open": "inconclusive"}
    return {
        f"{truth}_{short}": _mean([one.outcome == outcome for one in decisions])
        for truth, decisions in counted.items()
        for short, outcome in outcomes.items()
    }


def _mean(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None


COLUMNS = (
    "equal_regression",
    "equal_pass",
    "equal_open",
    "worse_pass",
    "worse_regression",
    "worse_open",
    "superior",
    "asked",
    "needed",
)


def card(found: dict[str, Any]) -> list[str]:
    """Lines for people."""
    error = sqrt(RISK * (1 - RISK) / found["gates"])
    lines = [
        f"Gates, {found['gates']:,} each at a risk of {found['risk']:.0%}; a share of 5 % is known to "
        f"{100 * error:.1f} points (one standard error)",
        f"  {'%':33}prompts" + "".join(f"{column:>17}" for column in COLUMNS),
    ]
    for name, cells in found["cells"].items():
        for n, cell in cells.items():
            figures = [cell[column] for column in COLUMNS]
            shown = [_shown(column, one) for column, one in zip(COLUMNS, figures, strict=True)]
            lines.append(f"  {name:33}{n:7}" + "".join(f"{one:>17}" for one in shown))
    lines.append("Exact: a candidate that only ever loses, by the margin, passes; by Student's interval alone, %")
    for margin, by_prompts in found["only_losing"].items():
        lines += [f"  {margin:33}{n:>7}{100 * one:17.1f}{100 * two:17.1f}" for n, (one, two) in by_prompts.items()]
    return lines


def _shown(column: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if column == "needed" else f"{100 * value:.1f}"
