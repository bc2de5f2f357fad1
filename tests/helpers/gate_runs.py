"""Results of models that never were, made by hand in a run: for tests of what is decided on them."""

from pathlib import Path

from evals.results import Provenance, save
from evals.suites.alpaca.result import AlpacaResult
from srlm.config_file import load_config
from srlm.judges.judge_card import JudgeCard
from srlm.runs import start_run
from srlm.stats.intervals import Estimate
from srlm.types import Outcome

GOOD = Estimate(0.8, 0.7, 0.9, 60, 30)
COIN = Estimate(0.5, 0.4, 0.6, 60, 30)
CARD = JudgeCard("judge", "pairwise:0", GOOD, GOOD, COIN, COIN, 1.0)

POLICY = """\
rules:
  - {metric: win_rate, kind: non-inferiority, margin: 5 points}
  - {metric: length, kind: non-inferiority, margin: 50 characters, better: less}
judge: {agreement: 0.65, missing: 0.05}
"""


def outcome(model, number, preference):
    ids = (f"{model}-{number}-v0", f"{model}-{number}-v1")
    return Outcome(f"e{number}", model, "reference", preference, (preference, preference), 100 + number, 200, ids)


def result(model, lost, prompts=400, judge="judge id", card=CARD):
    """A model that wins half of the prompts, and of these loses the last so many."""
    won = [number % 2 and number < prompts - 2 * lost for number in range(prompts)]
    outcomes = tuple(outcome(model, number, 0.8 if one else 0.3) for number, one in enumerate(won))
    provenance = Provenance(judge, "pairwise:0", f"{prompts}:abc", "T=0.7")
    return AlpacaResult(model, f"id of {model}", provenance, card, outcomes)


def a_run(runs: Path, name: str, *results: AlpacaResult) -> None:
    """A run with these results, or the same one with more."""
    run = start_run(runs, name, load_config("quickstart", []))
    for one in results:
        save(run, one)
    run.close()


def results_of_two_models(runs: Path) -> None:
    """A baseline, its equal, and one that is worse."""
    a_run(runs, "r", result("M1", 0), result("equal", 1), result("worse", 100))
