"""Supervised fine-tuning examples: IFT from demonstrations, EFT from ranked answers (arXiv 2401.10020, section 3.1.1).

An EFT example is the judge's prompt with the judgement that it should write. If the seed data has a score and a
rationale for each answer, these are the target. If it has only ranks, as Open Assistant does, judgements are sampled
(`trainer/data/eft_rejection_sampling.py`). A model too small to write a judgement can be trained on bare scores made
from the ranks, which is not in the paper.
"""

from collections.abc import Iterable, Sequence

from srlm.judges.pointwise import bare_verdict, verdict_text
from srlm.judges.rubric import Rubric
from srlm.types import Demonstration, RankedPrompt, SFTExample


def ift_examples(demonstrations: Iterable[Demonstration]) -> list[SFTExample]:
    """Return instruction fine-tuning examples: answer the instruction."""
    return [SFTExample(one.id, "IFT", one.instruction, one.response, context=one.context) for one in demonstrations]


def eft_examples(ranked: Sequence[RankedPrompt], rubric: Rubric) -> list[SFTExample]:
    """Return evaluation fine-tuning examples from answers with a score and a rationale.

    Where the scores are on another scale than the rubric's, there are no examples.
    """
    return [
        SFTExample(
            id=f"{prompt.id}-a{index}",
            source="EFT",
            prompt=rubric.fill(prompt.context, instruction=prompt.instruction, response=answer.text),
            completion=verdict_text(answer.rationale, answer.score),
            score=answer.score,
        )
        for prompt in ranked
        if prompt.scale == str(rubric.scale)
        for index, answer in enumerate(prompt.answers)
        if answer.score is not None and answer.rationale is not None
    ]


def rank_only_eft_examples(ranked: Iterable[RankedPrompt], rubric: Rubric) -> list[SFTExample]:
    """Return evaluation fine-tuning examples with a bare score: the highest for the best rank, the lowest for the last.

    Ranks between them are spaced evenly, so a score is relative to the other answers to the same prompt.
    """
    examples: list[SFTExample] = []
    for prompt in ranked:
        ranks = sorted({answer.rank for answer in prompt.answers})
        step = (rubric.scale.highest - rubric.scale.lowest) / (len(ranks) - 1)
        for index, answer in enumerate(prompt.answers):
            points = round(rubric.scale.highest - step * ranks.index(answer.rank))
            filled = rubric.fill(prompt.context, instruction=prompt.instruction, response=answer.text)
            examples.append(SFTExample(f"{prompt.id}-a{index}", "EFT", filled, bare_verdict(points), points))
    return examples
