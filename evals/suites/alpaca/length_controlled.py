"""Length-controlled win rates of results, by the best available way, and the difference of two models.

Two models are compared on the prompts that both were judged on: both are fitted in the same bootstrap samples of these
prompts, and the standard deviation of the differences is the standard error of Student's t, for the interval and the p
value. (The share of samples beyond 0, a bootstrap's usual p value, cannot fall below one in a thousand, which is too
coarse once it is adjusted over the pairs of many models; and intervals between quantiles were too narrow at 50 prompts,
where they missed the true value in 7 to 10 % of experiments: docs/explain/compare.md.)
"""

from collections.abc import Collection, Sequence
from math import nan

import numpy as np

from evals.metric import Metric, cells_of
from evals.single_turn import prompt_position
from evals.suites.alpaca.files import PUBLISHED_ANNOTATOR
from evals.suites.alpaca.length_control import AlpacaDifficulties, LengthControlled, Way, length_controlled
from evals.suites.alpaca.result import AlpacaResult
from srlm.errors import UsageError
from srlm.stats.intervals import Estimate, within_ends
from srlm.stats.paired import Paired
from srlm.stats.student_t import student_quantile
from srlm.types import Outcome

KEY = "length_controlled_win_rate"
RESAMPLES = 1_000
NOTHING = Paired(Estimate(nan, nan, nan, 0, 0), nan, 0, 0, 0)


def length_controlled_metric(results: Sequence[AlpacaResult], difficulties: AlpacaDifficulties | None) -> Metric:
    """Return the row of a comparison. Prompts without an answer are left out; a missing verdict stays missing."""
    answered = {result.model: {one.prompt_id: one for one in result.outcomes if one.verdict_ids} for result in results}
    way = {result.model: choose_way(result, difficulties) for result in results}
    whole = {model: _fitted(outcomes.values(), way[model], difficulties) for model, outcomes in answered.items()}

    def test(one: str, two: str) -> Paired:
        common = [prompt for prompt in answered[one] if prompt in answered[two]]
        return _difference(fitted_on(one, common), fitted_on(two, common), len(common))

    def fitted_on(model: str, prompts: Sequence[str]) -> LengthControlled:
        if list(answered[model]) == prompts:
            return whole[model]
        return _fitted([answered[model][prompt] for prompt in prompts], way[model], difficulties)

    estimates = {model: found.estimate for model, found in whole.items()}
    return Metric(KEY, "length-controlled win rate", "%", "more", cells_of(estimates, test), test=test, level=1)


def choose_way(result: AlpacaResult, difficulties: AlpacaDifficulties | None) -> Way:
    """Return AlpacaEval's own way if its difficulties are given, else the way for the judge."""
    if difficulties is not None:
        return "published"
    return "held" if result.provenance.judge == PUBLISHED_ANNOTATOR else "fitted"


def fit_result(result: AlpacaResult, difficulties: AlpacaDifficulties | None, resamples: int) -> LengthControlled:
    """Fit one model as the comparison does; without resamples it has no interval."""
    answered = [one for one in result.outcomes if one.verdict_ids]
    return _fitted(answered, choose_way(result, difficulties), difficulties, resamples)


def _fitted(
    outcomes: Collection[Outcome], way: Way, difficulties: AlpacaDifficulties | None, resamples: int = RESAMPLES
) -> LengthControlled:
    gaps = np.array([float(one.opponent_length - one.length) for one in outcomes])
    preferences = np.array([nan if one.preference is None else one.preference for one in outcomes])
    positions = None
    if difficulties is not None:
        positions = np.array([_position(one.prompt_id, difficulties) for one in outcomes], dtype=np.intp)
    return length_controlled(gaps, preferences, difficulties, positions, way=way, resamples=resamples)


def _position(prompt: str, difficulties: AlpacaDifficulties) -> int:
    """Return the position of a prompt among AlpacaEval's, from 0."""
    position, prompts = prompt_position(prompt), difficulties.difficulty.size
    if position is None or position >= prompts:
        raise UsageError(
            f"--alpaca-difficulties has the difficulties of AlpacaEval's {prompts} prompts, and {prompt} is none of "
            "them. Leave it out."
        )
    return position


def _difference(one: LengthControlled, two: LengthControlled, prompts: int) -> Paired:
    from scipy.special import stdtr

    if not one.resampled.size or not two.resampled.size:
        return NOTHING
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
