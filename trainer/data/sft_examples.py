"""What supervised tuning sees: IFT demonstrations, and EFT judgements written out as the judge should write them.

EFT examples come from ranked answers (arXiv 2401.10020, section 3.1.1). Where the data carries a score and a
rationale for each answer, these are the target. Where it has ranks alone, as Open Assistant, the SFT baseline writes
judgements, and a prompt's judgements are kept only when their scores fall strictly in the order in which people
ranked the answers. A model too small to write such judgements can learn scores alone, made of the ranks: not the paper.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from srlm.judges.pointwise import bare_verdict, score, verdict_text
from srlm.judges.rubric import POINTS, Rubric
from srlm.seeding import derive_seed
from srlm.types import SCHEMA, Answer, Demonstration, RankedPrompt, Scored, Verdict
from trainer.session import Session


@dataclass(frozen=True)
class Example:
    """One supervised example: the loss is on the completion alone.

    `written` is all that a model wrote, the thoughts before the completion included, where these are learned too.
    """

    id: str
    source: str
    prompt: str
    completion: str
    score: int | None = None
    schema: int = SCHEMA
    written: str | None = None


def ift_examples(demonstrations: Iterable[Demonstration]) -> list[Example]:
    """Instruction fine-tuning: answer the instruction."""
    return [Example(one.id, "IFT", one.instruction, one.response) for one in demonstrations]


def eft_examples(ranked: Sequence[RankedPrompt], rubric: Rubric) -> list[Example]:
    """Evaluation fine-tuning, from answers that carry a score and a rationale.

    Their scores are points 0-5, so they say nothing about another scale: for such a rubric there are no examples here.
    """
    if rubric.scale != POINTS:
        return []
    return [
        Example(
            id=f"{prompt.id}-a{index}",
            source="EFT",
            prompt=rubric.fill(instruction=prompt.instruction, response=answer.text),
            completion=verdict_text(answer.rationale, answer.score),
            score=answer.score,
        )
        for prompt in ranked
        for index, answer in enumerate(prompt.answers)
        if answer.score is not None and answer.rationale is not None
    ]


def bare_eft_examples(ranked: Iterable[RankedPrompt], rubric: Rubric) -> list[Example]:
    """Evaluation fine-tuning from ranks without a word: the best rank gets the highest score, the last the lowest.

    Ranks between them are spread evenly, so a score says only where an answer stands among its siblings.
    """
    examples: list[Example] = []
    for prompt in ranked:
        ranks = sorted({answer.rank for answer in prompt.answers})
        step = (rubric.scale.highest - rubric.scale.lowest) / (len(ranks) - 1)
        for index, answer in enumerate(prompt.answers):
            points = round(rubric.scale.highest - step * ranks.index(answer.rank))
            filled = rubric.fill(instruction=prompt.instruction, response=answer.text)
            examples.append(Example(f"{prompt.id}-a{index}", "EFT", filled, bare_verdict(points), points))
    return examples


def written_eft_examples(session: Session, model: str, ranked: Sequence[RankedPrompt]) -> list[Example]:
    """Evaluation fine-tuning from ranks alone: `model` judges each answer several times, agreeing ones are kept."""
    judge = replace(session.judge(), scoring="sampled")  # there must be words to learn
    answers = [
        (prompt, Answer(f"{prompt.id}-a{index}", prompt.id, "people", answer.text, "stop"))
        for prompt in ranked
        for index, answer in enumerate(prompt.answers)
    ]
    verdicts = score(
        judge,
        session.caller(model, "M1/judgements"),
        [(prompt.instruction, answer) for prompt, answer in answers],
        seed=session.config.seed,
        label=f"M1: {model} judges {len(answers)} ranked answers",
    )
    session.run.write("M1/verdicts", verdicts)
    of_answer: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        of_answer.setdefault(verdict.answer_ids[0], []).append(verdict)
    kept: list[Example] = []
    for prompt in ranked:
        chosen = agreeing(
            [of_answer[f"{prompt.id}-a{index}"] for index in range(len(prompt.answers))],
            [one.rank for one in prompt.answers],
        )
        for index, reading in enumerate(chosen or []):
            filled = judge.rubric.fill(instruction=prompt.instruction, response=prompt.answers[index].text)
            kept.append(Example(f"{prompt.id}-a{index}", "EFT", filled, reading.text, int(reading.value)))
    return kept


def agreeing(verdicts: Sequence[Sequence[Verdict]], ranks: Sequence[float]) -> list[Scored] | None:
    """One judgement an answer, such that scores fall strictly as ranks rise; None if there is no such choice.

    Greedy from the best rank down: each answer takes the highest score that is still below all better ranked ones,
    which leaves most room for the rest. Answers of equal rank may have any order among themselves.
    """
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    chosen: dict[int, Scored] = {}
    ceiling, floor, rank_before = float("inf"), float("inf"), None
    for index in order:
        if ranks[index] != rank_before:
            ceiling, rank_before = floor, ranks[index]
        readable = [
            one.reading for one in verdicts[index] if isinstance(one.reading, Scored) and one.reading.value < ceiling
        ]
        if not readable:
            return None
        chosen[index] = max(readable, key=lambda reading: reading.value)
        floor = min(floor, chosen[index].value)
    return [chosen[index] for index in range(len(ranks))]


def thin(examples: Sequence[Example], seed: int) -> list[Example]:
    """Cap the most common score at the count of the second most common, lest it dominate (section 3.1.1)."""
    counts = Counter(example.score for example in examples).most_common(2)
    if len(counts) < 2:
        return list(examples)
    (common, _), (_, limit) = counts
    of_common = sorted(
        (one.id for one in examples if one.score == common), key=lambda key: derive_seed(seed, "thin", key)
    )
    kept = set(of_common[:limit])
    return [one for one in examples if one.score != common or one.id in kept]


def spread(examples: Sequence[Example], limit: int | None, seed: int) -> list[Example]:
    """At most `limit` examples, as even over the scores as they allow, in a seeded order."""
    if limit is None or limit >= len(examples):
        return list(examples)
    shuffled = sorted(examples, key=lambda one: derive_seed(seed, "spread", one.id))
    seen: Counter[int | None] = Counter()
    turns = []
    for position, example in enumerate(shuffled):
        turns.append((seen[example.score], position, example))
        seen[example.score] += 1
    return [example for _, _, example in sorted(turns, key=lambda turn: turn[:2])[:limit]]
