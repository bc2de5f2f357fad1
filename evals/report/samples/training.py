"""Samples of the training: the prompts of each iteration with their candidates, and the seed data.

Of each iteration and each kind of seed data at most `MOST` prompts are kept, drawn by their ids; `srlm show ID` has all
of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from evals.sample import NO_LABEL, Judgement, OutcomeTag, Reply, Sample, injection_spans, judgement_of
from evals.sample_source import by_answer
from srlm.jsonl import by_id
from srlm.runs import Run
from srlm.seeding import derive_seed
from srlm.strip_reasoning import length_note
from srlm.transcript import transcript
from srlm.types import (
    Answer,
    Demonstration,
    Dropped,
    PreferencePair,
    Prompt,
    RankedPrompt,
    Reward,
    Scored,
    Verdict,
)

T = TypeVar("T", Prompt, Demonstration, RankedPrompt)
MOST = 150
IFT, EFT = "IFT seeds", "EFT seeds"
"""The suites of the seed data."""
GAVE_PAIR = "gave a pair"
"""The selection of prompts with a preference pair; others have the reason why they were dropped."""
DEGENERATE = "degenerate"
"""The outcome of degenerate answers, which are shown to the judge as a control."""
PARSED, UNPARSED = "parsed verdict", "unparsed verdict"
"""Outcomes that count single verdicts."""


def iteration_suite(model: str) -> str:
    """Return the suite of an iteration's samples, named after the model that was trained."""
    return f"training {model}"


def iterations(run: Run) -> list[str]:
    """Return the models that iterations trained, in order."""
    found = [path.parent.name for path in run.folder.glob("*/instructions.jsonl")]
    return sorted(found, key=lambda name: (len(name), name))


def training_samples(run: Run) -> list[Sample]:
    """Return the samples of every iteration, and then of the seed data."""
    found = [sample for model in iterations(run) for sample in _iteration_samples(run, model)]
    ift = [
        Sample(one.id, IFT, transcript(one), (Reply("people", one.response),), category=one.kind or NO_LABEL)
        for one in _at_most(run.records("seeds/ift", Demonstration))
    ]
    eft = [
        Sample(one.id, EFT, transcript(one), _ranked_replies(one), category=one.kind or NO_LABEL)
        for one in _at_most(run.records("seeds/eft", RankedPrompt))
    ]
    return [*found, *ift, *eft]


def _at_most(found: Sequence[T]) -> list[T]:
    """Return at most `MOST` records, the same in every report, in their own order."""
    if len(found) <= MOST:
        return list(found)
    chosen = {one.id for one in sorted(found, key=lambda one: derive_seed("report", one.id))[:MOST]}
    return [one for one in found if one.id in chosen]


def _ranked_replies(prompt: RankedPrompt) -> tuple[Reply, ...]:
    return tuple(
        Reply(
            f"rank {one.rank}",
            one.text,
            "ranked by people",
            (OutcomeTag("people", "ranked", score="" if one.score is None else str(one.score)),),
            (Judgement("people", "on this answer", f"{one.score}", one.rationale),) if one.rationale else (),
        )
        for one in prompt.answers
    )


@dataclass(frozen=True)
class _JudgeScore:
    """A judge's reward of an answer and its verdicts.

    `source` is the prefix of the record files: "" for M_t itself, "canary" for its verdicts on degenerate answers,
    "anchor" for those on anchors, "frozen" for the frozen judge.
    """

    source: str
    reward: Reward | None
    verdicts: tuple[Verdict, ...]


def _iteration_samples(run: Run, model: str) -> list[Sample]:
    prompts = _at_most(run.records(f"{model}/instructions", Prompt))
    pairs = {one.prompt_id: one for one in run.records(f"{model}/pairs", PreferencePair)}
    dropped = by_id(run.records(f"{model}/dropped", Dropped))
    answers: dict[str, list[Answer]] = {}
    for stage in ("candidates", "anchors", "canaries"):
        for answer in run.records(f"{model}/{stage}", Answer):
            answers.setdefault(answer.prompt_id, []).append(answer)
    scores = _judge_scores(run, model)
    return [
        Sample(
            id=prompt.id,
            suite=iteration_suite(model),
            prompt=transcript(prompt),
            replies=tuple(
                _candidate(one, pairs.get(prompt.id), scores.get(one.id, [])) for one in answers.get(prompt.id, [])
            ),
            category=prompt.category or NO_LABEL,
            selection=_selection(pairs.get(prompt.id), dropped.get(prompt.id)),
        )
        for prompt in prompts
    ]


def _judge_scores(run: Run, model: str) -> dict[str, list[_JudgeScore]]:
    """Return the scores of all judges of an iteration, by answer."""
    found: dict[str, list[_JudgeScore]] = {}
    for source in ("", "canary", "anchor", "frozen"):
        prefix = f"{source}_" if source else ""
        rewards = {one.answer_id: one for one in run.records(f"{model}/{prefix}rewards", Reward)}
        verdicts = by_answer(run.records(f"{model}/{prefix}verdicts", Verdict))
        for answer in rewards.keys() | verdicts.keys():
            one = _JudgeScore(source, rewards.get(answer), tuple(verdicts.get(answer, ())))
            found.setdefault(answer, []).append(one)
    return found


def _selection(pair: PreferencePair | None, dropped: Dropped | None) -> str:
    return GAVE_PAIR if pair is not None else dropped.reason if dropped is not None else ""


def degenerate_author(kind: str) -> str:
    """Return the author of degenerate answers of a kind."""
    return f"degenerate: {kind}"


def _candidate(answer: Answer, pair: PreferencePair | None, scores: Sequence[_JudgeScore]) -> Reply:
    is_degenerate = answer.model == "canary"
    by = degenerate_author(answer.id.rpartition("-")[2]) if is_degenerate else answer.model
    role = DEGENERATE if is_degenerate else "candidate"
    if pair is not None and answer.id in (pair.chosen_id, pair.rejected_id):
        role = "chosen" if answer.id == pair.chosen_id else "rejected"
    own = next((one for one in scores if one.source != "frozen"), None)
    score = own.reward.value if own and own.reward else None
    tags = [OutcomeTag(by, role, score="" if score is None else f"{score:.2f}")]
    # The histogram of the monitor counts the writer's own verdicts one by one, so each of them links here too.
    tags += [_verdict_tag(by, verdict) for one in scores if not one.source for verdict in one.verdicts]
    means = [
        f"{'frozen judge' if one.source == 'frozen' else 'reward'} {one.reward.value:.2f}"
        for one in scores
        if one.reward and one.reward.value is not None
    ]
    verdicts = [verdict for one in scores for verdict in one.verdicts]
    return Reply(
        by,
        answer.text,
        ", ".join([f"{role}, {length_note(answer)}", *means]),
        tuple(dict.fromkeys(tags)),
        tuple(judgement_of(one, "on this answer") for one in verdicts),
        injection_spans((one for verdict in verdicts for one in verdict.injection_suspected), answer.id),
        answer.thoughts,
    )


def _verdict_tag(by: str, verdict: Verdict) -> OutcomeTag:
    if isinstance(verdict.reading, Scored):
        return OutcomeTag(by, PARSED, score=f"{round(verdict.reading.value)}", hidden=True)
    return OutcomeTag(by, UNPARSED, hidden=True)
