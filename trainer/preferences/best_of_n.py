"""Best answers as supervised examples ("positives"): the paper's other way to use rewards (arXiv 2401.10020, A.4).

Every answer with a perfect reward is added to the seeds, and no answer is rejected. In the paper this had no effect:
with 11,254 such answers, 29 % of wins against the SFT baseline and 30 % of losses, while pairs had a large effect.

The paper says that a mixing weight was tuned, but neither what it weighs nor which model the tuning starts from. Here
the weight is how often an example is repeated in an epoch, so that losses and batches are those of any SFT. Training
starts from M0, and M_t+1 is trained on the positives of all iterations up to its own. The seeds are then repeated once
and not in each iteration. In the paper, too, models learn from IFT and EFT once, and M3 from the answers of M1 and M2.
"""

from collections.abc import Sequence

from srlm.config import TrainConfig
from srlm.errors import UsageError
from srlm.judges.rubric import Scale
from srlm.seeding import derive_seed
from srlm.types import Answer, Dropped, Prompt, Reward, SFTExample
from trainer.finetune.tokenize import ThoughtsSetting
from trainer.generation.candidates import full_text
from trainer.preferences.pairs import ROUNDING, group_by_prompt, vetoed_answers, with_rewards

NO_REWARD = "no readable reward"


def min_positive_reward(config: TrainConfig, scale: Scale | None) -> float:
    """Return the lowest reward with which an answer is trained on. `scale`: None for rewards without one.

    Raises:
        UsageError: it is not given, and rewards have no scale whose highest it would be.
    """
    if config.positives.min_reward is not None:
        return config.positives.min_reward
    if scale is None:
        raise UsageError(
            "With learn_from=positives, answers with the highest reward of the scale are kept, and this reward has no "
            "scale. Set positives.min_reward."
        )
    return scale.highest


def choose_positives(
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    rewards: Sequence[Reward],
    min_reward: float,
    thoughts: ThoughtsSetting = "drop",
) -> tuple[list[SFTExample], list[Dropped]]:
    """Return the answers with a reward of at least `min_reward`, and the prompts without one with their reasons.

    Answers to one prompt with the same text are one example.
    """
    values = {reward.answer_id: reward.value for reward in rewards}
    vetoed = vetoed_answers(rewards)
    of_prompt = group_by_prompt(prompts, answers)
    positives: list[SFTExample] = []
    dropped: list[Dropped] = []
    for prompt in prompts:
        scored = with_rewards(of_prompt[prompt.id], values)
        good: dict[str, Answer] = {}
        for one in scored:
            if one.value >= min_reward - ROUNDING and one.answer.id not in vetoed:
                good.setdefault(one.answer.text, one.answer)
        for answer in good.values():
            written = full_text(answer) if thoughts == "keep" else None
            positives.append(
                SFTExample(
                    answer.id, "positive", prompt.instruction, answer.text, written=written, context=prompt.context
                )
            )
        if not scored:
            dropped.append(Dropped(prompt.id, NO_REWARD, f"0 of {len(of_prompt[prompt.id])}"))
        elif not good:
            best = max(one.value for one in scored)
            dropped.append(Dropped(prompt.id, f"no reward of {min_reward:g}", f"the best is {best:.2f}"))
    return positives, dropped


def repeat_by_weight(positives: Sequence[SFTExample], weight: float, seed: int) -> list[SFTExample]:
    """Return the examples of one epoch, each `weight` times. A fraction is met by repeating some, drawn by `seed`."""
    times, more = divmod(max(1, round(weight * len(positives))), len(positives))
    drawn = {one.id for one in sorted(positives, key=lambda one: derive_seed(seed, "positive", one.id))[:more]}
    return [*list(positives) * times, *(one for one in positives if one.id in drawn)]
