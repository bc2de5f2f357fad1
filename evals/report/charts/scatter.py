"""Scatter plot of texts in two dimensions. The axes have no meaning; only near texts are known to be similar."""

from collections.abc import Sequence
from dataclasses import dataclass

from evals.report.charts.svg import GRID, PAPER, WIDTH, colour, drawing, marker, plain, to_svg


@dataclass(frozen=True)
class ScatterPoint:
    """A text's position, its group, its link and its name."""

    x: float
    y: float
    group: int
    href: str
    name: str


def scatter(name: str, panels: Sequence[tuple[str, Sequence[ScatterPoint]]], alt: str) -> str:
    """Draw panels next to each other."""
    links = {one.href: one.name for _, points in panels for one in points}
    with drawing(WIDTH, 350) as figure:
        for place, (title, points) in enumerate(panels, start=1):
            axes = figure.add_subplot(1, len(panels), place)
            for group in sorted({one.group for one in points}):
                mine = [one for one in points if one.group == group]
                drawn = axes.scatter(
                    [one.x for one in mine],
                    [one.y for one in mine],
                    s=34,
                    marker=marker(group),
                    color=colour(group),
                    alpha=0.8,
                    linewidths=0.7,
                    edgecolors=PAPER,
                )
                drawn.set_urls([one.href for one in mine])
            axes.set_title(plain(title))
            axes.set_xticks([])
            axes.set_yticks([])
            axes.margins(0.06)
            for side in ("left", "bottom", "top", "right"):
                axes.spines[side].set_visible(True)
                axes.spines[side].set_color(GRID)
        return to_svg(figure, name, alt, links, focus=False)
