"""Evaluation suites, a package each. `SUITES` is the one list of them: everything else reads it when it is called."""

from typing import Any

from evals.results import Results, collect
from evals.suite import Suite
from evals.suites import alpaca, head_to_head, human, mt_bench, nlp, reward_model, verifiable
from srlm.runs import Run

SUITES: tuple[Suite[Any], ...] = (
    alpaca.SUITE,
    mt_bench.SUITE,
    reward_model.SUITE,
    verifiable.SUITE,
    nlp.SUITE,
    head_to_head.SUITE,
    human.SUITE,
)
"""All suites, in the order in which comparisons show them."""


def load_results(run: Run) -> Results:
    """Read all results of a run.

    Raises:
        DataError: a result file is damaged.
    """
    return collect(result for suite in SUITES for result in suite.read(run))


def evaluable_suites() -> list[Suite[Any]]:
    """Return the suites that `srlm eval` runs, by name."""
    return sorted((one for one in SUITES if not one.command), key=lambda one: one.name)
