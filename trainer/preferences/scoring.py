"""LLM-as-a-judge scoring of answers: by M_t itself, as in the paper (arXiv 2401.10020, section 2.2), and by others.

Each scoring is two stages of the run, the verdicts and the rewards, which are their means.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from srlm.engines.open import public_name
from srlm.judges.pointwise import rewards as mean_rewards
from srlm.judges.pointwise import score
from srlm.types import Answer, Prompt, Reward, Verdict
from trainer.session import Session


class ScoreSource(Enum):
    """Judge and answers of a scoring. The value is the prefix of its stages in the run, such as `frozen_verdicts`."""

    SELF = ""  # M_t on its own candidates
    FROZEN = "frozen_"  # a judge that is the same in all iterations, on the candidates
    ANCHOR = "anchor_"  # the judge that decides the pairs, on an earlier model's answers
    DEGENERATE = "canary_"  # M_t on degenerate answers


_DESCRIPTIONS = {
    ScoreSource.SELF: "answers of its own",
    ScoreSource.FROZEN: "answers as the frozen judge",
    ScoreSource.ANCHOR: "answers of an earlier model",
    ScoreSource.DEGENERATE: "degenerate answers",
}


@dataclass(frozen=True)
class Scores:
    """Verdicts and rewards of one judge; both empty if there is no judge."""

    verdicts: list[Verdict]
    rewards: list[Reward]


def score_answers(
    session: Session,
    model: str,
    source: ScoreSource,
    judge: str | None,
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
) -> Scores:
    """Score answers, or read the scores if the stages have ended.

    Args:
        session: the run.
        model: the model to be trained on them, such as "M2".
        source: the judge and the answers; it names the stages.
        judge: a model of the run or an external one; with None nothing is scored and nothing written.
        prompts: the answers' prompts are among them.
        answers: the answers to score.
    """
    if judge is None or not answers:
        return Scores([], [])
    run = session.run
    by_id = {prompt.id: prompt for prompt in prompts}
    stage = f"{model}/{source.value}verdicts"

    def produce() -> list[Verdict]:
        found = score(
            session.judge(),
            session.caller(judge, stage),
            [(by_id[answer.prompt_id], answer) for answer in answers],
            seed=session.config.seed,
            label=f"{model}: {public_name(judge)} judges {len(answers)} {_DESCRIPTIONS[source]}",
        )
        if source is not ScoreSource.FROZEN:
            return found
        # The candidates already have verdicts of M_t, and ids are unique.
        return [replace(one, id=f"{one.answer_ids[0]}-f{one.sample}") for one in found]

    verdicts = run.stage(stage, Verdict, produce)
    rewards = run.stage(f"{model}/{source.value}rewards", Reward, lambda: mean_rewards(answers, verdicts))
    return Scores(verdicts, rewards)
