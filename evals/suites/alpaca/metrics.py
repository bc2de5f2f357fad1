"""Metrics of AlpacaEval: win rates against the references, raw, discrete and length-controlled.

Two models' length-controlled rates are compared on the prompts that both were judged on: both are fitted in the same
bootstrap samples of these prompts, and the standard deviation of the differences is the standard error of Student's t,
for the interval and the p value. (The share of samples beyond 0, a bootstrap's usual p value, cannot fall below one in
a thousand, which is too coarse once it is adjusted over the pairs of many models; and intervals between quantiles were
too narrow at 50 prompts, where they missed the true value in 7 to 10 % of experiments: docs/explain/compare.md.)
"""

from collections.abc import Collection, Sequence
from math import nan

import numpy as np

from evals.answer_checks import ending_warnings, injection_warnings, untrusted_reason
from evals.metric import BinaryPerPrompt, Metric, Series, cells_of, metric, observed_range
from evals.note import Note, caption, card_note, warning
from evals.single_turn import number_of_id
from evals.suite import Selection
from evals.suites.alpaca.files import PUBLISHED_ANNOTATOR
from evals.suites.alpaca.length_control import ERROR, AlpacaDifficulties, LengthControlled, Way, length_controlled
from evals.suites.alpaca.result import AlpacaResult
from srlm.errors import UsageError
from srlm.stats.intervals import Estimate, within_ends
from srlm.stats.paired import Paired
from srlm.stats.student_t import student_quantile
from srlm.types import Outcome

LENGTH_CONTROL: dict[Way, str] = {
    "published": "Length-controlled: AlpacaEval's fit, with the difficulties of its prompts (up to "
    f"{ERROR['published']} points from published values).",
    "held": "Length-controlled: without AlpacaEval's difficulties (--alpaca-difficulties), with the weight of the "
    f"length fixed at the value known for this judge (up to {ERROR['held']} points from published values).",
    "fitted": "Length-controlled: fitted without difficulties of the prompts; trust it only where mean lengths are "
    f"similar (elsewhere up to {ERROR['fitted']} points from published values).",
}
RESAMPLES = 1_000
NO_DIFFERENCE = Paired(Estimate(nan, nan, nan, 0, 0), nan, 0, 0, 0)


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
    judged = {
        result.model: BinaryPerPrompt(
            {one.prompt_id: (one.prompt_id, float(one.preference is not None)) for one in result.outcomes}
        )
        for result in results
    }
    return [
        metric("win_rate", "win rate against the reference", "%", "more", wins, (0, 1)),
        metric("discrete_win_rate", "discrete, a draw is half", "%", "more", discrete, (0, 1), tested=False, level=1),
        _length_controlled_metric(results, chosen.setting(AlpacaDifficulties)),
        metric("length", "mean length", "chars", "neither", lengths, observed_range(lengths), level=1),
        metric(
            "judged", f"prompts judged{_in_both_orders(results)}", "%", "more", judged, (0, 1), tested=False, level=1
        ),
    ]


def _discrete(preference: float) -> float:
    return 0.5 if preference == 0.5 else float(preference > 0.5)


def untrusted(chosen: Selection[AlpacaResult]) -> dict[str, str]:
    """Return the models whose win rate need not come from good answers, with the reason."""
    found = {one.model: untrusted_reason(_answered(one), one.flagged, one.constant) for one in chosen.results}
    return {model: reason for model, reason in found.items() if reason}


def notes(chosen: Selection[AlpacaResult]) -> list[Note]:
    """Return the conditions of the metrics, warnings on missing verdicts and answers, and the judge card."""
    results = chosen.results
    found = [_conditions(results, chosen.setting(AlpacaDifficulties)), *_missing(results)]
    for one in results:
        found += injection_warnings(one.model, "win rate", one.flagged, one.constant, _answered(one))
        found += ending_warnings(one.model, one.endings)
    card = results[0].card
    unknown = caption(f"Judged by {results[0].provenance.judge}, whose judge card is not known.")
    return [*found, card_note(card) if card else unknown]


def _in_both_orders(results: Sequence[AlpacaResult]) -> str:
    """Return " in both orders", or nothing for results of another tool, which may have used one order only."""
    return "" if results[0].card is None else " in both orders"


def _answered(result: AlpacaResult) -> int:
    return sum(bool(outcome.verdict_ids) for outcome in result.outcomes)


def _conditions(results: Sequence[AlpacaResult], difficulties: AlpacaDifficulties | None) -> Note:
    outcomes = results[0].outcomes
    orders = "both orders" if _in_both_orders(results) else "one order"
    reference = sum(one.opponent_length for one in outcomes) / len(outcomes)
    return caption(
        f"Win rate: mean probability that the judge prefers the model's answer, {orders} of {len(outcomes)} prompts "
        f"({results[0].provenance.sampling}); the references have {reference:.0f} characters on average. "
        "Brackets: 95 % intervals; p: paired permutation test, of length-controlled rates the paired bootstrap, "
        f"Holm-adjusted. {LENGTH_CONTROL[_lc_method(results[0], difficulties)]}"
    )


def _missing(results: Sequence[AlpacaResult]) -> list[Note]:
    """Return a warning for each model whose win rate leaves out prompts."""
    found = []
    for result in results:
        unanswered = sum(not one.verdict_ids for one in result.outcomes)
        missing = sum(one.preference is None for one in result.outcomes)
        if missing:
            text = (
                f"{missing} of {len(result.outcomes)} prompts of {result.model} have no preference ({unanswered} "
                f"without an answer, {missing - unanswered} without a verdict{_in_both_orders(results)}). No win rate "
                "counts them, and a difference is over the prompts that both models have."
            )
            found.append(warning(text, result.model))
    return found


# --- length-controlled ------------------------------------------------------------------------------------------------


def _length_controlled_metric(results: Sequence[AlpacaResult], difficulties: AlpacaDifficulties | None) -> Metric:
    """Return the row of length-controlled rates. A missing answer has no length; a missing verdict stays missing."""
    answered = {result.model: {one.prompt_id: one for one in result.outcomes if one.verdict_ids} for result in results}
    method = {result.model: _lc_method(result, difficulties) for result in results}
    whole = {model: _fit(outcomes.values(), method[model], difficulties) for model, outcomes in answered.items()}

    def test(one: str, two: str) -> Paired:
        common = [prompt for prompt in answered[one] if prompt in answered[two]]
        return _difference(fit_on(one, common), fit_on(two, common), len(common))

    def fit_on(model: str, prompts: Sequence[str]) -> LengthControlled:
        if list(answered[model]) == prompts:
            return whole[model]
        return _fit([answered[model][prompt] for prompt in prompts], method[model], difficulties)

    cells = cells_of({model: found.estimate for model, found in whole.items()}, test)
    label = "length-controlled win rate"
    return Metric("length_controlled_win_rate", label, "%", "more", cells, test=test, level=1)


def _lc_method(result: AlpacaResult, difficulties: AlpacaDifficulties | None) -> Way:
    """Return AlpacaEval's own method where its difficulties are given, or else the best one for the judge."""
    if difficulties is not None:
        return "published"
    return "held" if result.provenance.judge == PUBLISHED_ANNOTATOR else "fitted"


def fit_result(result: AlpacaResult, difficulties: AlpacaDifficulties | None, resamples: int) -> LengthControlled:
    """Fit one model as a comparison does; without resamples it has no interval."""
    answered = [one for one in result.outcomes if one.verdict_ids]
    return _fit(answered, _lc_method(result, difficulties), difficulties, resamples)


def _fit(
    outcomes: Collection[Outcome], method: Way, difficulties: AlpacaDifficulties | None, resamples: int = RESAMPLES
) -> LengthControlled:
    gaps = np.array([float(one.opponent_length - one.length) for one in outcomes])
    preferences = np.array([nan if one.preference is None else one.preference for one in outcomes])
    places = None
    if difficulties is not None:
        places = np.array([_place(one.prompt_id, difficulties.difficulty.size) for one in outcomes], dtype=np.intp)
    return length_controlled(gaps, preferences, difficulties, places, way=method, resamples=resamples)


def _place(prompt_id: str, prompts: int) -> int:
    """Return the place of a prompt among AlpacaEval's, from 0."""
    number = number_of_id(prompt_id)
    if number is None or not 0 < number <= prompts:
        raise UsageError(
            f"--alpaca-difficulties has the difficulties of AlpacaEval's {prompts} prompts, and {prompt_id} is none of "
            "them. Leave it out."
        )
    return number - 1


def _difference(one: LengthControlled, two: LengthControlled, prompts: int) -> Paired:
    """Return the difference of two rates that were fitted in the same bootstrap samples."""
    from scipy.special import stdtr

    if not one.resampled.size or not two.resampled.size:
        return NO_DIFFERENCE
    gap, gaps = one.estimate.value - two.estimate.value, one.resampled - two.resampled
    spread = float(gaps.std(ddof=1))
    if not spread > 0:
        return Paired(Estimate(gap, nan, nan, prompts, prompts), nan, 0, 0, 0)
    half = student_quantile(0.975, prompts - 1) * spread
    p_value = 2 * float(stdtr(prompts - 1, -abs(gap) / spread))
    if abs(gap) + half <= 1:
        return Paired(Estimate(gap, gap - half, gap + half, prompts, prompts), p_value, 0, 0, 0)
    ends = within_ends(gap, half, (-1.0, 1.0))
    return Paired(Estimate(gap, *ends, prompts, prompts), p_value, 0, 0, 0, spread)
