"""The self-rewarding loop as a function, the runs that it makes, and their report."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from srlm.api.estimates import estimating
from srlm.api.models import find_run, runs_folder

if TYPE_CHECKING:
    from evals.settings import Settings
    from srlm.api.results import Diagnosis
    from srlm.runs import Run


def train(
    config: str | Path = "quickstart",
    *,
    name: str | None = None,
    overrides: Mapping[str, Any] | Sequence[str] = (),
    seeds: str | Path | None = None,
    strict: bool = False,
    max_connections: int | None = None,
    timeout: float | None = None,
    max_cost: float | None = None,
    runs: str | Path | None = None,
    quiet: bool = False,
) -> "Run":
    """Train M1, M2, M3 by the self-rewarding loop, or resume a run that was stopped.

    Args:
        config: a preset, or a YAML file.
        name: of the run; that of the preset or the file, if None.
        overrides: settings that differ, such as {"dpo.beta": 0.2}, or as text, ["dpo.beta=0.2"].
        seeds: embedded, a file, hf:OWNER/NAME, a folder with ift.jsonl and eft.jsonl, or oasst:FILE_OR_NAME.
        strict: stop where an iteration gives a warning.
        max_connections: concurrent requests to a server; if None, 16, and up to 256 to a vLLM server.
        timeout: seconds without an answer of a server after which the run stops; 300, if None.
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
    from srlm.engines.client_config import DEFAULT_TIMEOUT_S, ClientConfig
    from srlm.errors import UsageError
    from srlm.runs import plan_run, settle_engine, start_run
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
    progress, planned = Progress(quiet=quiet), plan_run(root, name, resolved)
    resolved = settle_engine(resolved, planned, progress.say)
    if not (planned.folder / "run.yaml").exists():
        preflight(resolved)  # nothing is written for a command that cannot work
    require_trackers(resolved.report_to)
    if budget is not None:
        require_prices(resolved, budget)
    run = start_run(root, name, resolved)
    run.lock()
    try:
        client = ClientConfig(max_connections, timeout or DEFAULT_TIMEOUT_S, warn=progress.say)
        run_loop(resolved, run, progress, strict, budget, client)
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
    run: "Run | str | Path | Sequence[str | Path] | None" = None,
    *,
    output: str | Path | None = None,
    baseline: str | Path | None = None,
    reference: Literal["paper"] | None = None,
    text_map: bool = True,
    runs: str | Path | None = None,
    prompts: str | Path | None = None,
    repeats: Literal["mean", "first", "last"] | None = None,
    alpaca_difficulties: str | Path | None = None,
    quiet: bool = False,
) -> Path:
    """Write a run as one HTML page: metrics, and below each the prompts, answers and verdicts that it came from.

    Files of results, as `compare` reads them, become a page of comparisons and counts.

    Args:
        run: an open run, a name or a folder; files as FILE or NAME=FILE; the run that was changed last, if None.
        output: file of the page; report.html in the run, or in the working folder for files, if None.
        baseline: model to compare with; SFT, else M1, if None; of files the first.
        reference: "paper" adds the values of the self-rewarding paper to models of its names.
        text_map: draw the map of texts, for which a model of the run reads them once.
        runs: folder of the runs; $SRLM_RUNS or results/runs, if None.
        prompts: prompts of the benchmark of files, see `compare`.
        repeats: the way to read judgements that a file has several times, see `compare`.
        alpaca_difficulties: AlpacaEval's df_gamed.csv, for files of its annotations.
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
    from evals.compare.compare import file_settings
    from evals.compare.import_results import result_file
    from evals.report.page import write_report
    from srlm.console import Progress
    from srlm.errors import UsageError

    paper = reference is not None
    words = [str(run)] if isinstance(run, str | Path) else [*map(str, run)] if isinstance(run, Sequence) else []
    settings = file_settings(prompts, repeats, alpaca_difficulties)
    if any(result_file(word) for word in words):
        return _report_files(words, output, baseline, paper, settings)
    if len(words) > 1:
        raise UsageError(f"A report is of one run, or of files: {', '.join(words)} are no files of results.")
    if settings:
        raise UsageError("--prompts, --repeats and --alpaca-difficulties go with files of results.")
    home = find_run(words[0] if isinstance(run, Sequence) and words else run, runs)  # type: ignore[arg-type]
    page = Path(output) if output is not None else home.folder / "report.html"
    _require_page(page)
    try:
        return write_report(
            home,
            page,
            Progress(quiet=quiet),
            baseline=None if baseline is None else str(baseline),
            paper=paper,
            mapped=text_map,
        )
    finally:
        home.close()


def _report_files(
    words: Sequence[str], output: str | Path | None, baseline: str | Path | None, paper: bool, settings: "Settings"
) -> Path:
    """Write the page of files of results."""
    from evals.compare.import_results import result_file
    from evals.compare.sources import load_sources
    from evals.report.files_page import write_files_report
    from srlm.errors import UsageError

    other = next((word for word in words if not result_file(word)), None)
    if other is not None:
        raise UsageError(f"A report is of one run, or of files: {other} is no file of results.")
    page = Path(output) if output is not None else Path("report.html")
    _require_page(page)
    given = [] if baseline is None else [str(baseline)]
    sources = load_sources([*words, *(word for word in given if result_file(word))], find_run, settings)
    first = sources.models([*given, *words])[0]
    return write_files_report(sources, page, baseline=first, paper=paper, settings=settings)


def _require_page(page: Path) -> None:
    """Refuse to overwrite a file that is no report."""
    from srlm.atomic_files import require_writable

    require_writable(page, "a report of srlm", lambda begins: 'name="generator" content="srlm ' in begins)


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
