"""A suite from outside the package is one folder and one line: docs/howto/add_a_suite.md, in every command."""

import importlib
import json
import re
import sys

import pytest

import evals.suites
from helpers.paths import ROOT

PAGE = ROOT / "docs" / "howto" / "add_a_suite.md"
FILE = re.compile(r"^### `(\w+\.py)`\n.*?^<!-- test: suite -->\n```python\n(.*?)^```$", re.M | re.S)
POLICY = re.compile(r"^<!-- test: policy -->\n```yaml\n(.*?)^```$", re.M | re.S)


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """Write the page's files into a folder outside of the package, and add the line to the list."""
    folder = tmp_path / "suites" / "brevity"
    folder.mkdir(parents=True)
    for name, code in FILE.findall(PAGE.read_text(encoding="utf-8")):
        (folder / name).write_text(code, encoding="utf-8")
    assert {one.name for one in folder.iterdir()} == {
        "__init__.py",
        "metrics.py",
        "result.py",
        "run.py",
        "samples.py",
    }
    monkeypatch.setattr(evals.suites, "__path__", [*evals.suites.__path__, str(folder.parent)])
    before = set(sys.modules)
    found = importlib.import_module("evals.suites.brevity").SUITE
    monkeypatch.setattr(evals.suites, "SUITES", (*evals.suites.SUITES, found))
    yield found
    for name in set(sys.modules) - before:
        if name.startswith("evals.suites.brevity"):
            monkeypatch.delitem(sys.modules, name)


def test_a_suite_is_one_folder_and_one_line(suite, cli, own_run, tmp_path):
    text = " ".join(cli("eval", "--help").out.split())
    assert "brevity answers within a limit of words" in text
    assert "Options of brevity: --words" in text

    command = ("eval", "M1", "M2", "--suite", "brevity", "--words", 5, "--limit", 6, *own_run.at)
    result = cli(*command)
    assert result.code == 0, result.err
    assert {path.name for path in (own_run.folder / "evals" / "brevity").glob("*.json")} == {"M1.json", "M2.json"}
    calls = own_run.calls("evals/brevity")
    assert len(calls) == 12
    assert "Use at most 5 words." in calls[0][3]
    before = own_run.results()
    assert cli(*command).code == 0
    assert (own_run.calls("evals/brevity"), own_run.results()) == (calls, before)

    table = cli("compare", "M1", "M2", *own_run.at, env={"COLUMNS": "200"}).out
    assert "answers within the limit of words" in table
    assert "Brevity: 6 prompts that ask for at most 5 words." in table
    data = json.loads(cli("compare", "M1", "M2", "--format", "json", *own_run.at).out)
    rows = {row["key"]: row for row in data["metrics"]}
    assert {row["suite"] for row in rows.values()} == {"brevity"}
    assert rows["brevity"]["models"]["M2"]["difference"]["n"] == 6

    policy = tmp_path / "gate.yaml"
    policy.write_text(POLICY.search(PAGE.read_text(encoding="utf-8"))[1], encoding="utf-8")
    decided = cli("gate", "M2", "--baseline", "M1", "--policy", policy, "--format", "json", *own_run.at)
    assert decided.code in {0, 1, 3}, decided.err
    decision = json.loads(decided.out)
    assert [one["metric"] for one in decision["rules"]] == ["brevity"]
    assert any(one["key"] == "missing" and one["suite"] == "brevity" for one in decision["judge"])

    page = tmp_path / "report.html"
    made = cli("report", "r", "--no-map", "--output", page, "--runs", own_run.folder.parent)
    assert made.code == 0, made.err
    html = page.read_text(encoding="utf-8")
    assert '<section id="brevity"' in html
    assert "answers within the limit of words" in html


def test_options_of_other_suites_are_refused_as_for_any(suite, cli, own_run):
    refused = cli("eval", "M1", "--suite", "reward", "--words", 5, *own_run.at)
    assert refused.code == 2
    assert "--words is of the suite brevity, and not of reward" in refused.errors[0]
    refused = cli("eval", "M1", "--suite", "brevity", "--words", 0, *own_run.at)
    assert refused.code == 2


def test_the_samples_of_a_suite_are_in_the_report(suite, own_run, cli):
    from evals.report.samples.suites import judged_samples
    from srlm.runs import Run

    assert cli("eval", "M1", "--suite", "brevity", "--limit", 2, *own_run.at).code == 0
    found = judged_samples(Run(own_run.folder), evals.suites.load_results(Run(own_run.folder)))
    assert {one.suite for one in found} == {"brevity"}
    assert [reply.by for one in found for reply in one.replies] == ["M1", "M1"]
