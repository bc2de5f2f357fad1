"""Names out of files of third parties in every format of a comparison, and in every form of a decision of the gate."""

import csv
import io
import json
from dataclasses import replace
from unittest import mock
from xml.etree import ElementTree

import pytest

from evals.compare.comparison import Comparison
from evals.compare.export.csv import as_csv
from evals.compare.export.html import as_html
from evals.compare.export.json import as_json
from evals.compare.export.latex import as_latex
from evals.compare.export.markdown import as_markdown
from evals.compare.terminal import print_comparison
from evals.gate.comparison_json import ComparisonJson
from evals.gate.decision import decide
from evals.gate.output.junit import as_junit
from evals.gate.output.markdown import as_markdown as decision_markdown
from evals.gate.output.terminal import print_decision
from evals.gate.policy import Policy
from evals.metric import Cell, ExtraTable, Metric
from srlm import console as display
from srlm.stats.intervals import Estimate
from srlm.stats.paired import Paired

NAMES = [
    "M\x1b]52;c;cHduZWQ=\x07\x1b[2J[/red]\nX",
    "[b]bold[/b] [/nothing]",
    "\n::add-mask::M1\n##[error]x",
    "<script>alert(1)</script>",
    "[l](javascript:alert(1))",
    '=HYPERLINK("http://x")',
    "+1+cmd|' /C calc'!A1",
    "@SUM(1)",
    "\t=1+1",
    "a | b\n\n# c",
    "\u202egpj.exe",
    "half \ud800",
    "[1cm] \\input{x} * &",
]


def comparison(name):
    cells = {
        "M1": Cell(Estimate(0.5, 0.4, 0.6, 50, 50)),
        name: Cell(Estimate(0.6, 0.5, 0.7, 50, 50), Paired(Estimate(0.1, 0.05, 0.15, 50, 50), 0.01, 10, 35, 5)),
    }
    metric = Metric("win_rate", f"win rate {name}", "%", "more", cells, suite="alpaca")
    side = ExtraTable(f"by {name}", [name], [replace(metric, cells={name: cells[name]})], [name])
    return Comparison(["M1", name], "M1", [metric], [f"Judge: {name}", name], [name], [side], [], {})


def in_the_terminal(show):
    written = io.StringIO()
    with mock.patch("sys.stdout", written):
        show()
    return written.getvalue()


def refuse(text):
    for sign in ("\x1b", "\x07", "\u202e", "\ud800", "\r"):
        assert sign not in text
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in text.splitlines())


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_comparison_in_the_terminal_shows_names_and_obeys_none(name):
    text = in_the_terminal(lambda: print_comparison(display.stdout(), comparison(name)))
    refuse(text)
    if name.startswith("[b]"):
        assert name in text
    assert all(
        line.startswith(("┃", "│", "┏", "┡", "└", "Comparison", "by ")) or "│" not in line for line in text.splitlines()
    )


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_markdown_has_as_many_lines_and_cells_as_without(name):
    found, plain = (as_markdown(comparison(one)).split("\n") for one in (name, "plain"))
    assert len(found) == len(plain)
    for line, other in zip(found, plain, strict=True):
        assert line.replace("\\|", "").count("|") == other.count("|")
        assert "<script" not in line.replace("\\<", "")
        assert "](" not in line


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_csv_has_nothing_that_a_spreadsheet_computes(name):
    rows = list(csv.DictReader(io.StringIO(as_csv(comparison(name)))))
    assert len(rows) == 3
    for row in rows:
        assert not row["model"].startswith(("=", "+", "-", "@", "\t"))
        assert float(row["value"]) in {0.5, 0.6}


def test_a_number_below_zero_stays_one_in_csv():
    one = comparison("M2")
    metric = replace(one.metrics[0], cells={**one.metrics[0].cells, "M2": Cell(Estimate(-0.25, -0.5, 0.1, 9, 9))})
    rows = list(csv.DictReader(io.StringIO(as_csv(replace(one, metrics=[metric])))))
    assert next(row["value"] for row in rows if row["model"] == "M2") == "-0.25"


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_html_and_latex_hold_names_as_text(name):
    page = ElementTree.fromstring(f"<div>{as_html(comparison(name)).replace('<br>', '<br/>')}</div>")
    assert {one.tag for one in page.iter()} <= {
        "div",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "td",
        "th",
        "br",
        "p",
        "ul",
        "li",
    }
    latex, plain = (as_latex(comparison(one)) for one in (name, "plain"))
    assert latex.count("\n") == plain.count("\n")
    assert "\\input" not in latex
    assert not any(line.startswith(("[", "*")) for line in latex.splitlines())
    assert "\\item [" not in latex


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_json_is_data_and_stays_as_it_is(name):
    assert json.loads(as_json(comparison(name)))["models"] == ["M1", name]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_decision_shows_names_and_obeys_none(name):
    data = json.loads(as_json(comparison(name)))
    data["captions"] = [f"Attention: {name}"]
    data["judges"] = [{"suite": "alpaca", "judge": name, "rubric": name, "card": None}]
    data["distrusted"] = {name: name}
    policy = Policy.model_validate(
        {"rules": [{"metric": "win_rate", "kind": "superiority"}], "judge": {"agreement": 0.6, "missing": 0.1}}
    )
    decided = decide(ComparisonJson.model_validate(data), name, policy)
    refuse(in_the_terminal(lambda: print_decision(display.stdout(), decided)))
    refuse(as_junit(decided))
    ElementTree.fromstring(as_junit(decided))
    unnamed = json.loads(json.dumps(data).replace(json.dumps(name)[1:-1], "plain"))
    plain = decide(ComparisonJson.model_validate(unnamed), "plain", policy)
    found, without = decision_markdown(decided), decision_markdown(plain)
    assert "](" not in found
    assert found.count("\n") == without.count("\n")
