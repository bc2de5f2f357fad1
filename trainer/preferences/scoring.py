"""Scoring of answers: by M_t itself, as in the paper (arXiv 2401.10020, section 2.2), or by the sources of `reward`.

Each scoring is two stages of the run, the verdicts of all sources and the rewards that follow of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from srlm.config.rewards import JUDGE, JUDGE_ALONE
from srlm.engines.open import public_name
from srlm.judges.pointwise import rewards as mean_rewards
from srlm.judges.pointwise import score
from srlm.rewards.combine import combine, verdicts_by_part
from srlm.rewards.source import source_verdicts
from srlm.types import Answer, Prompt, Reward, Verdict
from trainer.reward_versions import keep_versions
from trainer.session import Session


class ScoreSource(Enum):
    """Judge and answers of a scoring. The value is the prefix of its stages in the run, such as `frozen_verdicts`."""

    SELF = ""  # M_t on its own candidates
    FROZEN = "frozen_"  # a judge that is the same in all iterations, on the candidates
    ANCHOR = "anchor_"  # the judge that decides the pairs, on an earlier model's answers
    DEGENERATE = "canary_"  # M_t on degenerate answers
    # For M_t stand the sources of the setting `reward`; M_t is one of them, if it has `judge`.


_DESCRIPTIONS = {
    ScoreSource.SELF: "answers of its own",
    ScoreSource.FROZEN: "answers as the frozen judge",
    ScoreSource.ANCHOR: "answers of an earlier model",
    ScoreSource.DEGENERATE: "degenerate answers",
}


@dataclass(frozen=True)
class Scores:
    """Verdicts and rewards of one judge, or of all sources of `reward`; both empty if there is no judge."""

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
    parts = JUDGE_ALONE if source is ScoreSource.FROZEN else session.config.reward
    by_id = {prompt.id: prompt for prompt in prompts}
    asked = [(by_id[answer.prompt_id], answer) for answer in answers]
    stage = f"{model}/{source.value}verdicts"

    def produce() -> list[Verdict]:
        found: list[Verdict] = []
        for place, part in enumerate(parts):
            if part.source == JUDGE:
                label = f"{model}: {public_name(judge)} judges {len(answers)} {_DESCRIPTIONS[source]}"
                caller = session.caller(judge, stage)
                found += score(session.judge(), caller, asked, seed=session.config.seed, label=label)
            else:
                what = _DESCRIPTIONS[source].removesuffix(" of its own")
                label = f"{model}: {part.source} scores {len(answers)} {what}"
                found += source_verdicts(session.source_caller(part.source, stage), asked, label, f"r{place}")
        if source is not ScoreSource.FROZEN:
            return found
        # The candidates already have verdicts of M_t, and ids are unique.
        return [replace(one, id=f"{one.answer_ids[0]}-f{one.sample}") for one in found]

    def mean() -> list[Reward]:
        return combine(parts, [mean_rewards(answers, one) for one in verdicts_by_part(parts, verdicts)])

    verdicts = run.stage(stage, Verdict, produce)
    if parts != JUDGE_ALONE:
        keep_versions(run, parts, verdicts)
    rewards = run.stage(f"{model}/{source.value}rewards", Reward, mean)
    return Scores(verdicts, rewards)
