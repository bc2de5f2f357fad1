"""Evaluation suites, one package each."""

from typing import Any

from evals.results import Results, collect, load
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.head_to_head.result import HeadToHeadResult
from evals.suites.human.result import load_human_results
from evals.suites.mt_bench.result import MtBenchResult
from evals.suites.nlp.result import NlpResult
from evals.suites.reward_model.result import RewardResult
from evals.suites.verifiable.result import VerifiableResult
from srlm.runs import Run

KINDS: tuple[type[Any], ...] = (
    AlpacaResult,
    MtBenchResult,
    RewardResult,
    VerifiableResult,
    NlpResult,
    HeadToHeadResult,
)


def load_results(run: Run) -> Results:
    """Read all results of a run.

    Raises:
        DataError: a result file is damaged.
    """
    stored = [one for kind in KINDS for one in load(run, kind)]
    return collect([*stored, *load_human_results(run)])
