"""`srlm gate` through the real command line: five exit codes, one decision from a run and from its JSON, reports."""

import json
import sqlite3
import xml.etree.ElementTree as ET
from contextlib import closing
from dataclasses import replace

import pytest

from helpers.gate_runs import CARD, COIN, POLICY, a_run, result, results_of_two_models
from helpers.servers import serving

KEY = {"OPENAI_API_KEY": "k"}
PASS, REGRESSION, USAGE, INCONCLUSIVE, BROKEN = range(5)

BROKEN_CARD = replace(CARD, agreement=COIN)


@pytest.fixture
def here(tmp_path):
    """A folder with runs and a policy."""
    runs = tmp_path / "runs"
    a_run(runs, "few", result("F1", 0, prompts=20), result("few", 1, prompts=20))
    a_run(runs, "broken", result("M1", 0, card=BROKEN_CARD), result("broken", 0, card=BROKEN_CARD))
    results_of_two_models(runs)
    (tmp_path / "gate.yaml").write_text(POLICY, encoding="utf-8")
    return tmp_path


@pytest.fixture
def gate(cli, here):
    def call(candidate, *words, run="r", baseline="M1", policy="gate.yaml", **how):
        base = ("--baseline", baseline) if baseline else ()
        return cli(
            "gate", candidate, *base, "--policy", policy, "--runs", "runs", "--run", run, *words, cwd=here, **how
        )

    return call


CASES = {
    "pass": ("equal", "r", "M1", PASS, "Pass: equal against M1, by all 2 rules."),
    "regression": ("worse", "r", "M1", REGRESSION, "Regression: worse against M1. Win rate against the reference"),
    "inconclusive": ("few", "few", "F1", INCONCLUSIVE, "Inconclusive: few against F1."),
    "judge broken": ("broken", "broken", "M1", BROKEN, "Judge broken: broken against M1 cannot be decided."),
}


@pytest.mark.parametrize(
    ("outcome", "failures", "errors"),
    [("pass", 0, 0), ("regression", 1, 0), ("inconclusive", 0, 1), ("judge broken", 0, 1)],
)
def test_each_outcome_has_its_exit_code_and_its_reports(here, gate, outcome, failures, errors):
    candidate, run, baseline, code, first = CASES[outcome]
    (here / "summary.md").write_text("before\n", encoding="utf-8")
    found = gate(candidate, "--junit", "out/junit.xml", "--summary", "summary.md", run=run, baseline=baseline)
    assert found.code == code, found.out + found.err
    assert found.out.splitlines()[0].startswith(first)
    assert found.err == ""
    (suite,) = ET.parse(here / "out" / "junit.xml").getroot()
    # Two rules, the card's agreement, and what is missing of each of the two models.
    counts = [int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")]
    assert counts == [5, failures, errors, 0]
    summary = (here / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith(f"before\n**{first}")
    assert "| win rate against the reference, %: non-inferiority |" in summary


def test_the_summary_is_what_markdown_prints(here, gate):
    found = gate("equal", "--format", "markdown", "--summary", "summary.md")
    assert (here / "summary.md").read_text(encoding="utf-8") == f"{found.out}\n"


@pytest.mark.parametrize("outcome", CASES)
def test_a_run_and_its_comparison_as_json_give_the_same_decision(cli, here, gate, outcome):
    candidate, run, baseline, code, _ = CASES[outcome]
    compared = cli("compare", baseline, candidate, "--format", "json", "--runs", "runs", "--run", run, cwd=here)
    (here / "comparison.json").write_text(compared.out, encoding="utf-8")
    from_run = gate(candidate, "--format", "json", run=run, baseline=baseline)
    from_file = cli(
        "gate", candidate, "--policy", "gate.yaml", "--comparison", "comparison.json", "--format", "json", cwd=here
    )
    assert from_run.code == from_file.code == code
    assert from_run.out == from_file.out
    decided = json.loads(from_run.out)
    assert (decided["outcome"], decided["exit_code"]) == (outcome, code)
    assert len(decided["rules"]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"candidate": "M9"}, "'M9' does not exist"),
        ({"candidate": "M1"}, "the baseline itself"),
        ({"baseline": None}, "--baseline M1"),
        ({"policy": "none.yaml"}, "srlm gate init"),
        ({"policy": "wrong.yaml"}, "'rules.0.marign' does not exist. Did you mean 'rules.0.margin'"),
        ({"policy": "metric.yaml"}, "'win_rats' does not exist. Did you mean 'win_rate'"),
        ({"policy": "untested.yaml"}, "has no paired difference"),
        ({"policy": "unit.yaml"}, "is not in its unit"),
        ({"policy": "pinned.yaml"}, "name the judge that was pinned"),
        ({"more": ("--judge", "smollm2")}, "no judge is asked anything"),
        ({"more": ("--comparison", "gate.yaml")}, "not JSON"),
    ],
)
def test_a_mistake_is_exit_code_two_and_one_message(here, gate, words, said):
    for name, old, new in (
        ("wrong", "margin", "marign"),
        ("metric", "win_rate", "win_rats"),
        ("untested", "win_rate", "discrete_win_rate"),
        ("unit", "5 points", "5 characters"),
    ):
        (here / f"{name}.yaml").write_text(POLICY.replace(old, new), encoding="utf-8")
    pinned = POLICY.replace("missing: 0.05", "calibration: {file: calibration.json}")
    (here / "pinned.yaml").write_text(pinned, encoding="utf-8")
    words = {"candidate": "equal", "more": (), **words}
    found = gate(words.pop("candidate"), *words.pop("more"), **words)
    assert found.code == USAGE
    assert found.out == ""
    assert len(found.errors) == 1
    assert said in found.errors[0]
    assert "Traceback" not in found.err


def test_a_comparison_with_another_baseline_is_refused(cli, here, gate):
    compared = cli("compare", "M1", "equal", "--format", "json", "--runs", "runs", "--run", "r", cwd=here)
    (here / "comparison.json").write_text(compared.out, encoding="utf-8")
    found = gate("M1", "--comparison", "comparison.json", baseline="equal")
    assert found.code == USAGE
    assert "compares with M1, and --baseline is equal" in found.err


def test_what_is_missing_breaks_the_judge(here, gate):
    one = result("unread", 0)
    lost = [replace(outcome, preference=None, orders=(None, None)) for outcome in one.outcomes[:40]]
    a_run(here / "runs", "r", replace(one, outcomes=(*lost, *one.outcomes[40:])))
    found = gate("unread")
    assert found.code == BROKEN
    assert "unread, prompts without a verdict (alpaca): 10 %" in found.out


# --- init and pin -----------------------------------------------------------------------------------------------------


def test_a_policy_is_written_once_and_can_be_used(cli, here, gate):
    first = cli("gate", "init", "--output", "mine.yaml", cwd=here)
    assert (first.code, first.err) == (0, "")
    written = (here / "mine.yaml").read_text(encoding="utf-8")
    again = cli("gate", "init", "--output", "mine.yaml", cwd=here)
    assert again.code == USAGE
    assert "not overwritten" in again.err
    assert (here / "mine.yaml").read_text(encoding="utf-8") == written
    assert gate("equal", policy="mine.yaml").code == PASS
    assert gate("worse", policy="mine.yaml").code == REGRESSION


PAIRS = [{"prompt": f"Name {n} colours.", "chosen": "red, blue, green", "rejected": "none " * n} for n in range(1, 9)]
PINNED = """\
rules: [{metric: win_rate, kind: non-inferiority, margin: 5 points}]
judge: {calibration: {file: calibration.json, agreement: 0.9}}
"""


@pytest.fixture
def server():
    with serving() as found:
        yield found


def test_a_pinned_judge_is_asked_anew_and_found_out_when_it_has_moved(cli, here, gate, server):
    (here / "pairs.jsonl").write_text("\n".join(map(json.dumps, PAIRS)), encoding="utf-8")
    (here / "gate.yaml").write_text(PINNED, encoding="utf-8")
    spec = server.spec("openai", "judge")
    pinned = cli("gate", "pin", spec, "--pairs", "pairs.jsonl", cwd=here, env=KEY)
    assert pinned.code == 0, pinned.err
    assert len(server.answered) == 16
    path = here / "calibration.json"
    calibration = json.loads(path.read_text(encoding="utf-8"))
    assert len(calibration["pairs"]) == 8
    assert "k" not in calibration.values()

    refused = gate("equal", "--judge", spec, env=KEY)
    assert refused.code == USAGE
    assert "the calibration set is of openai:judge" in refused.err.replace("\n", " ")
    assert len(server.answered) == 16

    judge = f"{calibration['judge']} {calibration['identity']}"
    a_run(here / "runs", "r", result("M1", 0, judge=judge), result("equal", 1, judge=judge))
    estimated = gate("equal", "--judge", spec, "--estimate", env=KEY)
    assert (estimated.code, len(server.answered)) == (0, 16)
    assert "16 calls to make" in estimated.out

    same = gate("equal", "--judge", spec, env=KEY)
    assert same.code == PASS, same.out + same.err
    assert len(server.answered) == 32  # nothing came out of a ledger
    assert "unchanged pinned verdicts" in same.out
    with closing(sqlite3.connect(here / "runs" / "r" / "ledger.sqlite")) as ledger:
        tables = [name for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert not tables or ledger.execute("SELECT count(*) FROM calls").fetchone() == (0,)

    for pair in calibration["pairs"]:
        pair["orders"] = [1 - order for order in pair["orders"]]
    path.write_text(json.dumps(calibration), encoding="utf-8")
    moved = gate("equal", "--judge", spec, env=KEY)
    assert moved.code == BROKEN
    assert "unchanged pinned verdicts: 0 %" in moved.out

    again = cli("gate", "pin", spec, "--pairs", "pairs.jsonl", cwd=here, env=KEY)
    assert again.code == USAGE
    assert "not overwritten" in again.err
    assert len(server.answered) == 48


def test_a_judge_that_does_not_answer_decides_nothing(cli, here, gate, server):
    (here / "pairs.jsonl").write_text("\n".join(map(json.dumps, PAIRS)), encoding="utf-8")
    server.status = 401
    pinned = cli("gate", "pin", server.spec("openai", "judge"), "--pairs", "pairs.jsonl", cwd=here, env=KEY)
    assert pinned.code == USAGE
    assert not (here / "calibration.json").exists()
