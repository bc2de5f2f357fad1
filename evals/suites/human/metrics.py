"""What is read off people's votes: who wins, how far annotators agree with each other, and how far with the judge.

The prompts of Figure 5 of arXiv 2401.10020 are decided by the majority of their annotators, and so are these: by what
more than half of a prompt's votes say. A prompt without such a majority is a tie, and counted as one without. A prompt
without a vote is in no figure.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import nan

from evals.metric import Cell, Direction, ExtraTable, Metric, ModelPair, Series, Unit, metric, observed_range
from evals.pairwise import REFERENCE
from evals.pairwise_metrics import TIE_HALF_SCORE, UNKNOWN, score_metric
from evals.results import Results
from evals.suite import Selection
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.head_to_head.result import HeadToHeadResult
from evals.suites.human.result import HumanResult
from evals.suites.human.votes import SWAPPED, Verdict, Vote, majority
from srlm.judges.pairwise import verdict_of
from srlm.stats.agreement import cohen_kappa, mean_kappa
from srlm.stats.intervals import Estimate, ObservedRange, bootstrap_ratio, mean_interval, wilson
from srlm.stats.paired import holm, sign_test
from srlm.types import Outcome


def metrics(chosen: Selection[HumanResult]) -> list[Metric]:
    """The rows of a comparison whose first model is the baseline."""
    met, models = chosen.results, chosen.models
    against = {one.model: one for one in met if one.opponent == models[0]}
    worth = {model: _worth(one) for model, one in against.items()}
    lengths = {model: Series(_lengths(met, model)) for model in models}
    voted = {model: Cell(_voted(against[model]) if model in against else UNKNOWN) for model in models}
    return [
        score_metric("human", "people's votes, a tie is half", worth, models),
        metric("human_length", "mean length", "chars", "neither", lengths, observed_range(lengths), level=1),
        Metric("human_voted", "prompts voted on", "count", "more", voted, level=1),
    ]


def extra_tables(chosen: Selection[HumanResult]) -> list[ExtraTable]:
    """A table of the pairs. Results of other suites may hold what a judge said of the same answers."""
    met, results = chosen.results, chosen.others
    pairs = {str(pair): pair for pair in (ModelPair(one.model, one.opponent) for one in met)}
    decided = [decisions(one) for one in met]
    judged = [judgements(one, results) for one in met]

    def row(key: str, label: str, unit: Unit, better: Direction, values: Sequence[Estimate], level: int = 0) -> Metric:
        cells = {name: Cell(value) for name, value in zip(pairs, values, strict=True)}
        return Metric(f"human_pair_{key}", label, unit, better, cells, level=level)

    def counted(verdict: Verdict) -> list[Estimate]:
        return [_count(list(one.values()).count(verdict), len(one)) for one in decided]

    ties_split = [_count(sum(majority(verdicts) is None for verdicts in _verdicts(one).values())) for one in met]
    p_values = holm([_sign_p(_worth(one)) for one in met])
    n = [len(one) for one in decided]
    rows = [
        row("wins", "the first wins, prompts", "count", "more", counted("win")),
        row("ties", "they tie", "count", "neither", counted("tie")),
        row("split", "of these, without a majority", "count", "neither", ties_split, level=1),
        row("losses", "the second wins", "count", "less", counted("loss")),
        row("score", "score of the first, a tie is half", "%", "more", [_score(one) for one in met]),
        row(
            "p",
            "sign test, p",
            "p",
            "neither",
            [Estimate(p, nan, nan, k, k) for p, k in zip(p_values, n, strict=True)],
            level=1,
        ),
        row("annotators", "annotators", "count", "more", [_count(len(_annotators(one))) for one in met]),
        row("votes", "votes", "count", "more", [_count(len(one.votes)) for one in met]),
        row("left", "the answer on the left is preferred", "%", "neither", [_left(one) for one in met]),
        row("length", "mean length of the first", "chars", "neither", [_length(one) for one in met]),
        row("opponent_length", "of the second", "chars", "neither", [_length(one.swapped()) for one in met], level=1),
    ]
    if any(len(_annotators(one)) > 1 for one in met):
        rows += [
            row("agreement", "two annotators agree", "%", "more", [_agreement(one, ties=True) for one in met]),
            row(
                "agreement_decided", "ties left out", "%", "more", [_agreement(one, ties=False) for one in met], level=1
            ),
            row("kappa", "Cohen's kappa", "kappa", "more", [_kappa(one) for one in met], level=1),
        ]
    if any(judged):
        both = list(zip(decided, judged, strict=True))
        rows += [
            row("judge", "majority and judge agree", "%", "more", [_with_judge(*one, ties=True) for one in both]),
            row(
                "judge_decided", "ties left out", "%", "more", [_with_judge(*one, ties=False) for one in both], level=1
            ),
            row("judge_kappa", "Cohen's kappa", "kappa", "more", [_judge_kappa(*one) for one in both], level=1),
        ]
    note = (
        "A prompt is decided by more than half of its votes; without such a majority it is a tie. The sign test is of "
        "wins against losses, Holm-adjusted over these pairs. Agreement is over win, tie and loss; kappa is what is "
        "left of it beyond chance, for more than two annotators the mean over all pairs of them."
    )
    judge = " The judge's verdict is that of both orders: where they disagree it is a tie." if any(judged) else ""
    return [ExtraTable("People's votes, pair by pair", [*pairs], rows, [note + judge], pairs=pairs)]


def captions(chosen: Selection[HumanResult]) -> list[str]:
    """How the votes came about, what they lack, and whether results of other suites are of other answers."""
    met, models, results = chosen.results, chosen.models, chosen.others
    annotators = {name for one in met for name in _annotators(one)}
    votes = sum(len(one.votes) for one in met)
    people = f"{len(annotators)} annotator{'s' if len(annotators) > 1 else ''}"
    found = [
        f"People's votes: {votes} by {people}, blind, sides swapped at random. A prompt is decided by more than half "
        f"of its votes; without such a majority it is a tie. {models[0]} against itself would have 50 %. p: sign test "
        "of wins against losses, Holm-adjusted."
    ]
    if len(annotators) == 1:
        found.append("Attention: one person voted, so nothing says how far people agree.")
    unfinished = [(one, len(decisions(one)), len(one.annotation_set.pairs)) for one in met]
    parts = [f"{one.model} : {one.opponent} {n} of {of}" for one, n, of in unfinished if n < of]
    if parts:
        found.append(f"Attention: not all prompts that were drawn have a vote: {', '.join(parts)}.")
    found += [
        f"Attention: {one.model} : {one.opponent} was evaluated again since its pairs were drawn. People voted on the "
        "earlier answers."
        for one in met
        if outdated(one, results)
    ]
    alone = [model for model in models if all(model not in (one.model, one.opponent) for one in met)]
    return found + [f"Nobody voted on {model} against any of the others." for model in alone]


def decisions(result: HumanResult) -> dict[str, Verdict]:
    """What people say of each prompt that has a vote, for the first model, in the order of the sheet."""
    return {prompt: majority(verdicts) or "tie" for prompt, verdicts in _verdicts(result).items()}


def judgements(result: HumanResult, results: Results) -> dict[str, Verdict]:
    """What a judge said of the same answers, for the first model; empty where none did.

    It is that of the head-to-head, or for answers beside the reference that of alpaca.
    """
    found = _judged(result, results)
    verdicts: dict[str, Verdict] = {}
    for outcome in _same_answers(result, found):
        verdict = verdict_of(outcome.orders)
        if verdict is not None:
            verdicts[outcome.prompt_id] = verdict if outcome.model == result.model else SWAPPED[verdict]
    return verdicts


def outdated(result: HumanResult, results: Results) -> bool:
    """Whether the models have answered again since the sheet was drawn, as prompts or lengths show."""
    found = _judged(result, results)
    return found is not None and len(_same_answers(result, found)) < len(result.annotation_set.pairs)


def _judged(result: HumanResult, results: Results) -> HeadToHeadResult | AlpacaResult | None:
    """The two models' result of an evaluation, from whichever side."""
    pair = (result.annotation_set.model, result.annotation_set.opponent)
    met = results.of(HeadToHeadResult).get(pair) or results.of(HeadToHeadResult).get(pair[::-1])
    return results.of(AlpacaResult).get(pair[0]) if met is None and pair[1] == REFERENCE else met


def _same_answers(result: HumanResult, found: HeadToHeadResult | AlpacaResult | None) -> list[Outcome]:
    """The outcomes of the answers that people were shown, as their lengths tell."""
    if found is None or found.provenance.prompts != result.annotation_set.prompts:
        return []
    lengths = {one.prompt_id: (len(one.answer), len(one.opponent_answer)) for one in result.annotation_set.pairs}
    return [
        one for one in found.outcomes if _lengths_of(one, result.annotation_set.model) == lengths.get(one.prompt_id)
    ]


def _lengths_of(outcome: Outcome, model: str) -> tuple[int, int]:
    """Of the answer of `model`, and of the other one."""
    both = (outcome.length, outcome.opponent_length)
    return both if outcome.model == model else both[::-1]


def _votes(result: HumanResult) -> dict[str, list[Vote]]:
    """The votes on each prompt that has any, in the order of the sheet."""
    found: dict[str, list[Vote]] = {one.prompt_id: [] for one in result.annotation_set.pairs}
    for vote in result.votes:
        found[vote.prompt_id].append(vote)
    return {prompt: votes for prompt, votes in found.items() if votes}


def _verdicts(result: HumanResult) -> dict[str, list[Verdict]]:
    return {prompt: [vote.verdict for vote in votes] for prompt, votes in _votes(result).items()}


def _annotators(result: HumanResult) -> list[str]:
    return sorted({vote.annotator for vote in result.votes})


def _worth(result: HumanResult) -> dict[str, float]:
    return {prompt: TIE_HALF_SCORE[verdict] for prompt, verdict in decisions(result).items()}


def _score(result: HumanResult) -> Estimate:
    return mean_interval(list(_worth(result).values()))


def _sign_p(worth: Mapping[str, float]) -> float:
    values = list(worth.values())
    return sign_test(values.count(1.0), values.count(0.0))


def _count(value: int, of: int = 0) -> Estimate:
    return Estimate(value, nan, nan, of, of)


def _voted(result: HumanResult) -> Estimate:
    return _count(len(decisions(result)), len(result.annotation_set.pairs))


def _left(result: HumanResult) -> Estimate:
    """Of the votes that are no tie, how many went to the answer on the left; clustered by prompt."""
    decided = [[vote for vote in votes if vote.verdict != "tie"] for votes in _votes(result).values()]
    left = [sum((one.verdict == "win") == (one.left == "model") for one in votes) for votes in decided]
    return bootstrap_ratio(left, [len(votes) for votes in decided])


def _agreement(result: HumanResult, ties: bool) -> Estimate:
    """How often two annotators of a prompt say the same; clustered by prompt."""
    met = [
        [(a, b) for a, b in combinations(verdicts, 2) if ties or "tie" not in (a, b)]
        for verdicts in _verdicts(result).values()
    ]
    return bootstrap_ratio([sum(a == b for a, b in pairs) for pairs in met], [len(pairs) for pairs in met])


def _kappa(result: HumanResult) -> Estimate:
    said = {(vote.annotator, vote.prompt_id): vote.verdict for vote in result.votes}
    prompts = [one.prompt_id for one in result.annotation_set.pairs]
    return mean_kappa([[said.get((name, prompt)) for prompt in prompts] for name in _annotators(result)])


def _with_judge(people: Mapping[str, Verdict], judge: Mapping[str, Verdict], ties: bool) -> Estimate:
    """How often the majority and the judge say the same of a prompt."""
    both = [(people[one], judge[one]) for one in people if one in judge]
    both = [one for one in both if ties or "tie" not in one]
    return wilson(sum(a == b for a, b in both), len(both))


def _judge_kappa(people: Mapping[str, Verdict], judge: Mapping[str, Verdict]) -> Estimate:
    common = [prompt for prompt in people if prompt in judge]
    return cohen_kappa([people[one] for one in common], [judge[one] for one in common])


def _lengths(met: Sequence[HumanResult], model: str) -> dict[str, tuple[str, float]]:
    """Characters of a model's answers that were voted on, by prompt."""
    found: dict[str, tuple[str, float]] = {}
    for one in met:
        if model in (one.model, one.opponent):
            first, voted = one.annotation_set.model == model, _votes(one)
            for shown in one.annotation_set.pairs:
                if shown.prompt_id in voted:
                    text = shown.answer if first else shown.opponent_answer
                    found[shown.prompt_id] = (shown.prompt_id, float(len(text)))
    return found


def _length(result: HumanResult) -> Estimate:
    lengths = [length for _, length in _lengths([result], result.model).values()]
    return mean_interval(lengths, bounds=ObservedRange((min(lengths, default=0.0), max(lengths, default=0.0))))
