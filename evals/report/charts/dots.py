"""Values with intervals as dots on lines: rows are models, tasks or categories, dots are models."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from evals.report.charts.svg import GRID, MUTED, WIDTH, colour, drawing, marker, plain, spread, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW = 24
DODGE = 11
"""Pixels between two dots of one row."""


@dataclass(frozen=True)
class Dot:
    """A value of a series in a row; `hollow` for a second value of the same series. `name` describes it."""

    series: int
    value: float
    low: float
    high: float
    href: str
    name: str
    hollow: bool = False
    paper: float | None = None


@dataclass(frozen=True)
class Panel:
    """Rows of dots on one scale. A `line` marks the value of no effect, such as 50 %."""

    title: str
    rows: tuple[tuple[Dot, ...], ...]
    line: float | None = None
    percent: bool = False
    within: tuple[float, float] | None = None


def dots(name: str, rows: Sequence[str], panels: Sequence[Panel], alt: str, *, wide: int = 30) -> str:
    """Draw panels that share their rows. A missing value has no dot."""
    most = max(len(row) for panel in panels for row in panel.rows)
    each = max(ROW, DODGE * most + 12)
    links = {dot.href: dot.name for panel in panels for row in panel.rows for dot in row}
    with drawing(WIDTH, 66 + each * len(rows)) as figure:
        first = None
        for place, panel in enumerate(panels, start=1):
            axes = figure.add_subplot(1, len(panels), place, sharey=first)
            first = first or axes
            for number, row in enumerate(panel.rows):
                _row(axes, -number * each, row, 100 if panel.percent else 1)
            seen = [
                value * (100 if panel.percent else 1)
                for row in panel.rows
                for dot in row
                for value in (dot.value, dot.low, dot.high, dot.paper)
                if value is not None and not isnan(value)
            ]
            if panel.line is not None:
                axes.axvline(panel.line, color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
                seen.append(panel.line)
            low, high = spread(seen or [0, 1], 0.5 if panel.percent else 0.0)
            if panel.within:
                low, high = max(low, panel.within[0]), min(high, panel.within[1])
            axes.set_xlim(low, high)
            axes.set_ylim(-each * (len(rows) - 0.5), each * 0.5)
            axes.set_title(plain(panel.title))
            axes.grid(axis="x", color=GRID, linewidth=0.6)
            axes.locator_params(axis="x", nbins=6)
            axes.tick_params(length=0, labelleft=place == 1)
            for side in ("left", "bottom"):
                axes.spines[side].set_visible(False)
            for line in range(len(rows) - 1):
                axes.axhline(-(line + 0.5) * each, color=GRID, linewidth=0.6)
            axes.set_yticks([-number * each for number in range(len(rows))], [plain(row, wide) for row in rows])
        return to_svg(figure, name, alt, links)


def _row(axes: "Axes", y: float, row: Sequence[Dot], scale: float) -> None:
    top = y + DODGE * (len(row) - 1) / 2
    for place, dot in enumerate(row):
        at, shade = top - place * DODGE, colour(dot.series)
        if dot.paper is not None:
            axes.plot([dot.paper * scale], [at], "|", color=MUTED, markersize=11, markeredgewidth=2)
        if isnan(dot.value):
            continue
        if not isnan(dot.low):
            axes.plot([dot.low * scale, dot.high * scale], [at, at], color=shade, linewidth=2, alpha=0.55)
        (mark,) = axes.plot(
            [dot.value * scale],
            [at],
            marker(dot.series),
            color=shade,
            markersize=8,
            markerfacecolor="none" if dot.hollow else shade,
            markeredgewidth=1.5,
            clip_on=False,
        )
        mark.set_url(dot.href)
