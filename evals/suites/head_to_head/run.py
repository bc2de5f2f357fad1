"""Models against each other: win, tie or loss on each prompt, as in Figure 3 of arXiv 2401.10020.

An outside judge sees every two answers in both orders. A win needs both; orders that disagree are a tie, as in the
paper (section 3.2). A verdict that could not be read is neither, and counted. Answers are drawn as in the suite
alpaca, from the same prompts: what was answered there is not asked again. Which pairs: all of them, or each model with
a baseline. Left out: the paper's own 256 prompts, which are not public.
"""

from collections.abc import Sequence
from itertools import combinations

from evals.generate import answers_of, endings_of
from evals.model import Contestant
from evals.options import JUDGE_TOKENS, LEAST_MASS, LIMIT, Job, Option, Preparation
from evals.pairwise import Pair, flagged, sitting
from evals.results import Provenance, save, stage_name
from evals.single_turn import MAX_TOKENS, PROMPTS, load_prompts, sampling_of
from evals.suites.head_to_head.result import HeadToHeadResult
from srlm.console import Progress
from srlm.errors import UnknownName, UsageError
from srlm.judges.injection import constant_answers
from srlm.judges.judge_card import JudgeCard
from srlm.judges.pairwise import VOTE, Match, Preference, Voting, voting_of
from srlm.judges.preference_data import LabelledSet, load_labelled
from srlm.runs import Run
from srlm.types import Answer, Outcome, Prompt, Sampling

BASELINE = Option("baseline", str, "The model that all others are compared with; all pairs, if not given.")
OPTIONS = (PROMPTS, BASELINE, LIMIT, MAX_TOKENS, JUDGE_TOKENS, LEAST_MASS)


def prepare(preparation: Preparation) -> Job:
    """Load the prompts and the labelled pairs for the judge's card.

    Raises:
        UsageError: there are fewer than two models, or the baseline is none of them.
    """
    names, chosen = list(preparation.names), preparation.get(BASELINE)
    if len(set(names)) < 2:
        raise UsageError("head-to-head needs two models, such as: srlm eval M1 M2 --suite head-to-head")
    if chosen is not None and chosen not in names:
        raise UnknownName("Among the models to evaluate, the baseline", chosen, names)
    baseline = None if chosen is None else preparation.models[names.index(chosen)].name
    prompts, sampling, labelled = load_prompts(preparation), sampling_of(preparation), load_labelled()
    voting = voting_of(preparation.get(JUDGE_TOKENS), preparation.get(LEAST_MASS))
    return Job(
        lambda models, judge, run, progress: run_head_to_head(
            models, baseline, prompts, judge, labelled, sampling, run, progress, voting
        )
    )


def pairs_of(models: Sequence[str], baseline: str | None = None) -> list[Pair]:
    """All pairs of models, or with a baseline each of the others with it.

    A pair is ordered by name, M2 before M1, however they were given: so it has one file, and is judged once.
    """
    names = list(dict.fromkeys(models))
    chosen = combinations(names, 2) if baseline is None else ((baseline, one) for one in names if one != baseline)
    return [(max(one, two), min(one, two)) for one, two in chosen]


def run_head_to_head(
    contestants: Sequence[Contestant],
    baseline: str | None,
    prompts: Sequence[Prompt],
    judge: Contestant,
    labelled: LabelledSet,
    sampling: Sampling,
    run: Run,
    progress: Progress,
    voting: Voting = VOTE,
) -> list[HeadToHeadResult]:
    """Answer the prompts with every model, judge the pairs, store one result a pair.

    Args:
        contestants: the models, two at the least.
        baseline: the one that all others are set against; all pairs, if None.
        prompts: what they answer.
        judge: an outside judge.
        labelled: ranked answers on which the judge's card is measured.
        sampling: how the models answer.
        run: where answers, verdicts and results are written.
        progress: what the user sees.
        voting: how the judge chooses.
    """
    identities, answers = answers_of(
        contestants, prompts, sampling, run.ledger, stage="evals/head-to-head", progress=progress
    )
    for model, found in answers.items():
        run.write(stage_name(run, "head-to-head", model, "answers"), found.values())
    results: list[HeadToHeadResult] = []
    with sitting("head-to-head", judge, labelled, prompts, sampling, run, progress, voting) as court:
        for pair in pairs_of(list(answers), baseline):
            preferences, seen = court.decide(pair, _matches(pair, prompts, answers), f"{pair[0]} against {pair[1]}")
            result = _result(pair, identities, seen, court.card, prompts, answers, preferences)
            save(run, result)
            results.append(result)
    return results


def _matches(pair: Pair, prompts: Sequence[Prompt], answers: dict[str, dict[str, Answer]]) -> list[Match]:
    one, two = (answers[model] for model in pair)
    return [
        Match(f"{pair[0]}~{pair[1]}:{prompt.id}", prompt.instruction, one[prompt.id], two[prompt.id])
        for prompt in prompts
        if prompt.id in one and prompt.id in two
    ]


def _result(
    pair: Pair,
    identities: dict[str, str],
    provenance: Provenance,
    card: JudgeCard,
    prompts: Sequence[Prompt],
    answers: dict[str, dict[str, Answer]],
    preferences: Sequence[Preference],
) -> HeadToHeadResult:
    found = {one.match.first.prompt_id: one for one in preferences}
    return HeadToHeadResult(
        *pair,
        identities=(identities[pair[0]], identities[pair[1]]),
        provenance=provenance,
        card=card,
        outcomes=tuple(_outcome(pair, prompt.id, answers, found.get(prompt.id)) for prompt in prompts),
        flagged=(
            sum(flagged(one, one.match.first) for one in preferences),
            sum(flagged(one, one.match.second) for one in preferences),
        ),
        constant=(constant_answers(answers[pair[0]].values()), constant_answers(answers[pair[1]].values())),
        endings=(endings_of(answers[pair[0]].values()), endings_of(answers[pair[1]].values())),
    )


def _outcome(pair: Pair, prompt_id: str, answers: dict[str, dict[str, Answer]], found: Preference | None) -> Outcome:
    """A prompt that either model did not answer stays in the result, without a preference."""
    one, two = (answers[model].get(prompt_id) for model in pair)
    return Outcome(
        prompt_id=prompt_id,
        model=pair[0],
        opponent=pair[1],
        preference=found.value if found else None,
        orders=found.orders if found else (None, None),
        length=len(one.text) if one else 0,
        opponent_length=len(two.text) if two else 0,
        verdict_ids=tuple(verdict.id for verdict in found.verdicts) if found else (),
    )
