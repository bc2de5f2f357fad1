"""What is read off head-to-head results: who wins against the baseline, Elo over all pairs, and the pairs themselves.

On a prompt a model wins, ties or loses (`srlm.judges.pairwise.verdict_of`): a tie is also what both orders disagree
about. Its score is the share of wins with half of the ties. A prompt without a verdict in both orders is in no figure
but the share of those that were judged.
"""

from collections.abc import Sequence
from math import nan

from evals.answer_checks import ending_warnings, injection_warnings, untrusted_reason
from evals.metric import Cell, Direction, ExtraTable, Metric, ModelPair, Series, Unit, metric, observed_range
from evals.pairwise_metrics import TIE_HALF_SCORE, UNKNOWN, score_metric
from evals.suite import Selection
from evals.suites.head_to_head.result import HeadToHeadResult
from srlm.judges.pairwise import verdict_of
from srlm.stats.bradley_terry import bradley_terry
from srlm.stats.intervals import Estimate, ObservedRange, bootstrap_ratio, mean_interval, wilson
from srlm.stats.paired import holm, sign_test


def metrics(chosen: Selection[HeadToHeadResult]) -> list[Metric]:
    """The rows of a comparison whose first model is the baseline."""
    met, models = chosen.results, chosen.models
    baseline = models[0]
    against = {one.model: one for one in met if one.opponent == baseline}
    worth = {model: _worth(one) for model, one in against.items()}
    lengths = {model: Series(_lengths(met, model)) for model in models}
    judged = {model: Cell(_judged(against[model]) if model in against else UNKNOWN) for model in models}
    return [
        score_metric("head_to_head", "head-to-head, a tie is half", worth, models),
        Metric("head_to_head_elo", "Elo over all pairs", "elo", "more", _elo(met, models), level=1),
        metric("head_to_head_length", "mean length", "chars", "neither", lengths, observed_range(lengths), level=1),
        Metric("head_to_head_judged", "prompts judged in both orders", "%", "more", judged, level=1),
    ]


def untrusted(chosen: Selection[HeadToHeadResult]) -> dict[str, str]:
    """Models whose wins need not come from good answers, and why."""
    found: dict[str, str] = {}
    for one in chosen.results:
        answers = sum(bool(outcome.verdict_ids) for outcome in one.outcomes)
        for place, model in enumerate((one.model, one.opponent)):
            found.setdefault(model, "")
            found[model] = found[model] or untrusted_reason(answers, one.flagged[place], one.constant[place])
    return {model: why for model, why in found.items() if why}


def extra_tables(chosen: Selection[HeadToHeadResult]) -> list[ExtraTable]:
    """A table of the pairs."""
    met = chosen.results
    pairs = {str(pair): pair for pair in (ModelPair(one.model, one.opponent) for one in met)}
    adjusted = holm([sign_test(*_wins_and_losses(one)) if _worth(one) else nan for one in met])

    def row(key: str, label: str, unit: Unit, better: Direction, values: Sequence[Estimate], level: int = 0) -> Metric:
        cells = {name: Cell(value) for name, value in zip(pairs, values, strict=True)}
        return Metric(f"pair_{key}", label, unit, better, cells, level=level)

    counts = [[_counted(one, verdict) for one in met] for verdict in TIE_HALF_SCORE]
    judged = [one.clusters for one in counts[0]]
    p_values = [Estimate(p, nan, nan, n, n) for p, n in zip(adjusted, judged, strict=True)]
    positions = [_position(one) for one in met]
    return [
        ExtraTable(
            "Head-to-head, pair by pair",
            [*pairs],
            [
                row("wins", "the first wins, prompts", "count", "more", counts[0]),
                row("ties", "they tie", "count", "neither", counts[1]),
                row("losses", "the second wins", "count", "less", counts[2]),
                row("score", "score of the first, a tie is half", "%", "more", [_score(one) for one in met]),
                row("p", "sign test, p", "p", "neither", p_values, level=1),
                row("consistency", "both orders name one winner", "%", "more", [_consistency(one) for one in met]),
                row("first_position", "the answer shown first is preferred", "%", "neither", [r for r, _ in positions]),
                row("position_p", "sign test, p", "p", "neither", [p for _, p in positions], level=1),
                row("length", "mean length of the first", "chars", "neither", [_length(one) for one in met]),
                row(
                    "opponent_length",
                    "of the second",
                    "chars",
                    "neither",
                    [_length(one.swapped()) for one in met],
                    level=1,
                ),
                row("judged", "prompts judged in both orders", "%", "more", [_judged(one) for one in met]),
            ],
            [
                "A win needs both orders; where they disagree, or the judge is undecided, it is a tie. The first sign "
                "test is of wins against losses, Holm-adjusted over these pairs; the second of prompts where both "
                "verdicts went to the answer shown first against those where both went to the other."
            ],
            pairs=pairs,
        )
    ]


def captions(chosen: Selection[HeadToHeadResult]) -> list[str]:
    """What the figures are of, what of the answers may have been meant for the judge, and how far to trust it."""
    met, models = chosen.results, chosen.models
    first = met[0]
    found = [
        f"Head-to-head: {len(first.outcomes)} prompts ({first.provenance.sampling}), judged in both orders; "
        f"{models[0]} against itself would have 50 %. p: sign test of wins against losses, Holm-adjusted. Elo: "
        f"Bradley-Terry, ties as halves, over {len(met)} {'pair' if len(met) == 1 else 'pairs'} of models, {models[0]} "
        "at 0; its intervals resample prompts, the same for all pairs."
    ]
    alone = [model for model in models if all(model not in (one.model, one.opponent) for one in met)]
    found += [f"Attention: {model} met none of the others head-to-head." for model in alone]
    return [*found, *_hostile(met), first.card.caption()]


def _hostile(met: Sequence[HeadToHeadResult]) -> list[str]:
    """Once a model: what of its answers may not have been meant for the reader; and prompts without a verdict."""
    flagged: dict[str, int] = {}
    constant: dict[str, int] = {}
    endings = {model: end for one in met for model, end in zip((one.model, one.opponent), one.endings, strict=True)}
    found: list[str] = []
    for one in met:
        for place, model in enumerate((one.model, one.opponent)):
            flagged[model] = max(flagged.get(model, 0), one.flagged[place])
            constant[model] = max(constant.get(model, 0), one.constant[place])
        missing = sum(verdict_of(outcome.orders) is None for outcome in one.outcomes)
        if missing:
            found.append(
                f"Attention: {missing} of {len(one.outcomes)} prompts of {one.model} against {one.opponent} have no "
                "verdict in both orders. They count as neither win, tie nor loss."
            )
    found += [line for model in flagged for line in injection_warnings(model, "wins", flagged[model], constant[model])]
    return found + [line for model, end in endings.items() for line in ending_warnings(model, end)]


def _elo(met: Sequence[HeadToHeadResult], models: Sequence[str]) -> dict[str, Cell]:
    place = {model: number for number, model in enumerate(models)}
    games = [
        (place[one.model], place[one.opponent], worth, prompt) for one in met for prompt, worth in _worth(one).items()
    ]
    first, second, scores, prompts = ([game[column] for game in games] for column in range(4))
    ranking = bradley_terry(first, second, scores, prompts, models=len(models))
    return {model: Cell(one) for model, one in zip(models, ranking, strict=True)}


def _worth(result: HeadToHeadResult) -> dict[str, float]:
    """What each prompt that was judged is worth to the first of the two models."""
    found = {one.prompt_id: verdict_of(one.orders) for one in result.outcomes}
    return {prompt: TIE_HALF_SCORE[verdict] for prompt, verdict in found.items() if verdict is not None}


def _score(result: HeadToHeadResult) -> Estimate:
    return mean_interval(list(_worth(result).values()))


def _wins_and_losses(result: HeadToHeadResult) -> tuple[int, int]:
    worth = list(_worth(result).values())
    return worth.count(1.0), worth.count(0.0)


def _counted(result: HeadToHeadResult, verdict: str) -> Estimate:
    worth = list(_worth(result).values())
    return Estimate(worth.count(TIE_HALF_SCORE[verdict]), nan, nan, len(worth), len(worth))


def _both(result: HeadToHeadResult) -> list[tuple[float, float]]:
    """What the two verdicts of each prompt give to the answer that was shown first: 1, 0, or a half."""
    found: list[tuple[float, float]] = []
    for outcome in result.outcomes:
        one, two = outcome.orders
        if one is not None and two is not None:
            found.append((_sign(one - 0.5), _sign(0.5 - two)))
    return found


def _sign(lead: float) -> float:
    return 0.5 if lead == 0 else float(lead > 0)


def _consistency(result: HeadToHeadResult) -> Estimate:
    return wilson(sum(_wins_and_losses(result)), len(_worth(result)))


def _position(result: HeadToHeadResult) -> tuple[Estimate, Estimate]:
    """How often the answer shown first is preferred, of all single verdicts; and the p value of its sign test."""
    shown = _both(result)
    rate = bootstrap_ratio([one + two for one, two in shown], [2.0] * len(shown))
    p_value = sign_test(shown.count((1.0, 1.0)), shown.count((0.0, 0.0))) if shown else nan
    return rate, Estimate(p_value, nan, nan, len(shown), len(shown))


def _lengths(met: Sequence[HeadToHeadResult], model: str) -> dict[str, tuple[str, float]]:
    """Characters of a model's answers that were judged, by prompt."""
    seen = [one if one.model == model else one.swapped() for one in met if model in (one.model, one.opponent)]
    return {o.prompt_id: (o.prompt_id, float(o.length)) for one in seen for o in one.outcomes if o.verdict_ids}


def _length(result: HeadToHeadResult) -> Estimate:
    lengths = [length for _, length in _lengths([result], result.model).values()]
    return mean_interval(lengths, bounds=ObservedRange((min(lengths, default=0.0), max(lengths, default=0.0))))


def _judged(result: HeadToHeadResult) -> Estimate:
    return wilson(len(_worth(result)), len(result.outcomes))
