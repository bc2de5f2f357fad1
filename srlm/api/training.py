"""The self-rewarding loop as a function, the runs that it makes, and their report."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from srlm.api.estimates import estimating
from srlm.api.models import find_run, runs_folder

if TYPE_CHECKING:
    from srlm.api.results import Diagnosis
    from srlm.runs import Run


def train(
    config: str | Path = "quickstart",
    *,
    name: str | None = None,
    overrides: Mapping[str, Any] | Sequence[str] = (),
    seeds: str | Path | None = None,
    strict: bool = False,
    max_cost: float | None = None,
    runs: str | Path | None = None,
    quiet: bool = False,
) -> "Run":
    """Train M1, M2, M3 from a base model by the self-rewarding loop, or resume a run that was stopped.

    Args:
        config: a preset, or a YAML file.
        name: of the run; that of the preset or the file, if None.
        overrides: settings that differ, such as {"dpo.beta": 0.2}, or as text, ["dpo.beta=0.2"].
        seeds: embedded, a folder with ift.jsonl and eft.jsonl, or oasst:FILE_OR_NAME.
        strict: stop where an iteration gives a warning.
        max_cost: US dollars that all calls to servers may cost together.
        runs: folder of the runs; $SRLM_RUNS or results/runs, if None.
        quiet: print no progress on standard error.

    Returns:
        The run. Its attribute `worked` is False where everything was there already.

    Raises:
        RunChanged: a run of that name was started with other settings.
        StoppedByStrict: `strict`, and an iteration gave a warning.
        SrlmError: with what to do; everything computed so far stays in the run.

    Example:
        >>> run = srlm.train("quickstart", overrides={"dpo.beta": 0.2}, name="beta-0.2")  # doctest: +SKIP
        >>> run.models()  # doctest: +SKIP
        ['M0', 'SFT', 'M1', 'M2', 'M3']
    """
    from srlm.config_file import load_config
    from srlm.console import Progress
    from srlm.engines.budget import Budget
    from srlm.errors import UsageError
    from srlm.runs import plan_run, start_run
    from srlm.trackers import require_trackers
    from trainer.loop import train as run_loop
    from trainer.preflight import preflight, require_prices

    if estimating():
        raise UsageError("A training has no estimate: the number of its calls depends on what the models write.")
    changes = (
        [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
        if isinstance(overrides, Mapping)
        else [*overrides]
    )
    resolved = load_config(str(config), [*changes, *([f"seeds.source={json.dumps(str(seeds))}"] if seeds else [])])
    budget = None if max_cost is None else Budget(max_cost)
    root, name = runs_folder(runs), name or Path(config).stem
    if not (plan_run(root, name, resolved).folder / "run.yaml").exists():
        preflight(resolved)  # nothing is written for a command that cannot work
    require_trackers(resolved.report_to)
    if budget is not None:
        require_prices(resolved, budget)
    run = start_run(root, name, resolved)
    run.lock()
    try:
        run_loop(resolved, run, Progress(quiet=quiet), strict, budget)
    finally:
        run.close()
    return run


def open_run(name: str | None = None, *, runs: str | Path | None = None) -> "Run":
    """Open a run by its name, or the one that was changed last.

    Args:
        name: of the run.
        runs: folder of the runs; $SRLM_RUNS or results/runs, if None.

    Raises:
        UsageError: there is no run at all.
        UnknownName: there is none of that name.

    Example:
        >>> srlm.open_run("quickstart").models()  # doctest: +SKIP
        ['M0', 'SFT', 'M1', 'M2', 'M3']
    """
    return find_run(name, runs)


def report(
    run: "Run | str | None" = None,
    *,
    output: str | Path | None = None,
    baseline: str | None = None,
    reference: Literal["paper"] | None = None,
    text_map: bool = True,
    runs: str | Path | None = None,
    quiet: bool = False,
) -> Path:
    """Write a run as one HTML page: metrics, and below each the prompts, answers and verdicts that it came from.

    Args:
        run: an open run or a name; the one that was changed last, if None.
        output: file of the page; report.html in the run, if None.
        baseline: model to compare with; SFT, else M1, if None.
        reference: "paper" adds the values of the self-rewarding paper to models of its names.
        text_map: draw the map of texts, for which a model of the run reads them once.
        runs: folder of the runs; $SRLM_RUNS or results/runs, if None.
        quiet: print no progress on standard error.

    Returns:
        The page.

    Raises:
        UnknownName: the run, or results of the baseline, do not exist.
        MissingDependency: a library of the extra `report` is not installed.

    Example:
        >>> srlm.report("quickstart", baseline="M1")  # doctest: +SKIP
        PosixPath('results/runs/quickstart/report.html')
    """
    from evals.report.page import write_report
    from srlm.atomic_files import require_writable
    from srlm.console import Progress

    home = find_run(run, runs)
    page = Path(output) if output is not None else home.folder / "report.html"
    require_writable(page, "a report of srlm", lambda begins: 'name="generator" content="srlm ' in begins)
    try:
        return write_report(
            home, page, Progress(quiet=quiet), baseline=baseline, paper=reference is not None, mapped=text_map
        )
    finally:
        home.close()


def doctor(*, load: bool = False, runs: str | Path | None = None) -> "Diagnosis":
    """Check what works on this machine, with the command that fixes what does not.

    Args:
        load: also load the packaged model and let it answer once.
        runs: folder of the runs, whose disk is checked; $SRLM_RUNS or results/runs, if None.

    Example:
        >>> srlm.doctor().ready  # doctest: +SKIP
        True
    """
    from srlm.api.results import Diagnosis
    from srlm.diagnostics import run_checks

    return Diagnosis(tuple(run_checks(runs_folder(runs), load=load)))
