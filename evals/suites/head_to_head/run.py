"""Run of head-to-head: win, tie or loss of one model against another on each prompt (arXiv 2401.10020, Figure 3).

An outside judge sees both answers in both orders. A win needs both verdicts; orders that disagree are a tie, as in the
paper (section 3.2). A verdict that cannot be read is neither, and is counted. Answers are sampled as in the suite
alpaca, from the same prompts, so that calls are shared. Compared are all pairs, or each model with a baseline. Left
out: the paper's own 256 prompts, which are not public.
"""

from collections.abc import Sequence
from itertools import combinations

from evals import pairwise
from evals.generate import count_endings, generate_answers
from evals.model import EvalModel
from evals.options import Job, Option, Preparation
from evals.pairwise import (
    Pair,
    PairwiseSetup,
    has_injection,
    make_outcome,
    open_pairwise_judge,
    prepare_pairwise,
)
from evals.results import Provenance, save, stage_name
from evals.suites.head_to_head.result import HeadToHeadResult
from srlm.console import Progress
from srlm.errors import UnknownName, UsageError
from srlm.judges.injection import constant_answers
from srlm.judges.judge_card import JudgeCard
from srlm.judges.pairwise import Match, Preference
from srlm.runs import Run
from srlm.types import Answer, Prompt

BASELINE = Option("baseline", str, "The model that all others are compared with; all pairs, if not given.")
OPTIONS = (*pairwise.OPTIONS, BASELINE)


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
    setup = prepare_pairwise(preparation)
    return Job(lambda models, judge, run, progress: run_head_to_head(models, baseline, judge, setup, run, progress))


def pairs_of(models: Sequence[str], baseline: str | None = None) -> list[Pair]:
    """Return all pairs of models, or with a baseline its pairs with each of the others.

    A pair is sorted by name, M2 before M1, whatever the order of the models: so it has one file, and is judged once.
    """
    names = list(dict.fromkeys(models))
    chosen = combinations(names, 2) if baseline is None else ((baseline, one) for one in names if one != baseline)
    return [(max(one, two), min(one, two)) for one, two in chosen]


def run_head_to_head(
    models: Sequence[EvalModel],
    baseline: str | None,
    judge: EvalModel,
    setup: PairwiseSetup,
    run: Run,
    progress: Progress,
) -> list[HeadToHeadResult]:
    """Answer the prompts with each model, judge the pairs, and store one result per pair.

    Args:
        models: to evaluate, two at least.
        baseline: the opponent of all others; all pairs, if None.
        judge: an outside judge.
        setup: prompts, sampling, and the way in which the judge is asked.
        run: stores answers, verdicts and results.
        progress: shows the progress.
    """
    prompts = setup.prompts
    identities, answers = generate_answers(
        models, prompts, setup.sampling, run.ledger, stage="evals/head-to-head", progress=progress
    )
    for model, found in answers.items():
        run.write(stage_name(run, "head-to-head", model, "answers"), found.values())
    results: list[HeadToHeadResult] = []
    with open_pairwise_judge("head-to-head", judge, setup, run, progress) as session:
        for pair in pairs_of(list(answers), baseline):
            matches, label = _matches(pair, prompts, answers), f"{pair[0]} against {pair[1]}"
            preferences, provenance = session.judge_pairs(pair, matches, label)
            result = _result(pair, identities, provenance, session.card, prompts, answers, preferences)
            save(run, result)
            results.append(result)
    return results


def _matches(pair: Pair, prompts: Sequence[Prompt], answers: dict[str, dict[str, Answer]]) -> list[Match]:
    one, two = (answers[model] for model in pair)
    return [
        Match(f"{pair[0]}~{pair[1]}:{prompt.id}", prompt.instruction, one[prompt.id], two[prompt.id], prompt.context)
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
    one, two = (answers[model] for model in pair)
    found = {each.match.first.prompt_id: each for each in preferences}
    return HeadToHeadResult(
        *pair,
        identities=(identities[pair[0]], identities[pair[1]]),
        provenance=provenance,
        card=card,
        outcomes=tuple(
            make_outcome(pair, prompt.id, one.get(prompt.id), two.get(prompt.id), found.get(prompt.id))
            for prompt in prompts
        ),
        flagged=(
            sum(has_injection(each, each.match.first) for each in preferences),
            sum(has_injection(each, each.match.second) for each in preferences),
        ),
        constant=(constant_answers(one.values()), constant_answers(two.values())),
        endings=(count_endings(one.values()), count_endings(two.values())),
    )
