"""Values by model or by iteration as lines: small panels, each on its own scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from evals.report.charts.svg import GRID, MUTED, WIDTH, colour, drawing, marker, plain, spread, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACROSS = 3
ROOM = 30
"""Characters that fit below a panel."""


@dataclass(frozen=True)
class Point:
    """A value with its interval; nan where there is none."""

    value: float
    low: float
    high: float
    href: str


@dataclass(frozen=True)
class LineSeries:
    """A line of a panel; a dashed one for published values. Only the first `connected` points are connected."""

    name: str
    points: tuple[Point, ...]
    series: int = 0
    dashed: bool = False
    connected: int | None = None


@dataclass(frozen=True)
class Trend:
    """A panel: line series over the same steps."""

    title: str
    series: tuple[LineSeries, ...]
    percent: bool = False
    line: float | None = None


def trends(name: str, steps: Sequence[str], found: Sequence[Trend], alt: str) -> str:
    """Draw panels in rows of three."""
    across = min(ACROSS, len(found))
    down = -(-len(found) // across)
    links = {
        point.href: f"{one.name}, {step}: {trend.title} {100 * point.value:.1f} %"
        if trend.percent
        else f"{one.name}, {step}: {trend.title} {point.value:.2f}"
        for trend in found
        for one in trend.series
        for step, point in zip(steps, one.points, strict=True)
        if point.href
    }
    height = 188 if max(map(len, steps)) * len(steps) <= ROOM else 230
    with drawing(WIDTH * across / ACROSS, height * down) as figure:
        for place, trend in enumerate(found, start=1):
            axes = figure.add_subplot(down, across, place)
            scale = 100 if trend.percent else 1
            for one in trend.series:
                _line(axes, one, scale)
            seen = [
                value * scale
                for one in trend.series
                for point in one.points
                for value in (point.value, point.low, point.high)
                if not isnan(value)
            ]
            if trend.line is not None:
                axes.axhline(trend.line, color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
                seen.append(trend.line)
            axes.set_ylim(*spread(seen or [0, 1], 1.0 if trend.percent else 0.02))
            axes.set_xlim(-0.4, len(steps) - 0.6)
            axes.set_xticks(range(len(steps)), [plain(step) for step in steps])
            if max(map(len, steps)) * len(steps) > ROOM:
                axes.tick_params(axis="x", labelrotation=35)
                for text in axes.get_xticklabels():
                    text.set_horizontalalignment("right")
                    text.set_rotation_mode("anchor")
            axes.set_title(plain(trend.title, 30))
            axes.grid(axis="y", color=GRID, linewidth=0.6)
            axes.locator_params(axis="y", nbins=5)
            axes.tick_params(length=0, axis="both", labelcolor=MUTED)
            axes.spines["left"].set_visible(False)
        return to_svg(figure, name, alt, links)


def _line(axes: "Axes", one: LineSeries, scale: float) -> None:
    shade = MUTED if one.dashed else colour(one.series)
    xs = [place for place, point in enumerate(one.points) if not isnan(point.value)]
    ys = [one.points[place].value * scale for place in xs]
    line = len(xs) if one.connected is None else sum(place < one.connected for place in xs)
    axes.plot(xs[:line], ys[:line], color=shade, linewidth=1.5, linestyle="--" if one.dashed else "-", alpha=0.8)
    for place, value in zip(xs, ys, strict=True):
        point = one.points[place]
        if not isnan(point.low):
            axes.plot([place, place], [point.low * scale, point.high * scale], color=shade, linewidth=2, alpha=0.45)
        (mark,) = axes.plot(
            [place], [value], "_" if one.dashed else marker(one.series), color=shade, markersize=7, clip_on=False
        )
        if point.href:
            mark.set_url(point.href)
