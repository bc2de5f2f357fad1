"""Drawings as pieces of a page: colours are the page's, ids are of one drawing, names are no markup."""

import re
import warnings
from math import nan
from xml.etree import ElementTree

import pytest

pytest.importorskip("matplotlib")

from evals.report.charts.bars import Histogram, SplitBar, histograms, split_bars
from evals.report.charts.dots import Dot, Panel, dots
from evals.report.charts.lines import LineSeries, Point, Trend, trends
from evals.report.charts.radar import RadarSeries, radar
from evals.report.charts.scatter import ScatterPoint, scatter
from evals.report.charts.svg import VARIABLES, plain

HOSTILE = "M$_1^{$ <b>&\x00\u202e"


def split(name):
    return SplitBar(name, (3, 0, 5), ("#samples?o=win", "#samples?o=tie", "#samples?o=loss"), (1, 2, 3))


def drawings(name):
    dot = Dot(0, 0.5, 0.4, 0.6, "#samples?m=1", name, paper=0.3)
    point = Point(1.0, 0.5, 1.5, "#samples?p=1")
    return {
        "bars": split_bars("bars", [split(name)], name, "judged"),
        "histograms": histograms("histograms", [Histogram(name, ("0", "1"), (2, 0), ("#a", "#b"))], name, "score"),
        "dots": dots(
            "dots", [name], [Panel(name, ((dot, Dot(1, nan, nan, nan, "#n", name)),), line=50, percent=True)], name
        ),
        "lines": trends("lines", [name, "M2"], [Trend(name, (LineSeries(name, (point, point)),))], name),
        "radar": radar(
            "radar", [name, "b", "c"], [RadarSeries(name, (1.0, nan, 3.0), ("#1", "#2", "#3"), 0)], 10, name
        ),
        "scatter": scatter(
            "scatter", [(name, [ScatterPoint(0, 1, 0, "#s", name), ScatterPoint(1, 1, 1, "#t", name)])], name
        ),
    }


@pytest.fixture(scope="module")
def drawn():
    return drawings(HOSTILE)


def test_names_are_text_and_no_mathematics(drawn):
    for svg in drawn.values():
        root = ElementTree.fromstring(svg)
        assert "$_1^{$ <b>" in "".join(root.itertext())
        assert "<b>" not in svg


@pytest.mark.parametrize("name", ["m" * 400, "a name " * 60, "x/" * 200])
def test_long_names_are_drawn_without_a_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert drawings(name)


def test_every_colour_is_one_of_the_page(drawn):
    for svg in drawn.values():
        assert not re.search(r"#[0-9a-f]{6}\b", svg)
        assert set(re.findall(r"var\((--[a-z0-9]+)\)", svg)) <= {*VARIABLES.values(), "--sans"}


def test_no_two_drawings_share_an_id(drawn):
    ids = [found for svg in drawn.values() for found in re.findall(r' id="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    for name, svg in drawn.items():
        used = re.findall(r"url\(#([^)]+)\)", svg) + re.findall(r'<use xlink:href="#([^"]+)"', svg)
        assert set(used) <= set(re.findall(r' id="([^"]+)"', svg)), name


def test_every_link_has_a_name(drawn):
    for name, svg in drawn.items():
        links = re.findall(r"<a [^>]*>", svg)
        assert links, name
        assert all("aria-label=" in one and "target=" not in one for one in links)


def test_what_is_not_there_is_not_drawn():
    links = re.findall(r'xlink:href="(#samples[^"]+)"', split_bars("b", [split("a")], "alt", "judged"))
    assert [one.rpartition("=")[2] for one in links] == ["win", "loss"]


def test_a_missing_grade_is_a_gap_and_no_zero():
    def drawn(grade):
        one = RadarSeries("M1", (5.0, grade, 5.0, 5.0), ("#1", "#2", "#3", "#4"), 0)
        return radar("r", ["a", "b", "c", "d"], [one], 10, "alt")

    assert (drawn(4.0).count("<a "), drawn(nan).count("<a ")) == (4, 3)
    lines = [re.findall(r'<path d="(M [^"]*)"[^>]*fill: none; stroke: var\(--s0\)', drawn(one)) for one in (0.0, nan)]
    assert lines[0] != lines[1]
    assert [one.count("M ") for one in lines[1]] == [2]


def test_a_drawing_is_the_same_each_time(drawn):
    assert drawings(HOSTILE) == drawn


def test_a_long_name_is_broken_and_cut():
    lines = plain("one two three four five six seven eight nine ten", 10).split("\n")
    assert len(lines) == 3
    assert lines[-1].endswith("...")
    assert plain("x" * 200, 10) == f"{'x' * 20}..."
