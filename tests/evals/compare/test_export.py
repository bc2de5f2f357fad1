"""A comparison as table, Markdown, CSV and JSON: the same figures in each, and nothing that a machine cannot read."""

import csv
import io
import json
from dataclasses import replace
from math import nan
from xml.etree import ElementTree

import pytest
from rich.console import Console

from evals.compare.cells import (
    BETTER,
    OTHER,
    WORSE,
    cell_lines,
    format_estimate,
    format_p,
    format_value,
    legend,
    significance_mark,
)
from evals.compare.comparison import Comparison
from evals.compare.export.csv import as_csv
from evals.compare.export.html import as_html
from evals.compare.export.json import as_json
from evals.compare.export.latex import as_latex
from evals.compare.export.markdown import as_markdown
from evals.compare.terminal import as_tables, extra_tables
from evals.metric import Cell, ExtraTable, Metric
from evals.note import caption
from srlm.stats.intervals import Estimate
from srlm.stats.paired import Paired

UNKNOWN = Estimate(nan, nan, nan, 0, 0)


def estimate(value, width=0.1, n=20):
    return Estimate(value, value - width, value + width, n, n)


def paired(value, p, width=0.05):
    return Paired(estimate(value, width), p, 12, 3, 5)


COMPARISON = Comparison(
    models=["M1", "M2"],
    baseline="M1",
    metrics=[
        Metric(
            "win_rate",
            "win rate",
            "%",
            "more",
            {"M1": Cell(estimate(0.5)), "M2": Cell(estimate(0.62), paired(0.12, 0.003))},
        ),
        Metric(
            "length",
            "mean length",
            "chars",
            "neither",
            {"M1": Cell(estimate(300.4, 20)), "M2": Cell(estimate(350, 20), paired(49.6, 0.2, 80))},
            level=1,
        ),
        Metric(
            "rm_kendall", "Kendall's tau-b", "", "more", {"M1": Cell(estimate(-0.25)), "M2": Cell(UNKNOWN)}, level=1
        ),
        Metric(
            "rm_pairwise_half",
            "pairwise accuracy",
            "%",
            "more",
            {"M1": Cell(estimate(0.5)), "M2": Cell(UNKNOWN, Paired(UNKNOWN, nan, 0, 0, 0))},
        ),
    ],
    notes=[caption("Win rate, of 20 prompts."), caption("Judge: j.")],
    conclusions=["M2 is significantly better than M1 in win rate: +12.0 points [+7.0, +17.0], p = 0.003."],
)


@pytest.mark.parametrize(
    ("value", "unit", "signed", "text"),
    [
        (0.5123, "%", False, "51.2"),
        (0.05, "%", True, "+5.0"),
        (-0.05, "%", True, "-5.0"),
        (301.6, "chars", False, "302"),
        (-3.2, "chars", True, "-3"),
        (0.333, "", False, "0.33"),
        (nan, "%", True, "-"),
    ],
)
def test_number(value, unit, signed, text):
    assert format_value(value, unit, signed=signed) == text


def test_with_interval():
    assert format_estimate(Estimate(0.512, 0.44, 0.584, 10, 10), "%") == "51.2 [44.0, 58.4]"
    assert format_estimate(Estimate(0.5, nan, nan, 1, 1), "%") == "50.0"
    assert format_estimate(UNKNOWN, "%") == "-"


def test_marks_stand_for_what_is_certain():
    wins, length, *_ = COMPARISON.metrics
    assert cell_lines(wins.cells["M1"], wins) == ["50.0 [40.0, 60.0]"]
    assert cell_lines(wins.cells["M2"], wins) == [
        "62.0 [52.0, 72.0]",
        "\N{BLACK UP-POINTING TRIANGLE} +12.0 [+7.0, +17.0] p=0.003",
    ]
    assert cell_lines(length.cells["M2"], length) == ["350 [330, 370]", "+50 [-30, +130] p=0.2"]
    sure = Cell(estimate(0.38), paired(-0.12, 0.003))
    marks = {better: significance_mark(sure, replace(wins, better=better)) for better in ("more", "less", "neither")}
    assert marks == {"more": WORSE, "less": BETTER, "neither": OTHER}
    assert significance_mark(wins.cells["M1"], wins) == significance_mark(length.cells["M2"], length) == ""
    assert legend(COMPARISON.metrics, []) == [
        f"{BETTER} significantly better than the baseline: p below 0.05, and an interval without 0."
    ]
    assert legend([length], []) == []


def test_a_model_that_is_not_to_be_trusted_says_so_over_its_column():
    text = printed(replace(COMPARISON, untrusted={"M2": "it gave one and the same answer to 20 of 20 prompts"}), 200)
    assert "M2 (not to be trusted)" in text
    assert "M1 (baseline) (not" not in text


def test_nothing_is_minus_nothing():
    assert format_value(-0.0004, "%", signed=True) == "+0.0"
    assert format_value(-0.4, "chars", signed=True) == "+0"
    assert format_p(1e-40, " ") == "< 1e-15"


def test_a_test_that_was_not_made_is_no_figure():
    metric = COMPARISON.metrics[3]
    assert "nan" not in "".join(cell_lines(metric.cells["M2"], metric))


def printed(comparison, width=140):
    console = Console(file=io.StringIO(), width=width)
    for table in as_tables(comparison, width):
        console.print(table)
    return console.file.getvalue()


def test_models_that_have_no_room_side_by_side_get_tables_of_their_own():
    wide, narrow = printed(COMPARISON, 200), printed(COMPARISON, 60)
    assert wide.count("Comparison with") == 1
    assert narrow.count("Comparison with") == len(COMPARISON.models)
    for metric in COMPARISON.metrics:
        assert metric.label in narrow  # nothing is squeezed
        assert all(cell_lines(metric.cells[model], metric)[0] in narrow for model in COMPARISON.models)
    assert max(map(len, narrow.splitlines())) <= 60


def test_the_table_holds_every_figure_and_marks_the_baseline():
    text = printed(COMPARISON)
    for part in ("M1 (baseline)", "win rate, %", "mean length, characters", "Kendall's tau-b", "difference to M1"):
        assert part in text
    for metric in COMPARISON.metrics:
        for model in COMPARISON.models:
            for line in cell_lines(metric.cells[model], metric):
                assert line in text


def test_markdown_is_one_table_with_captions_and_words():
    lines = as_markdown(COMPARISON).split("\n")
    assert lines[0] == "| | M1 (baseline) | M2 |"
    assert lines[1] == "|---|---:|---:|"
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(COMPARISON.metrics)
    assert {line.count("|") for line in table} == {4}
    assert f"| win rate, % | 50.0 [40.0, 60.0] | 62.0 [52.0, 72.0] <br> {BETTER} +12.0 [+7.0, +17.0] p=0.003 |" in table
    assert "Judge: j." in lines
    assert f"- {COMPARISON.conclusions[0]}" in lines


def test_csv_can_be_read_and_holds_fractions():
    rows = list(csv.DictReader(io.StringIO(as_csv(COMPARISON))))
    assert len(rows) == len(COMPARISON.metrics) * len(COMPARISON.models)
    assert all(None not in row and None not in row.values() for row in rows)
    found = {(row["metric"], row["model"]): row for row in rows}
    wins = found["win_rate", "M2"]
    assert (float(wins["value"]), float(wins["difference"]), float(wins["p_holm"])) == (0.62, 0.12, 0.003)
    assert (wins["n"], wins["clusters"], wins["baseline"]) == ("20", "20", "M1")
    assert [found["win_rate", "M1"][key] for key in ("difference", "difference_low", "difference_high", "p_holm")] == [
        ""
    ] * 4
    assert [found["rm_kendall", "M2"][key] for key in ("value", "low", "high")] == [""] * 3
    assert "nan" not in as_csv(COMPARISON)


def test_csv_survives_commas_and_quotes_in_a_name():
    name = 'a "b", c'
    metric = Metric("k", "label", "%", "more", {name: Cell(estimate(0.5))})
    (row,) = csv.DictReader(io.StringIO(as_csv(Comparison([name], name, [metric], [], []))))
    assert (row["model"], row["baseline"]) == (name, name)


def test_json_is_strict_and_complete():
    def refuse(constant):
        raise AssertionError(constant)

    data = json.loads(as_json(COMPARISON), parse_constant=refuse)
    assert (data["schema"], data["baseline"], data["models"]) == (1, "M1", ["M1", "M2"])
    assert (data["captions"], data["words"]) == (COMPARISON.captions, COMPARISON.conclusions)
    wins, length, kendall, unread = data["metrics"]
    assert [one["unit"] for one in data["metrics"]] == ["fraction", "characters", "correlation", "fraction"]
    assert wins["models"]["M1"] == {"value": 0.5, "low": 0.4, "high": 0.6, "n": 20, "clusters": 20}
    difference = wins["models"]["M2"]["difference"]
    assert (difference["value"], difference["p_holm"]) == (0.12, 0.003)
    assert (difference["wins"], difference["ties"], difference["losses"]) == (12, 3, 5)
    assert length["label"] == "mean length"
    assert kendall["models"]["M2"]["value"] is None
    assert unread["models"]["M2"]["difference"]["p_holm"] is None


def test_a_table_beside_the_comparison_stands_in_every_format():
    metric = Metric("rm_pairwise_half", "pairwise accuracy", "%", "more", {"longer wins": Cell(estimate(0.738))})
    side = ExtraTable("Judges that read nothing", ["longer wins"], [metric], ["By length."])
    beside = replace(COMPARISON, extra_tables=[side])
    (table,) = extra_tables(side, 140)
    console = Console(file=io.StringIO(), width=140)
    console.print(table)
    assert "73.8 [63.8, 83.8]" in console.file.getvalue()
    assert "difference" not in console.file.getvalue()
    markdown = as_markdown(beside)
    assert "**Judges that read nothing**" in markdown
    assert "| pairwise accuracy, % | 73.8 [63.8, 83.8] |" in markdown
    (row,) = [row for row in csv.DictReader(io.StringIO(as_csv(beside))) if row["model"] == "longer wins"]
    assert (row["baseline"], float(row["value"])) == ("", 0.738)
    (found,) = json.loads(as_json(beside))["sides"]
    assert (found["title"], found["columns"], found["captions"]) == (side.title, side.columns, side.captions)
    assert found["metrics"][0]["models"]["longer wins"]["value"] == 0.738


def test_a_name_is_printed_as_it_is_in_every_format():
    name = "./m[red]|x"
    metric = Metric("win_rate:category:[a|b]", "[a|b] (n = 12)", "%", "more", {name: Cell(estimate(0.5))})
    named = Comparison([name], name, [metric], [], [], [ExtraTable(f"against {name}", [name], [metric], [], name)])
    (side,) = extra_tables(named.extra_tables[0], 140)
    console = Console(file=io.StringIO(), width=140)
    console.print(side)
    for text in (printed(named), console.file.getvalue()):
        assert f"{name} (baseline)" in text
        assert "[a|b] (n = 12)" in text
    assert f"Comparison with {name}" in printed(named)
    assert f"against {name}" in console.file.getvalue()
    table = [line for line in as_markdown(named).split("\n") if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in table} == {3}
    assert r"| | ./m[red]\|x (baseline) |" in table
    assert json.loads(as_json(named))["models"] == [name]


HOSTILE = replace(
    COMPARISON,
    models=["M1", "<b>&50%_$"],
    metrics=[replace(one, cells={"M1": one.cells["M1"], "<b>&50%_$": one.cells["M2"]}) for one in COMPARISON.metrics],
)


def test_html_holds_every_figure_and_escapes_names():
    page = ElementTree.fromstring(f"<div>{as_html(HOSTILE).replace('<br>', '<br/>')}</div>")
    (table,) = page.findall("table")
    rows = table.findall("tbody/tr")
    assert [row.findtext("th") for row in rows] == [
        "win rate, %",
        "mean length, characters",
        "Kendall's tau-b",
        "pairwise accuracy, %",
    ]
    assert [one.text for one in table.findall("thead/tr/th")] == ["M1 (baseline)", "<b>&50%_$"]
    assert ["".join(cell.itertext()) for cell in rows[0].findall("td")] == [
        "50.0 [40.0, 60.0]",
        f"62.0 [52.0, 72.0]{BETTER} +12.0 [+7.0, +17.0] p=0.003",
    ]
    assert [one.text for one in page.findall("ul/li")] == HOSTILE.conclusions


def test_latex_is_a_table_of_booktabs_and_escapes_names():
    text = as_latex(HOSTILE)
    assert r" & M1 (baseline) & \textless{}b\textgreater{}\&50\%\_\$ \\" in text
    assert r"win rate, \% & 50.0 [40.0, 60.0] & 62.0 [52.0, 72.0] \\" in text
    assert r"\quad difference &  & $\uparrow$ +12.0 [+7.0, +17.0] p=0.003 \\" in text
    assert text.count(r"\begin{tabular}{lrr}") == text.count(r"\end{tabular}") == 1
    for line in text.splitlines():  # a row has as many cells as there are columns
        if line.endswith(r"\\"):
            assert line.replace(r"\&", "").count("&") == 2


@pytest.mark.parametrize("width", [40, 50])
def test_words_are_whole_on_a_narrow_terminal(width):
    text = printed(COMPARISON, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = {
        word.strip("[],%") for line in text.splitlines() for word in line.replace("│", " ").replace("┃", " ").split()
    }
    for metric in COMPARISON.metrics:
        assert {*metric.label.split()} <= words
    assert {"difference", "characters", "62.0", "+17.0"} <= words


def test_a_hundred_models_are_drawn_once_each(monkeypatch):
    names = [f"m{number}" for number in range(100)]
    cells = {name: Cell(estimate(0.5), None if name == "m0" else paired(0.1, 0.2)) for name in names}
    many = Comparison(names, "m0", [Metric("win_rate", "win rate", "%", "more", cells)], [], [])
    written = []
    monkeypatch.setattr("evals.compare.terminal.cell_lines", lambda *one: written.append(one) or cell_lines(*one))
    assert sum(len(table.columns) - 1 for table in as_tables(many, 140)) == len(names)
    assert len(written) == len(names)
