"""Split bars of wins, ties and losses, as in Figure 3 of arXiv 2401.10020; and histograms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evals.report.charts.svg import GRID, INK, LOSS, MUTED, PAPER, TIE, WIDTH, WIN, colour, drawing, plain, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAR, PAPERS = 30, 14
"""Height of a bar with its gap, and of the paper's bar below it."""
READABLE = 0.05
"""The smallest share of a bar that has room for its number."""


@dataclass(frozen=True)
class SplitBar:
    """A bar of wins, ties and losses: counts, the link of each, and the paper's counts where they are wanted."""

    name: str
    counts: tuple[float, float, float]
    hrefs: tuple[str, str, str]
    paper: tuple[float, float, float] | None = None


def split_bars(name: str, bars: Sequence[SplitBar], alt: str, decided: str) -> str:
    """Draw one bar for each pair of models, with its counts; `decided` describes the counted prompts."""
    each = BAR + (PAPERS if any(one.paper for one in bars) else 0)
    words = ("wins", "ties", "losses")
    links = {
        href: f"{bar.name}: {count:g} {word}"
        for bar in bars
        for href, count, word in zip(bar.hrefs, bar.counts, words, strict=True)
    }
    with drawing(WIDTH, 46 + each * len(bars)) as figure:
        axes = figure.add_subplot()
        for place, bar in enumerate(bars):
            y = -place * each
            _bar(axes, y, 20, bar.counts, bar.hrefs)
            if bar.paper is not None:
                _bar(axes, y - 17, 7, bar.paper, None)
                axes.text(101, y - 17, "paper", va="center", fontsize=10, color=MUTED)
        axes.set_yticks([-place * each for place in range(len(bars))], [plain(one.name, 34) for one in bars])
        axes.tick_params(length=0)
        axes.set_xlim(0, 100)
        axes.set_ylim(-each * len(bars) + (BAR / 2), 15)
        axes.set_xlabel(f"% of the prompts that were {decided}")
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        return to_svg(figure, name, alt, links)


def _bar(axes: "Axes", y: float, height: float, counts: Sequence[float], hrefs: Sequence[str] | None) -> None:
    total = sum(counts) or 1
    left = 0.0
    for place, (count, shade) in enumerate(zip(counts, (WIN, TIE, LOSS), strict=True)):
        width = 100 * count / total
        (patch,) = axes.barh(y, width, height, left, color=shade, linewidth=1, edgecolor=PAPER)
        if hrefs is None:
            patch.set_alpha(0.45)
        elif count:
            patch.set_url(hrefs[place])
        if hrefs is not None and count / total >= READABLE:
            on = INK if shade == TIE else PAPER
            axes.text(left + width / 2, y, f"{count:g}", ha="center", va="center", color=on, fontsize=12)
        left += width


@dataclass(frozen=True)
class Histogram:
    """Counts by name, and the link of each."""

    title: str
    names: tuple[str, ...]
    counts: tuple[int, ...]
    hrefs: tuple[str, ...]


def histograms(name: str, found: Sequence[Histogram], alt: str, xlabel: str) -> str:
    """Draw histograms next to each other, on one scale."""
    links = {
        href: f"{one.title}: {count} at {of}"
        for one in found
        for href, count, of in zip(one.hrefs, one.counts, one.names, strict=True)
    }
    across = min(len(found), 4)
    down = -(-len(found) // across)
    highest = max((count / max(1, sum(one.counts)) for one in found for count in one.counts), default=1)
    with drawing(WIDTH if across > 1 else WIDTH * 0.6, 170 * down) as figure:
        for place, one in enumerate(found, start=1):
            axes = figure.add_subplot(down, across, place)
            total = max(1, sum(one.counts))
            bars = axes.bar(
                range(len(one.counts)), [100 * count / total for count in one.counts], 0.78, color=colour(0)
            )
            for bar, count, href in zip(bars, one.counts, one.hrefs, strict=True):
                if count:
                    bar.set_url(href)
                    axes.annotate(
                        str(count),
                        (bar.get_x() + bar.get_width() / 2, bar.get_height()),
                        (0, 3),
                        textcoords="offset points",
                        ha="center",
                        fontsize=10,
                        color=MUTED,
                    )
            axes.set_xticks(range(len(one.names)), one.names)
            axes.set_ylim(0, 100 * highest * 1.15)
            axes.set_title(plain(one.title))
            axes.set_xlabel(xlabel)
            axes.set_ylabel("%" if (place - 1) % across == 0 else "")
            axes.grid(axis="y", color=GRID, linewidth=0.6)
            axes.tick_params(length=0)
            axes.spines["left"].set_visible(False)
        return to_svg(figure, name, alt, links)
