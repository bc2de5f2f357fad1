"""The samples of the training: what each iteration wrote and learned from, and the seeds that it began with.

Of each iteration and each kind of seed at most `MOST` prompts are kept, drawn by their ids; `srlm show ID` has all of
them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from evals.sample import NO_LABEL, Mark, Opinion, Reply, Sample, flags, opinion
from evals.sample_source import by_answer
from srlm.jsonl import by_id
from srlm.runs import Run
from srlm.seeding import derive_seed
from srlm.strip_reasoning import length_note
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
LEARNED = "gave a pair"
READ, NOT_READ = "verdict read", "verdict not read"


def iteration(model: str) -> str:
    """What the samples of an iteration are called: by the model that came of it."""
    return f"training {model}"


def iterations(run: Run) -> list[str]:
    """The models that an iteration led to, in order."""
    found = [path.parent.name for path in run.folder.glob("*/instructions.jsonl")]
    return sorted(found, key=lambda name: (len(name), name))


def learned_samples(run: Run) -> list[Sample]:
    """Of every iteration, then of the seeds."""
    found = [sample for model in iterations(run) for sample in _iteration(run, model)]
    ift = [
        Sample(one.id, IFT, one.instruction, (Reply("people", one.response),), category=one.kind or NO_LABEL)
        for one in some(run.records("seeds/ift", Demonstration))
    ]
    eft = [
        Sample(one.id, EFT, one.instruction, _ranked(one), category=one.kind or NO_LABEL)
        for one in some(run.records("seeds/eft", RankedPrompt))
    ]
    return [*found, *ift, *eft]


def some(found: Sequence[T]) -> list[T]:
    """At most `MOST` of them, the same in every report, in their own order."""
    if len(found) <= MOST:
        return list(found)
    chosen = {one.id for one in sorted(found, key=lambda one: derive_seed("report", one.id))[:MOST]}
    return [one for one in found if one.id in chosen]


def _ranked(prompt: RankedPrompt) -> tuple[Reply, ...]:
    return tuple(
        Reply(
            f"rank {one.rank}",
            one.text,
            "ranked by people",
            (Mark("people", "ranked", score="" if one.score is None else str(one.score)),),
            (Opinion("people", "on this answer", f"{one.score}", one.rationale),) if one.rationale else (),
        )
        for one in prompt.answers
    )


@dataclass(frozen=True)
class Judgement:
    """A verdict, its reward, and whose it is: "" the writer's own, else canary, anchor or frozen."""

    kind: str
    reward: Reward | None
    verdicts: tuple[Verdict, ...]


def _iteration(run: Run, model: str) -> list[Sample]:
    prompts = some(run.records(f"{model}/instructions", Prompt))
    pairs = {one.prompt_id: one for one in run.records(f"{model}/pairs", PreferencePair)}
    dropped = by_id(run.records(f"{model}/dropped", Dropped))
    answers: dict[str, list[Answer]] = {}
    for stage in ("candidates", "anchors", "canaries"):
        for answer in run.records(f"{model}/{stage}", Answer):
            answers.setdefault(answer.prompt_id, []).append(answer)
    judged = _judgements(run, model)
    return [
        Sample(
            id=prompt.id,
            suite=iteration(model),
            prompt=prompt.instruction,
            replies=tuple(
                _candidate(one, pairs.get(prompt.id), judged.get(one.id, [])) for one in answers.get(prompt.id, [])
            ),
            category=prompt.category or NO_LABEL,
            fate=_fate(pairs.get(prompt.id), dropped.get(prompt.id)),
        )
        for prompt in prompts
    ]


def _judgements(run: Run, model: str) -> dict[str, list[Judgement]]:
    """By answer, what each judge of the iteration made of it."""
    found: dict[str, list[Judgement]] = {}
    for kind in ("", "canary", "anchor", "frozen"):
        prefix = f"{kind}_" if kind else ""
        rewards = {one.answer_id: one for one in run.records(f"{model}/{prefix}rewards", Reward)}
        verdicts = by_answer(run.records(f"{model}/{prefix}verdicts", Verdict))
        for answer in rewards.keys() | verdicts.keys():
            one = Judgement(kind, rewards.get(answer), tuple(verdicts.get(answer, ())))
            found.setdefault(answer, []).append(one)
    return found


def _fate(pair: PreferencePair | None, dropped: Dropped | None) -> str:
    return LEARNED if pair is not None else dropped.reason if dropped is not None else ""


def _candidate(answer: Answer, pair: PreferencePair | None, judged: Sequence[Judgement]) -> Reply:
    worthless = answer.model == "canary"
    by = f"canary: {answer.id.rpartition('-')[2]}" if worthless else answer.model
    role = "worthless on purpose" if worthless else "candidate"
    if pair is not None and answer.id in (pair.chosen_id, pair.rejected_id):
        role = "chosen" if answer.id == pair.chosen_id else "rejected"
    own = next((one for one in judged if one.kind != "frozen"), None)
    score = own.reward.value if own and own.reward else None
    marks = [Mark(by, role, score="" if score is None else f"{score:.2f}")]
    # The histogram of the monitor counts the writer's own verdicts one by one, so each of them leads here too.
    marks += [_counted(by, verdict) for one in judged if not one.kind for verdict in one.verdicts]
    means = [
        f"{'frozen judge' if one.kind == 'frozen' else 'reward'} {one.reward.value:.2f}"
        for one in judged
        if one.reward and one.reward.value is not None
    ]
    verdicts = [verdict for one in judged for verdict in one.verdicts]
    return Reply(
        by,
        answer.text,
        ", ".join([f"{role}, {length_note(answer)}", *means]),
        tuple(dict.fromkeys(marks)),
        tuple(opinion(one, "on this answer") for one in verdicts),
        flags((one for verdict in verdicts for one in verdict.injection_suspected), answer.id),
        answer.thoughts,
    )


def _counted(by: str, verdict: Verdict) -> Mark:
    if isinstance(verdict.reading, Scored):
        return Mark(by, READ, score=f"{round(verdict.reading.value)}")
    return Mark(by, NOT_READ)
