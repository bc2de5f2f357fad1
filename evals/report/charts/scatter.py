"""Texts as points in two dimensions. The axes mean nothing: near is alike, far may be anything."""

from collections.abc import Sequence
from dataclasses import dataclass

from evals.report.charts.svg import GRID, PAPER, WIDTH, colour, drawing, marker, plain, to_svg


@dataclass(frozen=True)
class Spot:
    """A text's place, its group, and where it leads."""

    x: float
    y: float
    group: int
    href: str
    name: str


def scatter(name: str, panels: Sequence[tuple[str, Sequence[Spot]]], alt: str) -> str:
    """Panels side by side."""
    links = {spot.href: spot.name for _, spots in panels for spot in spots}
    with drawing(WIDTH, 350) as figure:
        for place, (title, spots) in enumerate(panels, start=1):
            axes = figure.add_subplot(1, len(panels), place)
            for group in sorted({spot.group for spot in spots}):
                mine = [spot for spot in spots if spot.group == group]
                points = axes.scatter(
                    [spot.x for spot in mine],
                    [spot.y for spot in mine],
                    s=34,
                    marker=marker(group),
                    color=colour(group),
                    alpha=0.8,
                    linewidths=0.7,
                    edgecolors=PAPER,
                )
                points.set_urls([spot.href for spot in mine])
            axes.set_title(plain(title))
            axes.set_xticks([])
            axes.set_yticks([])
            axes.margins(0.06)
            for side in ("left", "bottom", "top", "right"):
                axes.spines[side].set_visible(True)
                axes.spines[side].set_color(GRID)
        return to_svg(figure, name, alt, links, focus=False)
