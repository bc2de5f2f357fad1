"""The learning curves as an SVG: solved share, or words used, of M1, M2, M3 ... with its interval, one line a run."""

from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 680, 400, 60, 180, 40, 50
COLOURS = ("#1b6ca8", "#c8553d", "#588157", "#7b5ea7", "#b08900", "#4a4e69", "#2a9d8f", "#9d4edd")


def svg(runs: Sequence[dict[str, Any]], title: str) -> str:
    """Draw what `learn.py` measured: a run is its JSON record."""
    steps = max(len(run["models"]) for run in runs)
    words = runs[0]["models"][0].get("words") is not None
    figure, full, ticks = ("words", 5, range(6)) if words else ("solved", 1, range(0, 11, 2))
    names = max((run["models"] for run in runs), key=len)

    def x(step: float) -> float:
        return LEFT + 40 + step * (WIDTH - LEFT - RIGHT - 60) / max(1, steps - 1)

    def y(share: float) -> float:
        return HEIGHT - BOTTOM - share / full * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="14">{title}</text>',
    ]
    for tick in ticks:
        level = y(tick if words else tick / 10)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{level:.1f}" y2="{level:.1f}" stroke="#ddd"/>')
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
        label = f"seed {run['seed']}" + (f", {run['control']}" if run["control"] else "")
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{TOP + 16 * number + 10}" fill="{colour}">{label}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
