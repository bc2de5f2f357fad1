"""EFT examples by rejection sampling: a model judges ranked answers, and judgements that agree with the ranks are kept.

The paper does this with its SFT baseline (arXiv 2401.10020, section 3.1.1): a prompt's judgements are kept only if
their scores decrease strictly with the human ranks.
"""

from collections.abc import Sequence
from dataclasses import replace

from srlm.judges.pointwise import PointwiseJudge, score
from srlm.types import Answer, RankedPrompt, Scored, SFTExample, Verdict
from trainer.session import Session


def sample_eft_examples(session: Session, model: str, ranked: Sequence[RankedPrompt]) -> list[SFTExample]:
    """Let `model` judge each ranked answer several times, and keep one judgement per answer where ranks agree.

    All verdicts are written to the run's `M1/verdicts`.
    """
    judge = replace(session.judge(), scoring="sampled")  # the target is a judgement in words
    verdicts = _sample_verdicts(session, judge, model, ranked)
    session.run.write("M1/verdicts", verdicts)
    by_answer: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_answer.setdefault(verdict.answer_ids[0], []).append(verdict)
    kept: list[SFTExample] = []
    for prompt in ranked:
        chosen = choose_rank_consistent(
            [by_answer[f"{prompt.id}-a{index}"] for index in range(len(prompt.answers))],
            [one.rank for one in prompt.answers],
        )
        for index, judgement in enumerate(chosen or []):
            filled = judge.rubric.fill(
                prompt.context, instruction=prompt.instruction, response=prompt.answers[index].text
            )
            kept.append(SFTExample(f"{prompt.id}-a{index}", "EFT", filled, judgement.text, int(judgement.value)))
    return kept


def _sample_verdicts(
    session: Session, judge: PointwiseJudge, model: str, ranked: Sequence[RankedPrompt]
) -> list[Verdict]:
    answers = [
        (prompt, Answer(f"{prompt.id}-a{index}", prompt.id, "people", answer.text, "stop"))
        for prompt in ranked
        for index, answer in enumerate(prompt.answers)
    ]
    return score(
        judge,
        session.caller(model, "M1/judgements"),
        answers,
        seed=session.config.seed,
        label=f"M1: {model} judges {len(answers)} ranked answers",
    )


def choose_rank_consistent(verdicts: Sequence[Sequence[Verdict]], ranks: Sequence[float]) -> list[Scored] | None:
    """Return one judgement per answer such that scores decrease strictly with the ranks; None if that is impossible.

    The choice is greedy from the best rank down: each answer takes the highest score below those of all better ranked
    answers, which leaves most room for the rest. Answers of equal rank may have any order among themselves.

    Args:
        verdicts: for each answer its sampled verdicts.
        ranks: the rank of each answer; 0 is the best.
    """
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    chosen: dict[int, Scored] = {}
    ceiling, floor, rank_before = float("inf"), float("inf"), None
    for index in order:
        if ranks[index] != rank_before:
            ceiling, rank_before = floor, ranks[index]
        allowed = [
            one.reading for one in verdicts[index] if isinstance(one.reading, Scored) and one.reading.value < ceiling
        ]
        if not allowed:
            return None
        chosen[index] = max(allowed, key=lambda judgement: judgement.value)
        floor = min(floor, chosen[index].value)
    return [chosen[index] for index in range(len(ranks))]
