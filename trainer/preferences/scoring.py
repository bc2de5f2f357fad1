"""Who scores the candidates: M_t itself, as in the paper (arXiv 2401.10020, section 2.2), and others beside it.

Each judging is two stages of the run, the verdicts and their means. What comes before "verdicts" in a file's name says
whose and of what: nothing for M_t's own candidates, `frozen_` for a judge that stays the same over all iterations,
`anchor_` for an earlier model's answers, `canary_` for worthless ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from srlm.engines.open import public_name
from srlm.judges.pointwise import rewards as mean_rewards
from srlm.judges.pointwise import score
from srlm.types import Answer, Prompt, Reward, Verdict
from trainer.session import Session


@dataclass(frozen=True)
class Judged:
    """What one judge said of some answers; nothing, where there was no judge."""

    verdicts: list[Verdict]
    rewards: list[Reward]


def judged(
    session: Session, model: str, records: str, judge: str | None, prompts: Sequence[Prompt], answers: Sequence[Answer]
) -> Judged:
    """Verdicts and rewards of `judge` on answers, read where the stages have ended.

    Args:
        session: the run.
        model: the model to be trained on them, such as "M2".
        records: how the files begin, such as "frozen_"; see above.
        judge: a model of the run or one outside; with None nothing is judged and nothing written.
        prompts: the answers' instructions are among them.
        answers: what is judged.
    """
    if judge is None or not answers:
        return Judged([], [])
    run = session.run
    instructions = {prompt.id: prompt.instruction for prompt in prompts}
    stage = f"{model}/{records}verdicts"

    def produce() -> list[Verdict]:
        found = score(
            session.judge(),
            session.caller(judge, stage),
            [(instructions[answer.prompt_id], answer) for answer in answers],
            seed=session.config.seed,
            label=f"{model}: {public_name(judge)} judges {len(answers)} {_WHAT[records]}",
        )
        if records != "frozen_":
            return found
        # The candidates have verdicts of M_t already: ids must tell the two apart.
        return [replace(one, id=f"{one.answer_ids[0]}-f{one.sample}") for one in found]

    verdicts = run.stage(stage, Verdict, produce)
    return Judged(verdicts, run.stage(f"{model}/{records}rewards", Reward, lambda: mean_rewards(answers, verdicts)))


_WHAT = {
    "": "answers of its own",
    "frozen_": "answers as the frozen judge",
    "anchor_": "answers of an earlier model",
    "canary_": "worthless answers",
}
