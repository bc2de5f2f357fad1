"""Estimates of cost: the calls to a server are counted before they are made, or counted and not made."""

from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from evals.model import EvalModel
    from srlm.console import Progress
    from srlm.engines.engine import Engine
    from srlm.ledger import Ledger

P = ParamSpec("P")
T = TypeVar("T")

_alone: ContextVar[bool] = ContextVar("estimate alone", default=False)


class _Estimated(Exception):
    """The estimate of work that is not to be done."""


def estimate(function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> str:
    """Return the calls, tokens and cost that a function of this package would take, without a call.

    Args:
        function: `judge`, `judge_card`, `gate`, `label` or `evaluate`.
        args: its arguments.
        kwargs: its keyword arguments.

    Returns:
        A line for each model that has calls to make; calls that are in a ledger count as made.

    Example:
        >>> print(srlm.estimate(srlm.judge, "answers.json", judge="openai:gpt-4.1"))  # doctest: +SKIP
        openai:gpt-4.1: 300 calls to make, about 81,204 tokens to read and at most 76,800 to write: about $0.776, ...
    """
    token = _alone.set(True)
    try:
        function(*args, **kwargs)
    except _Estimated as found:
        return str(found)
    finally:
        _alone.reset(token)
    return "No model is called."


def estimating() -> bool:
    """Check if an estimate alone is wanted."""
    return _alone.get()


def stop_at_estimate(count: Callable[[], list[str]]) -> None:
    """End the work with the lines that `count` returns, where an estimate alone is wanted."""
    if estimating():
        raise _Estimated("\n".join(count()))


def run_with_estimate(
    work: "Callable[[Engine, Ledger, Progress], T]", model: "EvalModel", ledger: Path, progress: "Progress"
) -> "T":
    """Do work that asks a model, through a ledger. Before a server is asked, the estimate is shown.

    Args:
        work: what to do. It is done twice where calls are counted, the first time without a call.
        model: is loaded for it.
        ledger: file of the calls, made where it does not exist.
        progress: shows the estimate, and the work.
    """
    from evals.model import load
    from srlm.ledger import Ledger
    from srlm.ledger_lock import lock_ledger

    kept = Ledger(ledger) if ledger.exists() else None
    try:
        stop_at_estimate(lambda: _count(work, model, kept))
        lines = _count(work, model, kept, require_keys=True) if model.remote else []
        # The model is loaded first: where that fails, no ledger is made.
        with load(model) as engine, lock_ledger(ledger, progress.say) as waited:
            kept = kept or Ledger(ledger)
            if model.remote:
                progress.say("\n".join(_count(work, model, kept, require_keys=True) if waited else lines))
            return work(engine, kept, progress)
    finally:
        if kept is not None:
            kept.close()


def _count(
    work: "Callable[[Engine, Ledger, Progress], object]",
    model: "EvalModel",
    ledger: "Ledger | None",
    *,
    require_keys: bool = False,
) -> list[str]:
    """Return lines on the calls that are left to make.

    Raises:
        UsageError: `require_keys`, and there is no key for them.
    """
    from evals.cost_estimate import dry_run
    from evals.model import load
    from srlm.console import Progress

    with dry_run(ledger) as counting, load(counting.wrap(model)) as engine:
        work(engine, counting.run.ledger, Progress(quiet=True))
        if require_keys:
            counting.require_keys()
        return counting.estimate()
