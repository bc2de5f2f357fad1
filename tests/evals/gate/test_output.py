"""One decision for each reader: the terminal, Markdown, JUnit, JSON; hostile names stay text in all of them."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from evals.compare.comparison import Comparison
from evals.gate.comparison_json import from_comparison
from evals.gate.decision import decide
from evals.gate.output.json import as_json
from evals.gate.output.junit import as_junit
from evals.gate.output.markdown import add_summary, as_markdown
from evals.gate.output.terminal import print_decision
from helpers.comparisons import comparison, judge, policy, rates, row, rule

PASSING = rates("win_rate", both=400, gained=80, lost=20, neither=300)
WORSE = rates("head_to_head", both=400, gained=20, lost=120, neither=260)
OPEN = rates("prompt_strict", both=10, gained=2, lost=2, neither=6)
LENGTH = row("length", [100 + i for i in range(200)], [110 + i + i % 3 for i in range(200)], "chars", "neither")

RULES = [
    rule("win_rate"),
    rule("head_to_head", kind="superiority", margin=None),
    rule("prompt_strict"),
    rule("length", margin="100 characters", better="less"),
]


def decided(judges=(), floors=None, rows=(PASSING, WORSE, OPEN, LENGTH), rules=None, captions=()):
    judges = [*judges, *([judge("head-to-head")] if judges else [])]
    return decide(
        comparison(*rows, judges=judges, captions=captions), "M2", policy(*(rules or RULES), judge=floors or {})
    )


def test_junit_has_a_case_for_everything_and_counts_it():
    suites = ET.fromstring(as_junit(decided([judge(agreement=0.5)], {"agreement": 0.65, "parsed": 0.9})))
    (suite,) = suites
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "8",
        "failures": "1",
        "errors": "2",
        "skipped": "0",
    }
    assert {key: suites.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "8",
        "failures": "1",
        "errors": "2",
    }
    cases = {
        case.get("name"): [child.tag for child in case if child.tag != "system-out"] for case in suite.iter("testcase")
    }
    assert cases == {
        "win_rate non-inferiority": [],
        "head_to_head superiority": ["failure"],
        "prompt_strict non-inferiority": ["error"],
        "length non-inferiority": [],
        "agreement with labelled pairs (alpaca), judge": ["error"],
        "parsed verdicts on labelled pairs (alpaca), judge": [],
        "agreement with labelled pairs (head-to-head), judge": [],
        "parsed verdicts on labelled pairs (head-to-head), judge": [],
    }
    assert suite.find(".//failure").get("type") == "regression"
    assert "significantly worse" in suite.find(".//failure").get("message")
    assert [one.get("type") for one in suite.iter("error")] == ["inconclusive", "judge broken"]


def test_junit_skips_what_nobody_knows():
    none = replace(judge("mt-bench"), card=None)
    rows = (replace(PASSING, key="mt_bench"),)
    (suite,) = ET.fromstring(as_junit(decided([none], {"agreement": 0.65}, rows, [rule("mt_bench")])))
    assert (suite.get("skipped"), suite.get("errors"), suite.get("failures")) == ("1", "0", "0")


HOSTILE = 'M2 | <img src=x> & "]]>" `$(id)` \x07\ufffe [a](b) **b**\n# head'


def hostile():
    series = {"M1" if name == "M1" else HOSTILE: one for name, one in (PASSING.series or {}).items()}
    cells = {"M1" if name == "M1" else HOSTILE: one for name, one in PASSING.cells.items()}
    whole = Comparison(
        ["M1", HOSTILE], "M1", [replace(PASSING, label=HOSTILE, cells=cells, series=series)], [HOSTILE], []
    )
    return decide(from_comparison(whole), HOSTILE, policy(rule()))


def test_names_cannot_break_out_of_a_report():
    found = hostile()
    (suite,) = ET.fromstring(as_junit(found))
    assert "<img src=x> &" in suite.get("name")
    assert "\x07" not in suite.get("name")
    text = as_markdown(found)
    assert "<img" not in text.replace("\\<img", "")
    assert "\n# head" not in text
    table = [line for line in text.splitlines() if line.startswith("| M2")]
    assert len(table) == 1
    assert table[0].replace("\\|", "").count("|") == 10
    assert json.loads(as_json(found))["candidate"] == HOSTILE


def test_markdown_says_the_outcome_first_and_why():
    text = as_markdown(decided(captions=["Attention: 3 answers of M2 hold a prompt injection."]))
    lines = text.splitlines()
    assert lines[0].startswith("**Regression: M2 against M1. Head_to_head in words: significantly worse")
    assert len([line for line in lines if line.startswith("| ")]) == 1 + len(RULES)
    assert lines[-1] == "- Attention: 3 answers of M2 hold a prompt injection."


def test_a_summary_is_put_at_the_end_of_what_is_there(tmp_path):
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    add_summary(path, decided())
    add_summary(path, decided())
    text = path.read_text()
    assert text.startswith("before\n**Regression")
    assert text.count("**Regression") == 2


@pytest.mark.parametrize("width", [60, 140])
def test_the_terminal_says_the_outcome_first_and_all_of_why(width):
    out = StringIO()
    found = decided([judge(agreement=0.5)], {"agreement": 0.65})
    print_decision(Console(file=out, width=width), found)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("Judge broken: M2 against M1 cannot be decided.")
    assert ("┃ rule" in out.getvalue()) == (width == 140)
    words = " ".join(out.getvalue().split())
    for part in ("truly equal candidate would pass with", "significantly worse", "at least 65 %"):
        assert part in words


def test_json_has_all_of_it_and_no_nan():
    def refuse(name):
        raise AssertionError(name)

    found = json.loads(as_json(decided([judge()], {"agreement": 0.65})), parse_constant=refuse)
    assert (found["schema"], found["outcome"], found["exit_code"]) == (1, "regression", 1)
    one, two, three, four = found["rules"]
    assert one["difference"] == {
        "value": 0.075,
        "low": pytest.approx(0.0510, abs=1e-3),
        "high": pytest.approx(0.0990, abs=1e-3),
        "n": 800,
        "clusters": 800,
    }
    assert (one["threshold"], one["margin"], one["verdict"], one["prompts_needed"]) == (-0.05, 0.05, "pass", None)
    assert (two["margin"], two["verdict"], two["worse"]) == (0, "regression", True)
    assert three["prompts_needed"]["more"] == three["prompts_needed"]["prompts"] - 20
    assert (four["better"], four["threshold"]) == ("less", 100)
    assert found["judge"][0]["state"] == "holds"
    nothing = json.loads(as_json(decided(rows=(row("win_rate", [], []),), rules=[rule()])), parse_constant=refuse)
    assert nothing["rules"][0]["bound"] is None
