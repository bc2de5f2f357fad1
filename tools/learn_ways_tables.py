"""Tables and curves of the ways to learn (tools/learn_ways.py), in Markdown and for SVG."""

from collections.abc import Sequence
from dataclasses import asdict
from math import isnan
from statistics import fmean
from typing import Any

from learn_audit import Audited
from learn_picture import Line
from learn_run import Learned
from learn_tables import gain_of, interval, signed
from learn_ways import ARMS, PAIRS, SELF, Found
from srlm.stats.intervals import mean_interval

MODELS = 3
BIN = 5
"""Steps of a point of the learning curve."""


def markdown(found: Found) -> list[str]:
    """Return the table of the arms, over all seeds: means with Student's 95 % intervals."""
    lines = [
        "| learns by | seeds | answers | M1 | M2 | M3 | gain | less DPO | pass@4, M1 and last | judge, M1 and last |",
        "|---|---:|---:|---:|---:|---:|---|---|---|---|",
    ]
    return lines + [_row(name, runs, found.get(PAIRS)) for name, runs in found.items()]


def _row(name: str, runs: Sequence[Learned], pairs: Sequence[Learned] | None) -> str:
    steps = min(len(one.models) for one in runs)
    solved = [fmean(one.models[step].quality for one in runs) for step in range(steps)]
    ends = [[one.models[place] for one in runs] for place in (0, -1)]
    passed = [fmean(one.pass_at_4.value for one in models if one.pass_at_4) for models in ends]
    # A judge that ranked nothing is at chance.
    judges = [fmean(0.5 if isnan(one.judge.value) else one.judge.value for one in models) for models in ends]
    cells = [
        ARMS[name].title,
        str(len(runs)),
        f"{fmean(one.answers for one in runs):,.0f}",
        *[f"{solved[step]:.3f}" if step < steps else "-" for step in range(MODELS)],
        signed(gain_of(runs)),
        _less_pairs(name, runs, pairs or []),
        *[" ".join(f"{one:.3f}" for one in both) for both in (passed, judges)],
    ]
    return f"| {' | '.join(cells)} |"


def _less_pairs(name: str, runs: Sequence[Learned], pairs: Sequence[Learned]) -> str:
    """Return the gain less that of DPO from the same M1, seed by seed; nothing where there is none."""
    gains = {one.seed: one.gain for one in pairs}
    if name == PAIRS or ARMS[name].own_m1 or not gains:
        return ""
    return signed(mean_interval([one.gain - gains[one.seed] for one in runs], bounds=(-1, 1)))


def seeds_markdown(found: Found) -> list[str]:
    """Return the table of all runs: solved shares with Wilson's intervals, gains with paired ones over the puzzles."""
    lines = ["| learns by | seed | M1 | M2 | M3 | gain | pass@4 | judge |", "|---|---:|---|---|---|---|---|---|"]
    for name, runs in found.items():
        for one in runs:
            solved = [interval(model.solved) for model in one.models]
            cells = [
                name,
                str(one.seed),
                *[*solved, *["-"] * (MODELS - len(solved))],
                signed(one.interval),
                " ".join(f"{model.pass_at_4.value:.3f}" for model in one.models if model.pass_at_4),
                " ".join("-" if isnan(model.judge.value) else f"{model.judge.value:.3f}" for model in one.models),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def audit_markdown(found: Found) -> list[str]:
    """Return the table of the judges' audits, over all seeds and steps of each model's training."""
    lines = [
        "| rewarded by | model | precision | recall | right, first and last steps | judged right, first and last steps "
        "| unread | groups without spread |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        for model in sorted({one.model for run in runs for one in run.audits}):
            audits = [one for run in runs for one in run.audits if one.model == model]
            cells = [
                ARMS[name].title.removeprefix("GRPO, "),
                model,
                *[_mean([getattr(one.whole, figure) for one in audits]) for figure in ("precision", "recall")],
                *[" ".join(_ends([getattr(one, shares) for one in audits])) for shares in ("right", "judged_right")],
                *[
                    _mean([getattr(one.whole, figure) for one in audits])
                    for figure in ("unread_share", "no_spread_share")
                ],
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{fmean(known):.3f}" if known else "-"


def _ends(curves: Sequence[Sequence[float | None]]) -> list[str]:
    """Return the means of the first and of the last steps of a point of the curve."""
    return [_mean([value for curve in curves for value in curve[part]]) for part in (slice(BIN), slice(-BIN, None))]


def gain_curves(found: Found) -> list[dict[str, Any]]:
    """Return the mean solved share of each arm's models over the seeds, as `learn_picture.svg` draws runs."""
    curves = []
    for name, runs in found.items():
        models = []
        for step in range(min(len(one.models) for one in runs)):
            shares = [one.models[step].quality for one in runs]
            mean = mean_interval(shares) if len(shares) > 1 else runs[0].models[step].solved
            models.append({"model": f"M{step + 1}", "solved": asdict(mean)})
        curves.append({"label": ARMS[name].title, "control": ARMS[name].is_control, "models": models})
    return curves


def audit_lines(found: Found) -> list[Line]:
    """Return the curves over the steps: answers that are right, and those judged right, means of all seeds."""
    lines = []
    for name in (SELF, "frozen-judge", "checker-points", "random-reward"):
        if name not in found:
            continue
        title = ARMS[name].title.removeprefix("GRPO, ")
        lines.append(Line(f"right: {title}", _curve(found[name], "right"), dashed=False))
        if name in (SELF, "frozen-judge"):
            lines.append(Line(f"judged right: {title}", _curve(found[name], "judged_right"), dashed=True))
    return lines


def _curve(runs: Sequence[Learned], figure: str) -> list[float]:
    """Return a figure of the audit over the steps of all iterations, as means over seeds and `BIN` steps."""
    whole = [[value for one in run.audits for value in _of(one, figure)] for run in runs]
    length = min(map(len, whole))
    points = []
    for start in range(0, length, BIN):
        values = [value for curve in whole for value in curve[start : start + BIN] if value is not None]
        if values:
            points.append(fmean(values))
    return points


def _of(audit: Audited, figure: str) -> list[float | None]:
    found: list[float | None] = getattr(audit, figure)
    return found
