"""A model that a command names, and work that asks it: through a ledger, and for a server only after an estimate."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from evals.model import EvalModel
    from srlm.console import Progress
    from srlm.engines.budget import Budget
    from srlm.engines.client_config import ClientConfig
    from srlm.engines.engine import Engine
    from srlm.ledger import Ledger
    from srlm.runs import Run

T = TypeVar("T")


def contestant(spec: str, home: "Run | None", wire: "ClientConfig", budget: "Budget | None") -> "EvalModel":
    """A model by its name in a run, or by what `srlm.engines.open` knows. A wrong name is refused before any work."""
    from evals.model import Checkpoint, EvalModel
    from srlm.engines.open import is_remote, open_engine, public_name
    from srlm.model_hub import is_model_name, model_folder, model_name

    place = spec
    settings: dict[str, Any] = {}
    if home is not None:
        config = home.config
        place = home.model(spec) if spec in home.models() or not is_model_name(spec) else spec
        settings = {
            "device": config.device,
            "dtype": config.dtype,
            "batch_tokens": config.batch_tokens,
            "engine": config.engine,
            "vllm": config.vllm.arguments(),
        }
        if spec in home.models() and config.thoughts == "drop":
            settings["thoughts"] = "closed"  # as it was trained
    name = public_name(spec) if is_remote(spec) else model_name(spec)
    opened = partial(open_engine, place, name=name, client=wire, budget=budget, **settings)
    if is_remote(place):
        opened().close()  # an unknown price or a wrong address is said now, before anything is made
        return EvalModel(name, opened, remote=True)
    number = {key: settings[key] for key in ("device", "dtype") if key in settings}
    return EvalModel(name, opened, checkpoint=Checkpoint(partial(model_folder, place.removeprefix("vllm:")), **number))


def named_model(spec: str, run: str | None, runs: Path, wire: "ClientConfig", max_cost: float | None) -> "EvalModel":
    """A model for work that needs no run: by its name in the one that is named, or that there is, if any."""
    from srlm.runs import open_run

    home = open_run(runs, run) if run is not None or any(runs.glob("*/run.yaml")) else None
    return contestant(spec, home, wire, budget_of(max_cost))


def wire_of(max_connections: int | None, timeout: float | None, progress: "Progress") -> "ClientConfig":
    """How a server's calls travel, by the options."""
    from srlm.engines.client_config import DEADLINE, MAX_CONNECTIONS, ClientConfig

    return ClientConfig(max_connections or MAX_CONNECTIONS, timeout or DEADLINE, warn=progress.say)


def budget_of(max_cost: float | None) -> "Budget | None":
    """What all calls of the command may cost together, by the option."""
    from srlm.engines.budget import Budget

    return None if max_cost is None else Budget(max_cost)


def done_with(
    work: "Callable[[Engine, Ledger, Progress], T]", model: "EvalModel", ledger: Path, only: bool, progress: "Progress"
) -> "T | None":
    """Do the work, and say before what a server will be asked; None if `only` that was wanted."""
    from evals.dry_run import dry_run
    from evals.model import load
    from srlm.console import Progress, stdout
    from srlm.ledger import Ledger
    from srlm.ledger_lock import lock_ledger

    def counted(kept: "Ledger | None") -> str:
        with dry_run(kept) as counting, load(counting.wrap(model)) as engine:
            work(engine, counting.run.ledger, Progress(quiet=True))
            if not only:
                counting.require_keys()
            return "\n".join(counting.estimate())

    kept = Ledger(ledger) if ledger.exists() else None
    try:
        lines = counted(kept) if only or model.remote else ""
        if only:
            stdout().print(lines, soft_wrap=True, markup=False)
            return None
        # The model is opened first: where there is none, no ledger is made.
        with load(model) as engine, lock_ledger(ledger, progress.say) as waited:
            kept = kept or Ledger(ledger)
            if model.remote:
                progress.say(counted(kept) if waited else lines)
            return work(engine, kept, progress)
    finally:
        if kept is not None:
            kept.close()
