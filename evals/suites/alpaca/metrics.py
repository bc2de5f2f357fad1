"""What is read off preferences against references: the rows of a comparison, and their captions."""

from collections.abc import Sequence

from evals.answer_checks import ending_warnings, injection_warnings, untrusted_reason
from evals.metric import BinaryPerPrompt, Metric, Series, metric, observed_range
from evals.suite import Selection
from evals.suites.alpaca.length_control import ERROR, AlpacaDifficulties
from evals.suites.alpaca.length_controlled import choose_way, length_controlled_metric
from evals.suites.alpaca.result import AlpacaResult

LENGTH_CONTROL = {
    "published": "Length-controlled: AlpacaEval's fit, with the difficulties of its prompts (against published figures "
    f"off by up to {ERROR['published']} points).",
    "held": "Length-controlled: without AlpacaEval's difficulties (--alpaca-difficulties), the weight of the length held at what is "
    f"known of this judge (against published figures off by up to {ERROR['held']} points).",
    "fitted": "Length-controlled: fitted without difficulties of the prompts, to be trusted only where the mean "
    f"lengths are alike (against published figures off by up to {ERROR['fitted']} points where they are not).",
}


def metrics(chosen: Selection[AlpacaResult]) -> list[Metric]:
    """Return win rates by probability, discrete and length-controlled; the lengths, and the share of judged prompts."""
    results = chosen.results
    wins = {
        result.model: Series(
            {one.prompt_id: (one.prompt_id, one.preference) for one in result.outcomes if one.preference is not None}
        )
        for result in results
    }
    discrete = {
        model: Series({key: (one, _discrete(p)) for key, (one, p) in s.values.items()}) for model, s in wins.items()
    }
    lengths = {
        result.model: Series(
            {one.prompt_id: (one.prompt_id, float(one.length)) for one in result.outcomes if one.verdict_ids}
        )
        for result in results
    }
    read = {
        result.model: BinaryPerPrompt(
            {one.prompt_id: (one.prompt_id, float(one.preference is not None)) for one in result.outcomes}
        )
        for result in results
    }
    return [
        metric("win_rate", "win rate against the reference", "%", "more", wins, (0, 1)),
        metric("discrete_win_rate", "discrete, a draw is half", "%", "more", discrete, (0, 1), tested=False, level=1),
        length_controlled_metric(results, chosen.setting(AlpacaDifficulties)),
        metric("length", "mean length", "chars", "neither", lengths, observed_range(lengths), level=1),
        metric("judged", f"prompts judged{in_both_orders(results)}", "%", "more", read, (0, 1), tested=False, level=1),
    ]


def _discrete(preference: float) -> float:
    return 0.5 if preference == 0.5 else float(preference > 0.5)


def untrusted(chosen: Selection[AlpacaResult]) -> dict[str, str]:
    """Models whose win rate need not come from good answers, and why."""
    found = {one.model: untrusted_reason(_answered(one), one.flagged, one.constant) for one in chosen.results}
    return {model: why for model, why in found.items() if why}


def captions(chosen: Selection[AlpacaResult]) -> list[str]:
    """What the figures are of, what of the answers may have been meant for the judge, and how far to trust it."""
    results = chosen.results
    found = [_what(results, chosen.setting(AlpacaDifficulties)), *_missing(results)]
    for one in results:
        found += injection_warnings(one.model, "win rate", one.flagged, one.constant, _answered(one))
        found += ending_warnings(one.model, one.endings)
    card = results[0].card
    return [*found, card.caption() if card else f"{results[0].provenance.judge} judged; its card is not known."]


def in_both_orders(results: Sequence[AlpacaResult]) -> str:
    """What a judged prompt is; another tool may have shown the judge one order only."""
    return "" if results[0].card is None else " in both orders"


def _answered(result: AlpacaResult) -> int:
    return sum(bool(outcome.verdict_ids) for outcome in result.outcomes)


def _what(results: Sequence[AlpacaResult], difficulties: AlpacaDifficulties | None) -> str:
    outcomes = results[0].outcomes
    orders = "both orders" if in_both_orders(results) else "one order"
    reference = sum(one.opponent_length for one in outcomes) / len(outcomes)
    return (
        f"Win rate: mean probability that the judge prefers the model's answer, {orders} of {len(outcomes)} prompts "
        f"({results[0].provenance.sampling}); the references have {reference:.0f} characters on average. "
        "Brackets: 95 % intervals; p: paired permutation test, of length-controlled rates the paired bootstrap, "
        f"Holm-adjusted. {LENGTH_CONTROL[choose_way(results[0], difficulties)]}"
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
                f"({unanswered} without an answer, {missing - unanswered} without a verdict{in_both_orders(results)}). "
                "No win rate counts them, and a difference is over the prompts that both models have."
            )
    return captions
