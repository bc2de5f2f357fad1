"""The learning curves as an SVG: solved share, or words used, of M1, M2, M3 ... with its interval, one line a run.

`curves` draws shares over the steps of a training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PLOT, HEIGHT, LEFT, TOP, BOTTOM = 500, 400, 60, 40, 50
"""Pixels; labels stand right of the plot, `PLOT` from the left."""
LABELS, CHARACTER = 180, 6
"""Least width of the labels, and that of a character."""
COLOURS = ("#1b6ca8", "#c8553d", "#588157", "#7b5ea7", "#b08900", "#4a4e69", "#2a9d8f", "#9d4edd")


@dataclass(frozen=True)
class Line:
    """A line of `curves`: a share for each of some points that are equally far apart."""

    label: str
    shares: Sequence[float]
    dashed: bool


def svg(runs: Sequence[dict[str, Any]], title: str) -> str:
    """Draw what `learn.py` measured: a run is its JSON record, or a mean of several, which has a label."""
    steps = max(len(run["models"]) for run in runs)
    words = runs[0]["models"][0].get("words") is not None
    figure, full, ticks = ("words", 5, range(6)) if words else ("solved", 1, range(0, 11, 2))
    names = max((run["models"] for run in runs), key=len)
    labels = [_label(run) for run in runs]
    width = PLOT + max(LABELS, *(8 + CHARACTER * len(label) for label in labels))

    def x(step: float) -> float:
        return LEFT + 40 + step * (PLOT - LEFT - 60) / max(1, steps - 1)

    def y(share: float) -> float:
        return HEIGHT - BOTTOM - share / full * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" font-family="sans-serif" '
        'font-size="12" fill="#333">',
        f'<rect width="{width}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="14">{title}</text>',
    ]
    for tick in ticks:
        level = y(tick if words else tick / 10)
        parts.append(f'<line x1="{LEFT}" x2="{PLOT}" y1="{level:.1f}" y2="{level:.1f}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{LEFT - 8}" y="{level + 4:.1f}" text-anchor="end">{tick if words else f"{tick * 10} %"}</text>'
        )
    for step, model in enumerate(names):
        parts.append(f'<text x="{x(step):.1f}" y="{HEIGHT - 22}" text-anchor="middle">{model["model"]}</text>')
    for number, run in enumerate(runs):
        colour = COLOURS[number % len(COLOURS)]
        dash = ' stroke-dasharray="5 4"' if run["control"] else ""
        shift = (number - (len(runs) - 1) / 2) * 4  # side by side, so that the intervals do not hide each other
        points = [(x(step) + shift, model[figure]) for step, model in enumerate(run["models"])]
        path = " ".join(f"{place:.1f},{y(share['value']):.1f}" for place, share in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dash}/>')
        for place, share in points:
            parts.append(
                f'<line x1="{place:.1f}" x2="{place:.1f}" y1="{y(share["low"]):.1f}" y2="{y(share["high"]):.1f}" '
                f'stroke="{colour}"/><circle cx="{place:.1f}" cy="{y(share["value"]):.1f}" r="3" fill="{colour}"/>'
            )
        parts.append(f'<text x="{PLOT + 8}" y="{TOP + 16 * number + 10}" fill="{colour}">{labels[number]}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _label(run: dict[str, Any]) -> str:
    return str(run.get("label") or f"seed {run['seed']}" + (f", {run['control']}" if run["control"] else ""))


def curves(lines: Sequence[Line], title: str, steps: int) -> str:
    """Draw shares over the `steps` of a training."""
    width = PLOT + max(LABELS, *(8 + CHARACTER * len(line.label) for line in lines))
    points = max(len(line.shares) for line in lines)

    def x(place: float) -> float:
        return LEFT + (place + 0.5) * (PLOT - LEFT) / points

    def y(share: float) -> float:
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" font-family="sans-serif" '
        'font-size="12" fill="#333">',
        f'<rect width="{width}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="14">{title}</text>',
        f'<text x="{(LEFT + PLOT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">optimiser steps</text>',
    ]
    for tick in range(0, 11, 2):
        level = y(tick / 10)
        parts.append(f'<line x1="{LEFT}" x2="{PLOT}" y1="{level:.1f}" y2="{level:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{level + 4:.1f}" text-anchor="end">{tick * 10} %</text>')
    for part in range(7):
        place = x(part * points / 6 - 0.5)
        parts.append(f'<text x="{place:.1f}" y="{HEIGHT - 28}" text-anchor="middle">{round(part * steps / 6)}</text>')
    for number, line in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        path = " ".join(f"{x(place):.1f},{y(share):.1f}" for place, share in enumerate(line.shares))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dash}/>')
        parts.append(f'<text x="{PLOT + 8}" y="{TOP + 16 * number + 10}" fill="{colour}">{line.label}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
