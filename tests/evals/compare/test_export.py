"""Exports of a comparison: the same values in Markdown, CSV, JSON, HTML and LaTeX, and valid in each format."""

import csv
import io
import json
from dataclasses import replace
from xml.etree import ElementTree

from rich.console import Console

from evals.compare.cells import (
    BETTER,
)
from evals.compare.comparison import Comparison
from evals.compare.export.csv import as_csv
from evals.compare.export.html import as_html
from evals.compare.export.json import as_json
from evals.compare.export.latex import as_latex
from evals.compare.export.markdown import as_markdown
from evals.compare.terminal import as_tables, extra_tables
from evals.metric import Cell, ExtraTable, Metric
from helpers.comparison_tables import COMPARISON, estimate


def printed(comparison, width=140):
    console = Console(file=io.StringIO(), width=width)
    for table in as_tables(comparison, width):
        console.print(table)
    return console.file.getvalue()


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


def test_an_extra_table_is_in_every_format():
    metric = Metric("rm_pairwise_half", "pairwise accuracy", "%", "more", {"longer wins": Cell(estimate(0.738))})
    side = ExtraTable("Judges that read nothing", ["longer wins"], [metric], ["By length."])
    extended = replace(COMPARISON, extra_tables=[side])
    (table,) = extra_tables(side, 140)
    console = Console(file=io.StringIO(), width=140)
    console.print(table)
    assert "73.8 [63.8, 83.8]" in console.file.getvalue()
    assert "difference" not in console.file.getvalue()
    markdown = as_markdown(extended)
    assert "**Judges that read nothing**" in markdown
    assert "| pairwise accuracy, % | 73.8 [63.8, 83.8] |" in markdown
    (row,) = [row for row in csv.DictReader(io.StringIO(as_csv(extended))) if row["model"] == "longer wins"]
    assert (row["baseline"], float(row["value"])) == ("", 0.738)
    (found,) = json.loads(as_json(extended))["sides"]
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
