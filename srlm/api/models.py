"""Models by the names that users give them: M1 of a run, a folder, hf:NAME, openai:NAME[@ADDRESS], anthropic:NAME."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evals.model import EvalModel
    from srlm.console import Progress
    from srlm.runs import Run

DEFAULT_RUNS = Path("results/runs")


def runs_folder(runs: str | Path | None) -> Path:
    """Return the folder of the runs: the one that is given, else $SRLM_RUNS, else results/runs."""
    return Path(runs) if runs is not None else Path(os.environ.get("SRLM_RUNS") or DEFAULT_RUNS)


def find_run(run: "Run | str | Path | None" = None, runs: str | Path | None = None) -> "Run":
    """Return a run by its name or folder, or the one that was changed last. An open run is returned as it is.

    Raises:
        UsageError: there is no run at all.
        UnknownName: there is none of that name.
    """
    from srlm.runs import open_run

    if isinstance(run, Path):
        return open_run(run.parent, run.name)
    return open_run(runs_folder(runs), run) if run is None or isinstance(run, str) else run


def find_run_if_any(run: "Run | str | Path | None", runs: str | Path | None) -> "Run | None":
    """Return the run as `find_run` does, or None where no run is named and there is none."""
    return find_run(run, runs) if run is not None or any_run(runs) else None


def any_run(runs: str | Path | None) -> bool:
    """Check if the folder of the runs has one."""
    return any(runs_folder(runs).glob("*/run.yaml"))


class ModelOpener:
    """Makes models of names, all with one client configuration and under one budget.

    Args:
        progress: for warnings of servers.
        max_connections: concurrent requests to a server; the engine's own number, if None.
        timeout: seconds without an answer of a server after which the work stops.
        max_cost: US dollars that all calls may cost together.
    """

    def __init__(
        self,
        progress: "Progress",
        *,
        max_connections: int | None = None,
        timeout: float | None = None,
        max_cost: float | None = None,
    ) -> None:
        from srlm.engines.budget import Budget
        from srlm.engines.client_config import DEFAULT_TIMEOUT_S, ClientConfig

        self._client = ClientConfig(max_connections, timeout or DEFAULT_TIMEOUT_S, warn=progress.say)
        self._budget = None if max_cost is None else Budget(max_cost)

    def model(self, spec: str, run: "Run | None") -> "EvalModel":
        """Return a model by its name in a run, or by what `srlm.rewards.source.open_judge` knows, without loading it.

        FILE.yaml is the combination of rewards of a run file.

        Raises:
            SrlmError: the name, the address, or a price that the budget needs is unknown.
        """
        from evals.model import Checkpoint, EvalModel
        from srlm.engines.open import is_remote, public_name
        from srlm.judges.combination import is_run_file
        from srlm.model_hub import model_folder, model_name
        from srlm.rewards.source import is_source_name, open_judge

        if is_run_file(spec):
            return self._combination(spec)
        place = spec if run is None or (spec not in run.models() and is_source_name(spec)) else run.model(spec)
        settings = _settings(spec, run)
        name = public_name(spec) if is_remote(spec) else model_name(spec)
        load = partial(open_judge, place, name=name, client=self._client, budget=self._budget, **settings)
        if is_remote(place):
            load().close()  # an unknown price or a wrong address is refused now, before any work
            return EvalModel(name, load, remote=True)
        number = {key: settings[key] for key in ("device", "dtype") if key in settings}
        folder = partial(model_folder, place.removeprefix("vllm:"))
        return EvalModel(name, load, checkpoint=Checkpoint(folder, **number))

    def _combination(self, spec: str) -> "EvalModel":
        from evals.model import Checkpoint, EvalModel
        from srlm.judges.combination import asks_server, load_combination, open_combination
        from srlm.model_hub import model_folder, model_name

        config, name = load_combination(spec), model_name(spec)
        load = partial(open_combination, config, name=name, client=self._client, budget=self._budget)
        if asks_server(config):
            load().close()  # as for a model: what can be refused now is refused before any work
            return EvalModel(name, load, remote=True)
        return EvalModel(name, load, checkpoint=Checkpoint(partial(model_folder, spec), config.device, config.dtype))


def _settings(spec: str, run: "Run | None") -> dict[str, Any]:
    """Return the settings of a run that concern how its models are loaded."""
    if run is None:
        return {}
    config = run.config
    settings: dict[str, Any] = {
        "device": config.device,
        "dtype": config.dtype,
        "batch_tokens": config.batch_tokens,
        "engine": config.engine,
        "vllm": config.vllm.arguments(),
    }
    if spec in run.models() and config.thoughts == "drop":
        settings["thoughts"] = "closed"  # as it was trained
    return settings
