"""A suite as far as models can be compared on it: whose results there are, which belong together, what they say.

What is read off has a room of its own: `evals.suites.alpaca.metrics`, `graded`, `ordered`, `verified`, `retained`; `matched` and
`voted` for results that belong to two models.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from evals.metric import ExtraTable, Metric
from evals.results import ComparableResult, Results
from evals.suites.alpaca import metrics as preferred
from evals.suites.alpaca.length_control import Gamed
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.head_to_head import metrics as matched
from evals.suites.head_to_head.result import HeadToHeadResult
from evals.suites.human import metrics as voted
from evals.suites.human.result import HumanResult
from evals.suites.mt_bench import metrics as graded
from evals.suites.mt_bench.result import MtBenchResult
from evals.suites.nlp import metrics as retained
from evals.suites.nlp.result import NlpResult
from evals.suites.reward_model import baselines as trivial
from evals.suites.reward_model import metrics as ordered
from evals.suites.reward_model.result import RewardResult
from evals.suites.verifiable import metrics as verified
from evals.suites.verifiable.result import VerifiableResult

Chosen = Sequence[Any]
"""The results of a suite that some models have, in the order of these."""


@dataclass(frozen=True)
class Suite:
    """What `compare_models` has to know of one. The functions are given the chosen results, and the models.

    `models` have results; `choose` takes those of some models, and none where one of them is missing. `alike` are the
    results that must agree in how they came about, where that is not all of them with each other. `distrusted` says
    whose figures may not have come from good answers, and why. `ranked` are the keys of rows by which many models are
    put in order.
    """

    name: str
    models: frozenset[str]
    choose: Callable[[Sequence[str]], Chosen]
    metrics: Callable[[Chosen, Sequence[str]], list[Metric]]
    captions: Callable[[Chosen, Sequence[str]], list[str]]
    sides: Callable[[Chosen], list[ExtraTable]] = lambda _: []
    alike: Callable[[Chosen], list[Sequence[ComparableResult]]] = lambda chosen: [chosen]
    distrusted: Callable[[Chosen], dict[str, str]] = lambda _: {}
    ranked: tuple[str, ...] = ()


def suites_of(results: Results, gamed: Gamed | None = None) -> list[Suite]:
    """All suites, in the order in which they are shown; `gamed` is what AlpacaEval's own length control needs."""
    return [
        _by_model(
            "alpaca",
            results.of(AlpacaResult),
            lambda chosen: preferred.metrics(chosen, gamed),
            lambda chosen: preferred.captions(chosen, gamed),
            distrusted=preferred.distrusted,
            ranked=("win_rate", "length_controlled_win_rate"),
        ),
        _by_model(
            "mt-bench",
            results.of(MtBenchResult),
            graded.metrics,
            graded.captions,
            distrusted=graded.distrusted,
            ranked=("mt_bench",),
        ),
        _by_model(
            "reward",
            results.of(RewardResult),
            ordered.metrics,
            ordered.captions,
            sides=trivial.sides,
            ranked=("rm_pairwise_half",),
        ),
        _by_model(
            "verifiable", results.of(VerifiableResult), verified.metrics, verified.captions, ranked=("prompt_strict",)
        ),
        _by_model("nlp", results.of(NlpResult), retained.metrics, retained.captions, alike=retained.by_task),
        Suite(
            "head-to-head",
            frozenset(chain(*results.of(HeadToHeadResult))),
            lambda models: matched.meetings(results.of(HeadToHeadResult), models),
            matched.metrics,
            matched.captions,
            matched.sides,
            distrusted=matched.distrusted,
        ),
        Suite(
            "human",
            frozenset(chain(*results.of(HumanResult))),
            lambda models: matched.meetings(results.of(HumanResult), models),
            voted.metrics,
            lambda chosen, models: voted.captions(chosen, models, results),
            lambda chosen: voted.sides(chosen, results),
        ),
    ]


def _by_model(
    name: str,
    results: Mapping[Any, Any],
    metrics: Callable[[Chosen], list[Metric]],
    captions: Callable[[Chosen], list[str]],
    **more: Any,
) -> Suite:
    """A suite whose results each belong to one model."""

    def choose(models: Sequence[str]) -> Chosen:
        return [results[model] for model in models] if results.keys() >= {*models} else []

    return Suite(
        name,
        frozenset(results),
        choose,
        lambda chosen, _: metrics(chosen),
        lambda chosen, _: captions(chosen),
        **more,
    )
