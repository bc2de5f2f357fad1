"""Options of `srlm eval` as the suites declare them: its help groups them, and a new suite brings its own."""

from dataclasses import dataclass

from evals.options import LIMIT, Job, Option
from evals.suite import Suite
from evals.suites import SUITES

FOLD = Option("fold", str, "Along which line to fold.", metavar="LINE")


@dataclass(frozen=True)
class PaperResult:
    model: str
    suite: str = "paper"


def test_the_help_groups_options_by_suite(cli):
    text = " ".join(cli("eval", "--help").out.split())
    for part in (
        "Suites: alpaca win rate against references",
        "Options of every suite: --limit",
        "Options of alpaca, head-to-head, mt-bench: --prompts FILE alpaca, head-to-head: A baseline's",
        "Options of head-to-head: --baseline",
        "Options of reward: --ranked",
    ):
        assert part in text


def test_a_suite_from_outside_brings_its_option(cli, own_run, monkeypatch):
    seen = []

    def prepare(preparation):
        seen.append((preparation.get(FOLD), preparation.get(LIMIT), list(preparation.names)))
        return Job(lambda models, judge, run, progress: [])

    suite = Suite("paper", "Paper", "folded paper", PaperResult, list, list, options=(FOLD, LIMIT), prepare=prepare)
    monkeypatch.setattr("evals.suites.SUITES", (*SUITES, suite))
    text = " ".join(cli("eval", "--help").out.split())
    assert "paper folded paper" in text
    assert "Options of paper: --fold LINE Along which line to fold." in text
    result = cli("eval", "M1", "--suite", "paper", "--fold", "here", "--limit", 3, *own_run.at)
    assert (result.code, seen) == (0, [("here", 3, ["M1"])]), result.err
    refused = cli("eval", "M1", "--suite", "reward", "--fold", "here", *own_run.at)
    assert refused.code == 2
    assert "--fold is of the suite paper, and not of reward" in refused.errors[0]
