"""Metrics of the suite head-to-head: the score against the baseline, Elo over all pairs, and a table of the pairs.

On a prompt a model wins, ties or loses (`srlm.judges.pairwise.verdict_of`): if the two orders disagree, it is a tie.
Its score is the share of wins plus half of the ties. A prompt without a verdict in both orders is in no metric but the
share of judged prompts.
"""

from collections.abc import Sequence
from functools import partial
from math import nan

from evals.answer_checks import ending_warnings, injection_warnings, untrusted_reason
from evals.metric import Cell, ExtraTable, Metric, Series, metric, observed_range
from evals.note import Note, caption, card_note, warning
from evals.pairwise_metrics import (
    TIE_HALF_SCORE,
    UNKNOWN,
    Lengths,
    Scores,
    mean_length,
    mean_score,
    outcome_count,
    pair_row,
    pairs_of,
    score_metric,
    sign_tests,
    wins_and_losses,
    without_opponent,
)
from evals.suite import Selection
from evals.suites.head_to_head.result import HeadToHeadResult
from srlm.judges.pairwise import verdict_of
from srlm.stats.bradley_terry import bradley_terry
from srlm.stats.intervals import Estimate, bootstrap_ratio, wilson
from srlm.stats.paired import sign_test


def metrics(chosen: Selection[HeadToHeadResult]) -> list[Metric]:
    """Return the rows of a comparison whose first model is the baseline."""
    results, models = chosen.results, chosen.models
    against = {one.model: one for one in results if one.opponent == models[0]}
    scores = {model: _scores(one) for model, one in against.items()}
    lengths = {model: Series(dict(_lengths(results, model))) for model in models}
    judged = {model: Cell(_judged(against[model]) if model in against else UNKNOWN) for model in models}
    return [
        score_metric("head_to_head", "head-to-head, a tie is half", scores, models),
        Metric("head_to_head_elo", "Elo over all pairs", "elo", "more", _elo(results, models), level=1),
        metric("head_to_head_length", "mean length", "chars", "neither", lengths, observed_range(lengths), level=1),
        Metric("head_to_head_judged", "prompts judged in both orders", "%", "more", judged, level=1),
    ]


def untrusted(chosen: Selection[HeadToHeadResult]) -> dict[str, str]:
    """Return the models whose wins need not come from good answers, with the reason."""
    found: dict[str, str] = {}
    for one in chosen.results:
        answers = sum(bool(outcome.verdict_ids) for outcome in one.outcomes)
        for place, model in enumerate((one.model, one.opponent)):
            found.setdefault(model, "")
            found[model] = found[model] or untrusted_reason(answers, one.flagged[place], one.constant[place])
    return {model: reason for model, reason in found.items() if reason}


def extra_tables(chosen: Selection[HeadToHeadResult]) -> list[ExtraTable]:
    """Return a table of the pairs."""
    results = chosen.results
    pairs, scores = pairs_of(results), [_scores(one) for one in results]
    wins, ties, losses = ([outcome_count(one, outcome) for one in scores] for outcome in ("win", "tie", "loss"))
    consistency = [wilson(sum(wins_and_losses(one)), len(one)) for one in scores]
    first, first_p = zip(*map(_first_position, results), strict=True)
    lengths = [mean_length(_lengths([one], one.model)) for one in results]
    opponent_lengths = [mean_length(_lengths([one], one.opponent)) for one in results]
    row = partial(pair_row, pairs)
    explanation = (
        "A win needs both orders; where they disagree, or the judge is undecided, it is a tie. The first sign test is "
        "of wins against losses, Holm-adjusted over these pairs, while the interval of a score is of its pair alone; "
        "the second is of prompts where both verdicts went to the answer shown first against those where both went to "
        "the other."
    )
    return [
        ExtraTable(
            "Head-to-head, pair by pair",
            [*pairs],
            [
                row("pair_wins", "the first wins, prompts", "count", "more", wins),
                row("pair_ties", "they tie", "count", "neither", ties),
                row("pair_losses", "the second wins", "count", "less", losses),
                row(
                    "pair_score", "score of the first, a tie is half", "%", "more", [mean_score(one) for one in scores]
                ),
                row("pair_p", "sign test, p", "p", "neither", sign_tests(scores), level=1),
                row("pair_consistency", "both orders name one winner", "%", "more", consistency),
                row("pair_first_position", "the answer shown first is preferred", "%", "neither", first),
                row("pair_position_p", "sign test, p", "p", "neither", first_p, level=1),
                row("pair_length", "mean length of the first", "chars", "neither", lengths),
                row("pair_opponent_length", "of the second", "chars", "neither", opponent_lengths, level=1),
                row("pair_judged", "prompts judged in both orders", "%", "more", [_judged(one) for one in results]),
            ],
            [explanation],
            pairs=pairs,
        )
    ]


def notes(chosen: Selection[HeadToHeadResult]) -> list[Note]:
    """Return the conditions of the metrics, warnings on answers and verdicts, and the judge card."""
    results, models = chosen.results, chosen.models
    first = results[0]
    conditions = (
        f"Head-to-head: {len(first.outcomes)} prompts ({first.provenance.sampling}), judged in both orders; "
        f"{models[0]} against itself would have 50 %. p: sign test of wins against losses, Holm-adjusted. Elo: "
        f"Bradley-Terry, ties as halves, over {len(results)} {'pair' if len(results) == 1 else 'pairs'} of models, "
        f"{models[0]} at 0; its intervals resample prompts, the same for all pairs."
    )
    alone = [warning(f"{one} met none of the others head-to-head.", one) for one in without_opponent(results, models)]
    return [caption(conditions), *alone, *_missing(results), *_answer_warnings(results), card_note(first.card)]


def _missing(results: Sequence[HeadToHeadResult]) -> list[Note]:
    """Return a warning for each pair that has prompts without a verdict."""
    found = []
    for one in results:
        missing = sum(verdict_of(outcome.orders) is None for outcome in one.outcomes)
        if missing:
            text = (
                f"{missing} of {len(one.outcomes)} prompts of {one.model} against {one.opponent} have no verdict in "
                "both orders. They count as neither win, tie nor loss."
            )
            found.append(warning(text, one.model, one.opponent))
    return found


def _answer_warnings(results: Sequence[HeadToHeadResult]) -> list[Note]:
    """Return the warnings on the answers of each model, once for all of its pairs."""
    flagged: dict[str, int] = {}
    constant: dict[str, int] = {}
    endings = {}
    for one in results:
        for place, model in enumerate((one.model, one.opponent)):
            flagged[model] = max(flagged.get(model, 0), one.flagged[place])
            constant[model] = max(constant.get(model, 0), one.constant[place])
            endings[model] = one.endings[place]
    found = [note for model in flagged for note in injection_warnings(model, "wins", flagged[model], constant[model])]
    return found + [note for model, one in endings.items() for note in ending_warnings(model, one)]


def _elo(results: Sequence[HeadToHeadResult], models: Sequence[str]) -> dict[str, Cell]:
    place = {model: number for number, model in enumerate(models)}
    games = [
        (place[one.model], place[one.opponent], score, prompt)
        for one in results
        for prompt, score in _scores(one).items()
    ]
    first, second, scores, prompts = ([game[column] for game in games] for column in range(4))
    ratings = bradley_terry(first, second, scores, prompts, models=len(models))
    return {model: Cell(one) for model, one in zip(models, ratings, strict=True)}


def _scores(result: HeadToHeadResult) -> Scores:
    """Return the score of the first model on each judged prompt."""
    found = {one.prompt_id: verdict_of(one.orders) for one in result.outcomes}
    return {prompt: TIE_HALF_SCORE[verdict] for prompt, verdict in found.items() if verdict is not None}


def _first_position(result: HeadToHeadResult) -> tuple[Estimate, Estimate]:
    """Return the share of single verdicts that prefer the answer shown first, and the p value of its sign test."""
    shown: list[tuple[float, float]] = []
    for outcome in result.outcomes:
        one, two = outcome.orders
        if one is not None and two is not None:
            shown.append((_sign(one - 0.5), _sign(0.5 - two)))
    rate = bootstrap_ratio([one + two for one, two in shown], [2.0] * len(shown))
    p_value = sign_test(shown.count((1.0, 1.0)), shown.count((0.0, 0.0))) if shown else nan
    return rate, Estimate(p_value, nan, nan, len(shown), len(shown))


def _sign(lead: float) -> float:
    return 0.5 if lead == 0 else float(lead > 0)


def _lengths(results: Sequence[HeadToHeadResult], model: str) -> Lengths:
    """Return the characters of a model's judged answers, by prompt."""
    oriented = [one if one.model == model else one.swapped() for one in results if model in (one.model, one.opponent)]
    return {o.prompt_id: (o.prompt_id, float(o.length)) for one in oriented for o in one.outcomes if o.verdict_ids}


def _judged(result: HeadToHeadResult) -> Estimate:
    return wilson(len(_scores(result)), len(result.outcomes))
