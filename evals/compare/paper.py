"""The paper's figures beside ours, where models have the names of its models: SFT, M1, M2 and M3, and M0.

Its head-to-head counts are of pairs (Figure 3): they stand beside the pair of the same names, in whichever order. What
is our arithmetic on what it printed is called derived.
"""

from collections.abc import Sequence
from dataclasses import replace

from evals.compare.comparison import Comparison
from evals.compare.published import PAPER, reference, table
from evals.metric import ExtraTable, Metric, Reference

CAPTION = (
    f"Paper: printed in {PAPER} for its own models of these names, or derived from it, at the places that are named. "
    "Not like with like: there it is Llama 2 70B, judged by GPT-4 with other prompts (AlpacaEval 2.0 against GPT-4 "
    "Turbo), and other ranked answers; what a tie in its scores counts, its kind of Kendall's tau and which accuracies "
    "of NLP tasks are normalised is not stated. No test is made against it."
)
NOTHING = f"The paper ({PAPER}) has none of these figures for models of these names; its models are SFT, M1, M2 and M3."
DERIVED = "derived from Figure 3"
COUNTS = {"pair_wins": "win", "pair_ties": "tie", "pair_losses": "loss"}
TURNED = {"win": "loss", "tie": "tie", "loss": "win"}


def beside_paper(comparison: Comparison) -> Comparison:
    """The same comparison with what the paper has of it, and a caption that says what that is."""
    metrics = [replace(one, paper=_paper(one.key, comparison)) for one in comparison.metrics]
    sides = [replace(side, metrics=[_pairs(one, side) for one in side.metrics]) for side in comparison.sides]
    found = any(one.paper for one in [*metrics, *(one for side in sides for one in side.metrics)])
    captions = [*comparison.captions, CAPTION if found else NOTHING]
    return replace(comparison, metrics=metrics, sides=sides, captions=captions)


def _paper(metric: str, comparison: Comparison) -> Reference | None:
    models, baseline = comparison.models, comparison.baseline
    if metric == "head_to_head":
        scores = {model: score for model in models if (score := pair_score(model, baseline)) is not None}
        return Reference(DERIVED, scores) if scores else None
    if metric == "head_to_head_elo":
        return _elo(models, baseline)
    return reference(metric, models)


def _elo(models: Sequence[str], baseline: str) -> Reference | None:
    """The ratings of Figure 3, with the baseline of the comparison at 0."""
    elo = {str(row["model"]): float(row["elo"] or 0) for row in table("figure-3-elo").rows}
    if baseline not in elo:
        return None
    return Reference(DERIVED, {model: elo[model] - elo[baseline] for model in models if model in elo})


def _pairs(metric: Metric, table_of_pairs: ExtraTable) -> Metric:
    """Return a row of a table of pairs with the paper's values of the pairs that it has."""
    values: dict[str, float] = {}
    for column, pair in table_of_pairs.pairs.items():
        found = pair_score(*pair) if metric.key == "pair_score" else pair_count(*pair, COUNTS.get(metric.key))
        values |= {} if found is None else {column: found}
    where = DERIVED if metric.key == "pair_score" else f"{DERIVED}, of {table('figure-3').n}"
    return replace(metric, paper=Reference(where, values)) if values else metric


def pair_score(model: str, opponent: str) -> float | None:
    """The share of wins with half of the ties of one of the paper's models against another."""
    scores = {(row["left"], row["right"]): float(row["score"] or 0) for row in table("figure-3-scores").rows}
    turned = scores.get((opponent, model))
    return scores.get((model, opponent), None if turned is None else round(1 - turned, 3))


def pair_count(model: str, opponent: str, what: str | None) -> float | None:
    """On how many prompts it wins, ties or loses."""
    if what is None:
        return None
    for row in table("figure-3").rows:
        if (row["left"], row["right"]) in {(model, opponent), (opponent, model)}:
            return float(row[what if row["left"] == model else TURNED[what]] or 0)
    return None
