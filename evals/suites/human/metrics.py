"""Metrics of human votes: the score against the baseline, agreement between annotators, and agreement with the judge.

As in Figure 5 of arXiv 2401.10020, a prompt is decided by the majority of its annotators: by the verdict that more than
half of its votes give. A prompt without such a majority is a tie, and counted as one without. A prompt without a vote
is in no metric.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations

from evals.metric import Cell, ExtraTable, Metric, ModelPair, Series, metric, observed_range
from evals.note import Note, caption, warning
from evals.pairwise import REFERENCE
from evals.pairwise_metrics import (
    TIE_HALF_SCORE,
    UNKNOWN,
    Lengths,
    Scores,
    count,
    mean_length,
    mean_score,
    outcome_count,
    pair_row,
    pairs_of,
    score_metric,
    sign_tests,
    without_opponent,
)
from evals.results import Results
from evals.suite import Selection
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.head_to_head.result import HeadToHeadResult
from evals.suites.human.result import HumanResult
from evals.suites.human.votes import SWAPPED, Verdict, Vote, majority
from srlm.judges.pairwise import verdict_of
from srlm.stats.agreement import cohen_kappa, mean_kappa
from srlm.stats.intervals import Estimate, bootstrap_ratio, wilson
from srlm.types import Outcome

Decisions = Mapping[str, Verdict]
"""The verdict of each prompt, for the first model."""


def metrics(chosen: Selection[HumanResult]) -> list[Metric]:
    """Return the rows of a comparison whose first model is the baseline."""
    results, models = chosen.results, chosen.models
    against = {one.model: one for one in results if one.opponent == models[0]}
    scores = {model: _scores(decisions(one)) for model, one in against.items()}
    lengths = {model: Series(dict(_lengths(results, model))) for model in models}
    voted = {model: Cell(_voted(against[model]) if model in against else UNKNOWN) for model in models}
    return [
        score_metric("human", "people's votes, a tie is half", scores, models),
        metric("human_length", "mean length", "chars", "neither", lengths, observed_range(lengths), level=1),
        Metric("human_voted", "prompts voted on", "count", "more", voted, level=1),
    ]


def extra_tables(chosen: Selection[HumanResult]) -> list[ExtraTable]:
    """Return a table of the pairs, with the judge's verdicts on the same answers where other suites have them."""
    results = chosen.results
    pairs = pairs_of(results)
    people = [decisions(one) for one in results]
    judge = [judge_decisions(one, chosen.others) for one in results]
    rows = _outcome_rows(pairs, results, people)
    if any(len(_annotators(one)) > 1 for one in results):
        rows += _agreement_rows(pairs, results)
    if any(judge):
        rows += _judge_rows(pairs, people, judge)
    explanation = (
        "A prompt is decided by more than half of its votes; without such a majority it is a tie. The sign test is of "
        "wins against losses, Holm-adjusted over these pairs, while the interval of a score is of its pair alone. "
        "Agreement is over win, tie and loss; kappa is agreement beyond chance, for more than two annotators the mean "
        "over all pairs of them."
    )
    about_judge = " The judge's verdict is that of both orders: where they disagree it is a tie." if any(judge) else ""
    return [ExtraTable("People's votes, pair by pair", [*pairs], rows, [explanation + about_judge], pairs=pairs)]


def _outcome_rows(
    pairs: Mapping[str, ModelPair], results: Sequence[HumanResult], people: Sequence[Decisions]
) -> list[Metric]:
    scores = [_scores(one) for one in people]
    wins, ties, losses = ([outcome_count(one, outcome) for one in scores] for outcome in ("win", "tie", "loss"))
    no_majority = [count(sum(majority(votes) is None for votes in _verdicts(one).values())) for one in results]
    annotators = [count(len(_annotators(one))) for one in results]
    lengths = [mean_length(_lengths([one], one.model)) for one in results]
    opponent_lengths = [mean_length(_lengths([one], one.opponent)) for one in results]
    row = partial(pair_row, pairs)
    return [
        row("human_pair_wins", "the first wins, prompts", "count", "more", wins),
        row("human_pair_ties", "they tie", "count", "neither", ties),
        row("human_pair_split", "of these, without a majority", "count", "neither", no_majority, level=1),
        row("human_pair_losses", "the second wins", "count", "less", losses),
        row("human_pair_score", "score of the first, a tie is half", "%", "more", [mean_score(one) for one in scores]),
        row("human_pair_p", "sign test, p", "p", "neither", sign_tests(scores), level=1),
        row("human_pair_annotators", "annotators", "count", "more", annotators),
        row("human_pair_votes", "votes", "count", "more", [count(len(one.votes)) for one in results]),
        row("human_pair_left", "the answer on the left is preferred", "%", "neither", [_left(one) for one in results]),
        row("human_pair_length", "mean length of the first", "chars", "neither", lengths),
        row("human_pair_opponent_length", "of the second", "chars", "neither", opponent_lengths, level=1),
    ]


def _agreement_rows(pairs: Mapping[str, ModelPair], results: Sequence[HumanResult]) -> list[Metric]:
    agreement, decided = ([_agreement(one, ties=ties) for one in results] for ties in (True, False))
    row = partial(pair_row, pairs)
    return [
        row("human_pair_agreement", "two annotators agree", "%", "more", agreement),
        row("human_pair_agreement_decided", "ties left out", "%", "more", decided, level=1),
        row("human_pair_kappa", "Cohen's kappa", "kappa", "more", [_kappa(one) for one in results], level=1),
    ]


def _judge_rows(
    pairs: Mapping[str, ModelPair], people: Sequence[Decisions], judge: Sequence[Decisions]
) -> list[Metric]:
    both = list(zip(people, judge, strict=True))
    agreement, decided = ([_with_judge(*one, ties=ties) for one in both] for ties in (True, False))
    row = partial(pair_row, pairs)
    return [
        row("human_pair_judge", "majority and judge agree", "%", "more", agreement),
        row("human_pair_judge_decided", "ties left out", "%", "more", decided, level=1),
        row("human_pair_judge_kappa", "Cohen's kappa", "kappa", "more", [_judge_kappa(*one) for one in both], level=1),
    ]


def notes(chosen: Selection[HumanResult]) -> list[Note]:
    """Return the conditions of the votes, and warnings on what they lack and on answers that have changed since."""
    results, models = chosen.results, chosen.models
    annotators = {name for one in results for name in _annotators(one)}
    votes = sum(len(one.votes) for one in results)
    people = f"{len(annotators)} annotator{'s' if len(annotators) > 1 else ''}"
    conditions = (
        f"People's votes: {votes} by {people}, blind, sides swapped at random. A prompt is decided by more than half "
        f"of its votes; without such a majority it is a tie. {models[0]} against itself would have 50 %. p: sign test "
        "of wins against losses, Holm-adjusted."
    )
    found = [caption(conditions)]
    if len(annotators) == 1:
        found.append(warning("one person voted, so the agreement between people is unknown."))
    counts = [(one, len(decisions(one)), len(one.annotation_set.pairs)) for one in results]
    unfinished = [(one, f"{one.model} : {one.opponent} {n} of {of}") for one, n, of in counts if n < of]
    if unfinished:
        models_of = dict.fromkeys(model for one, _ in unfinished for model in (one.model, one.opponent))
        parts = ", ".join(part for _, part in unfinished)
        found.append(warning(f"not all prompts that were drawn have a vote: {parts}.", *models_of))
    for one in results:
        if outdated(one, chosen.others):
            text = (
                f"{one.model} : {one.opponent} was evaluated again since its pairs were drawn. People voted on the "
                "earlier answers."
            )
            found.append(warning(text, one.model, one.opponent))
    alone = without_opponent(results, models)
    return [*found, *(caption(f"No votes compare {one} with any of the others.") for one in alone)]


def decisions(result: HumanResult) -> dict[str, Verdict]:
    """Return the majority's verdict on each prompt that has a vote, for the first model, in the order of the pairs."""
    return {prompt: majority(verdicts) or "tie" for prompt, verdicts in _verdicts(result).items()}


def judge_decisions(result: HumanResult, others: Results) -> dict[str, Verdict]:
    """Return the judge's verdicts on the same answers, for the first model; empty if there are none.

    They are those of the suite head-to-head, or for answers against the reference those of the suite alpaca.
    """
    found = _judged_result(result, others)
    verdicts: dict[str, Verdict] = {}
    for outcome in _same_answers(result, found):
        verdict = verdict_of(outcome.orders)
        if verdict is not None:
            verdicts[outcome.prompt_id] = verdict if outcome.model == result.model else SWAPPED[verdict]
    return verdicts


def outdated(result: HumanResult, others: Results) -> bool:
    """Check by prompts and lengths if the models have answered again since the pairs were drawn."""
    found = _judged_result(result, others)
    return found is not None and len(_same_answers(result, found)) < len(result.annotation_set.pairs)


def _judged_result(result: HumanResult, others: Results) -> HeadToHeadResult | AlpacaResult | None:
    """Return the result of the two models in another suite, from either side."""
    model, opponent = result.annotation_set.model, result.annotation_set.opponent
    met = others.of(HeadToHeadResult)
    found = met.get((model, opponent)) or met.get((opponent, model))
    return others.of(AlpacaResult).get(model) if found is None and opponent == REFERENCE else found


def _same_answers(result: HumanResult, found: HeadToHeadResult | AlpacaResult | None) -> list[Outcome]:
    """Return the outcomes of the answers that people were shown, recognized by their lengths."""
    if found is None or found.provenance.prompts != result.annotation_set.prompts:
        return []
    lengths = {one.prompt_id: (len(one.answer), len(one.opponent_answer)) for one in result.annotation_set.pairs}
    model = result.annotation_set.model
    return [one for one in found.outcomes if _lengths_of(one, model) == lengths.get(one.prompt_id)]


def _lengths_of(outcome: Outcome, model: str) -> tuple[int, int]:
    """Return the lengths of the answer of `model` and of the other one."""
    both = (outcome.length, outcome.opponent_length)
    return both if outcome.model == model else both[::-1]


def _votes(result: HumanResult) -> dict[str, list[Vote]]:
    """Return the votes on each prompt that has any, in the order of the pairs."""
    found: dict[str, list[Vote]] = {one.prompt_id: [] for one in result.annotation_set.pairs}
    for vote in result.votes:
        found[vote.prompt_id].append(vote)
    return {prompt: votes for prompt, votes in found.items() if votes}


def _verdicts(result: HumanResult) -> dict[str, list[Verdict]]:
    return {prompt: [vote.verdict for vote in votes] for prompt, votes in _votes(result).items()}


def _annotators(result: HumanResult) -> list[str]:
    return sorted({vote.annotator for vote in result.votes})


def _scores(found: Decisions) -> Scores:
    return {prompt: TIE_HALF_SCORE[verdict] for prompt, verdict in found.items()}


def _voted(result: HumanResult) -> Estimate:
    return count(len(decisions(result)), len(result.annotation_set.pairs))


def _left(result: HumanResult) -> Estimate:
    """Return the share of votes for the answer on the left, of those that are no tie; clustered by prompt."""
    decided = [[vote for vote in votes if vote.verdict != "tie"] for votes in _votes(result).values()]
    left = [sum((one.verdict == "win") == (one.left == "model") for one in votes) for votes in decided]
    return bootstrap_ratio(left, [len(votes) for votes in decided])


def _agreement(result: HumanResult, *, ties: bool) -> Estimate:
    """Return the share of equal verdicts of two annotators of a prompt; clustered by prompt."""
    both = [
        [(a, b) for a, b in combinations(verdicts, 2) if ties or "tie" not in (a, b)]
        for verdicts in _verdicts(result).values()
    ]
    return bootstrap_ratio([sum(a == b for a, b in pairs) for pairs in both], [len(pairs) for pairs in both])


def _kappa(result: HumanResult) -> Estimate:
    verdicts = {(vote.annotator, vote.prompt_id): vote.verdict for vote in result.votes}
    prompts = [one.prompt_id for one in result.annotation_set.pairs]
    return mean_kappa([[verdicts.get((name, prompt)) for prompt in prompts] for name in _annotators(result)])


def _with_judge(people: Decisions, judge: Decisions, *, ties: bool) -> Estimate:
    """Return the share of prompts on which the majority and the judge agree."""
    both = [(people[one], judge[one]) for one in people if one in judge]
    both = [one for one in both if ties or "tie" not in one]
    return wilson(sum(a == b for a, b in both), len(both))


def _judge_kappa(people: Decisions, judge: Decisions) -> Estimate:
    common = [prompt for prompt in people if prompt in judge]
    return cohen_kappa([people[one] for one in common], [judge[one] for one in common])


def _lengths(results: Sequence[HumanResult], model: str) -> Lengths:
    """Return the characters of a model's answers that were voted on, by prompt."""
    found: dict[str, tuple[str, float]] = {}
    for one in results:
        if model in (one.model, one.opponent):
            first, voted = one.annotation_set.model == model, _votes(one)
            for pair in one.annotation_set.pairs:
                if pair.prompt_id in voted:
                    text = pair.answer if first else pair.opponent_answer
                    found[pair.prompt_id] = (pair.prompt_id, float(len(text)))
    return found
