"""The problems of an iteration of learning from rollouts, and those left by the setting `rollouts.difficulty`.

A problem that M_t always solves, or never, gives a group of equal rewards, from which nothing is learned. With
`difficulty` M_t answers each problem once as often as in a group, and the problems whose mean reward lies strictly
between the bounds are kept. Problems without any reward are not.
"""

from contextlib import closing
from statistics import fmean

from srlm.config import TrainConfig
from srlm.errors import NothingToTrain
from srlm.seeding import derive_seed
from srlm.tasks.open import open_task
from srlm.tasks.task import Problem, Task
from trainer.rollouts.rewards import final_rewards
from trainer.rollouts.sampling import open_rewarder, write_answers
from trainer.rollouts.settings import CURRENT, START, RewardSettings
from trainer.session import Session


def draw_all(task: Task, config: TrainConfig, model: str) -> list[Problem]:
    """Return the problems of the training of `model`, before those of another difficulty are left out.

    Raises:
        UsageError: the task has too few.
    """
    return task.problems(config.rollouts.problems, derive_seed(config.seed, model, "problems"), "train")


def draw_problems(session: Session, number: int, settings: RewardSettings) -> list[Problem]:
    """Return the problems of the iteration `number`, those of M_t's difficulty if that is set.

    Raises:
        UsageError: the task has too few.
        NothingToTrain: too few are left for the groups of a step.
    """
    config, model = session.config, settings.model
    drawn = draw_all(open_task(config.rollouts), config, model)
    if config.rollouts.difficulty is None:
        return drawn
    low, high = config.rollouts.difficulty
    means = _mean_rewards(session, f"M{number}", settings, drawn)
    kept = [one for one, mean in zip(drawn, means, strict=True) if mean is not None and low < mean < high]
    known = [mean for mean in means if mean is not None]
    below, above = sum(mean <= low for mean in known), sum(mean >= high for mean in known)
    counts = (
        f"{len(kept)} of {len(drawn)} problems have a mean reward between {low:g} and {high:g}; {below} have less, "
        f"{above} more, {len(drawn) - len(known)} none"
    )
    session.progress.say(f"{model}: {counts}.")
    groups = config.grpo.batch_size // config.grpo.num_generations
    if len(kept) < groups:
        raise NothingToTrain(
            f"{model}: {counts}, and a step has {groups} groups. Set wider bounds rollouts.difficulty, a larger "
            "rollouts.problems, or a smaller grpo.batch_size."
        )
    return kept


def _mean_rewards(
    session: Session, model: str, settings: RewardSettings, problems: list[Problem]
) -> list[float | None]:
    """Let a model answer each problem as often as in a group; return the mean rewards, None without any."""
    samples, stage = session.config.grpo.num_generations, f"{settings.model}/problems"
    written = write_answers(
        session,
        model,
        problems,
        samples,
        stage=stage,
        seed=(session.config.seed, stage),
        prefix=settings.model,
        label=f"{settings.model}: {samples} answers of {model} to {len(problems)} problems",
    )
    own = settings.judge_model in (CURRENT, START) or settings.judge_name == model
    if not own:
        session.release()
    with (
        closing(open_rewarder(session, settings, session.engine(model) if own else None, stage)) as rewarder,
        session.progress.step(f"{settings.model}: rewards of these answers", total=None),
    ):
        judged = rewarder.judge([one for group in written for one in group])
    found: list[float | None] = []
    for group in written:
        own_judged, judged = judged[: len(group)], judged[len(group) :]
        rewards = [one for one in final_rewards(own_judged, max(1, len(group))) if one is not None]
        found.append(fmean(rewards) if rewards else None)
    return found
