"""Answers of a model of the run to problems, and a rewarder of them, outside of a training: before it or after it."""

from collections.abc import Sequence

from srlm.engines.engine import Engine
from srlm.seeding import derive_seed
from srlm.tasks.open import open_task
from srlm.tasks.task import Problem
from srlm.types import Completion, Message, Request, Sampling
from trainer.rollouts.rewards import Rewarder, Written
from trainer.rollouts.settings import RewardSettings
from trainer.session import Session


def write_answers(
    session: Session,
    model: str,
    problems: Sequence[Problem],
    samples: int,
    *,
    stage: str,
    seed: tuple[int | str, ...],
    prefix: str,
    label: str,
) -> list[list[Written]]:
    """Let a model answer each problem several times, sampled as in training.

    Args:
        session: of the run.
        model: of the run.
        problems: to answer.
        samples: answers to each.
        stage: under which the calls are counted.
        seed: parts of the seed of each answer, before the problem's id and the sample.
        prefix: of the answers' ids.
        label: for the progress.

    Returns:
        For each problem its answers, without those whose calls failed.
    """
    grpo = session.config.grpo
    sampling = Sampling(grpo.temperature, grpo.top_p, grpo.max_completion_length)
    requests = [
        Request((Message("user", one.prompt),), sampling, seed=derive_seed(*seed, one.id, sample), sample=sample)
        for one in problems
        for sample in range(samples)
    ]
    replies = session.caller(model, stage).ask(requests, label)
    return [
        [
            Written(f"{prefix}-{problem.id}-p{sample}", problem, reply.text.strip(), 0, reply.finish != "stop")
            for sample, (_, reply) in enumerate(replies[start : start + samples])
            if isinstance(reply, Completion)
        ]
        for problem, start in zip(problems, range(0, len(replies), samples), strict=True)
    ]


def open_rewarder(session: Session, settings: RewardSettings, judge: Engine | None, stage: str) -> Rewarder:
    """Return a rewarder whose judge is an engine that is open; None if it opens its own. The caller closes it.

    Raises:
        UsageError: the rubric is missing or wrong.
    """
    config = session.config
    return Rewarder(
        settings,
        open_task(config.rollouts),
        judge,
        session.progress,
        stage=stage,
        device=config.device,
        dtype=config.dtype,
        thoughts_open=config.thoughts == "keep",
    )
