"""The settings of an iteration's rewards, from those of its run, and the cost of the calls that its training makes."""

from collections.abc import Iterator
from contextlib import contextmanager

from srlm.engines.open import is_remote, public_name
from srlm.model_hub import is_model_name
from trainer.rollouts.settings import CURRENT, START, RewardSettings
from trainer.session import Session


def reward_settings(session: Session, number: int, strict: bool) -> RewardSettings:
    """Return the settings by which the training of the iteration `number` rewards its answers.

    Raises:
        UnknownName: `rollouts.judged_by` is a model that the run does not have (yet).
    """
    config, client, budget = session.config, session.client, session.budget
    model, name, external = _judge(session, number)
    return RewardSettings(
        model=f"M{number + 1}",
        ledger=session.run.ledger.path,
        rollouts=config.rollouts,
        parts=config.reward,
        judge=config.judge,
        judge_model=model,
        judge_name=name,
        external=external,
        monitor=config.monitor,
        seed=config.seed,
        batch_tokens=config.batch_tokens,
        strict=strict,
        max_cost=None if budget is None else budget.limit,
        spent=0.0 if budget is None else budget.spent,
        max_connections=client.max_connections,
        timeout=client.timeout,
    )


def _judge(session: Session, number: int) -> tuple[str, str, bool]:
    """Return what `rollouts.judged_by` stands for, its name, and whether it is a model of another place."""
    setting, start = session.config.rollouts.judged_by, f"M{number}"
    if setting == CURRENT:
        return CURRENT, start, False
    model = start if setting == START else setting
    if model not in session.run.models() and (is_remote(model) or is_model_name(model)):
        return model, public_name(model), True
    return str(session.folder(model)), model, False


@contextmanager
def charged(session: Session, stage: str) -> Iterator[None]:
    """Charge the command's budget with the calls of a stage that engines of another process make."""
    before = _cost(session, stage)
    try:
        yield
    finally:
        if session.budget is not None:
            session.budget.spent += _cost(session, stage) - before


def _cost(session: Session, stage: str) -> float:
    if session.budget is None:
        return 0.0
    return sum(row.cost or 0.0 for row in session.run.ledger.summary() if row.stage == stage)
