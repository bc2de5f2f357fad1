"""What is read off preferences against references: the rows of a comparison, and their captions."""

from collections.abc import Sequence
from math import nan

import numpy as np

from evals.length_control import ERROR, length_controlled
from evals.metric import Cell, Metric, Rate, Series, metric, seen_range
from evals.results import AlpacaResult
from evals.wording import hostile
from srlm.stats.intervals import Estimate


def metrics(results: Sequence[AlpacaResult]) -> list[Metric]:
    """Win rates: by probability, discrete and length-controlled; how long answers are, and how many were judged."""
    wins = {
        result.model: Series(
            {one.prompt_id: (one.prompt_id, one.preference) for one in result.outcomes if one.preference is not None}
        )
        for result in results
    }
    discrete = {
        model: Series({key: (one, _discrete(p)) for key, (one, p) in s.values.items()}) for model, s in wins.items()
    }
    controlled = {result.model: Cell(_length_controlled(result)) for result in results}
    lengths = {
        result.model: Series(
            {one.prompt_id: (one.prompt_id, float(one.length)) for one in result.outcomes if one.verdict_ids}
        )
        for result in results
    }
    read = {
        result.model: Rate(
            {one.prompt_id: (one.prompt_id, float(one.preference is not None)) for one in result.outcomes}
        )
        for result in results
    }
    return [
        metric("win_rate", "win rate against the reference", "%", "more", wins, (0, 1)),
        metric("discrete_win_rate", "  discrete, a draw is half", "%", "more", discrete, (0, 1), tested=False),
        Metric("length_controlled_win_rate", "  length-controlled", "%", "more", controlled),
        metric("length", "  mean length", "chars", "neither", lengths, seen_range(lengths)),
        metric("judged", "  prompts judged in both orders", "%", "more", read, (0, 1), tested=False),
    ]


def _discrete(preference: float) -> float:
    return 0.5 if preference == 0.5 else float(preference > 0.5)


def _length_controlled(result: AlpacaResult) -> Estimate:
    """Of the prompts that were answered; a verdict that is missing stays missing."""
    answered = [one for one in result.outcomes if one.verdict_ids]
    gaps = np.array([float(one.opponent_length - one.length) for one in answered])
    preferences = np.array([nan if one.preference is None else one.preference for one in answered])
    return length_controlled(gaps, preferences).estimate


def captions(results: Sequence[AlpacaResult]) -> list[str]:
    """What the figures are of, what of the answers may have been meant for the judge, and how far to trust it."""
    found = [_what(results), *_missing(results)]
    for one in results:
        answered = sum(bool(outcome.verdict_ids) for outcome in one.outcomes)
        found += hostile(one.model, "win rate", one.flagged, one.constant, answered)
    return [*found, results[0].card.caption()]


def _what(results: Sequence[AlpacaResult]) -> str:
    outcomes = results[0].outcomes
    reference = sum(one.opponent_length for one in outcomes) / len(outcomes)
    return (
        f"Win rate: mean probability that the judge prefers the model's answer, both orders of {len(outcomes)} prompts "
        f"({results[0].provenance.sampling}); the references have {reference:.0f} characters on average. "
        "Brackets: 95 % intervals; p: paired permutation test, Holm-adjusted. Length-controlled: fitted without "
        "difficulties of the prompts, to be trusted only where the mean lengths are alike (against published figures "
        f"off by up to {ERROR['fitted']} points where they are not)."
    )


def _missing(results: Sequence[AlpacaResult]) -> list[str]:
    """A warning for each model whose win rate leaves out prompts."""
    captions: list[str] = []
    for result in results:
        unanswered = sum(not one.verdict_ids for one in result.outcomes)
        missing = sum(one.preference is None for one in result.outcomes)
        if missing:
            captions.append(
                f"Attention: {missing} of {len(result.outcomes)} prompts of {result.model} have no preference "
                f"({unanswered} without an answer, {missing - unanswered} without a verdict in both orders). No win "
                "rate counts them, and a difference is over the prompts that both models have."
            )
    return captions
