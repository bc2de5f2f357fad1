"""Radar chart of grades by category, as of MT-Bench in arXiv 2306.05685."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, pi
from typing import Any

from evals.report.charts.svg import GRID, colour, drawing, marker, plain, to_svg


@dataclass(frozen=True)
class RadarSeries:
    """A model's value on each spoke, and the link of each."""

    name: str
    values: tuple[float, ...]
    hrefs: tuple[str, ...]
    series: int


def radar(name: str, spokes: Sequence[str], series: Sequence[RadarSeries], highest: float, alt: str) -> str:
    """Draw a radar chart from 0 in the middle to `highest`."""
    angles = [2 * pi * place / len(spokes) for place in range(len(spokes))]
    links = {
        href: f"{one.name}, {spoke}: {value:.2f}"
        for one in series
        for spoke, value, href in zip(spokes, one.values, one.hrefs, strict=True)
    }
    with drawing(520, 440) as figure:
        axes: Any = figure.add_subplot(projection="polar")  # matplotlib types it as any axes
        axes.set_theta_offset(pi / 2)
        axes.set_theta_direction(-1)
        for one in series:
            # A missing value leaves a gap in the line: it must not be drawn at 0.
            axes.plot([*angles, angles[0]], [*one.values, one.values[0]], color=colour(one.series), linewidth=1.8)
            for angle, value, href in zip(angles, one.values, one.hrefs, strict=True):
                if not isnan(value):
                    (mark,) = axes.plot([angle], [value], marker(one.series), color=colour(one.series), markersize=7)
                    mark.set_url(href)
        axes.set_xticks(angles, [plain(one, 18) for one in spokes])
        axes.tick_params(axis="x", pad=14)
        axes.set_ylim(0, highest)
        axes.set_yticks([highest * part / 5 for part in range(1, 6)])
        axes.set_rlabel_position(360 / (2 * len(spokes)))
        axes.tick_params(axis="y", labelsize=10)
        axes.grid(color=GRID, linewidth=0.8)
        axes.spines["polar"].set_color(GRID)
        return to_svg(figure, name, alt, links)
