"""The regression gate as a function: a decision by a policy whether a model may replace another one."""

import shlex
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from srlm.api.estimates import estimating, run_with_estimate
from srlm.api.judging import labelled_pairs
from srlm.api.models import ModelOpener, find_run, find_run_if_any

if TYPE_CHECKING:
    from evals.gate.comparison_json import ComparisonJson
    from evals.gate.judge_drift import DriftResult, PinnedVerdicts
    from evals.gate.policy import Policy
    from evals.model import EvalModel
    from evals.settings import Settings
    from srlm.api.results import GateDecision
    from srlm.console import Progress
    from srlm.engines.engine import Engine
    from srlm.ledger import Ledger
    from srlm.runs import Run


def gate(
    candidate: str | Path,
    baseline: str | Path | None = None,
    policy: str | Path = "gate.yaml",
    *,
    comparison: str | Path | None = None,
    judge: str | None = None,
    run: "Run | str | Path | None" = None,
    runs: str | Path | None = None,
    prompts: str | Path | None = None,
    repeats: Literal["mean", "first", "last"] | None = None,
    alpaca_difficulties: str | Path | None = None,
    max_connections: int | None = None,
    timeout: float | None = None,
    max_cost: float | None = None,
    quiet: bool = False,
) -> "GateDecision":
    """Decide by a policy whether a model may replace another one: pass, regression, inconclusive or judge broken.

    Args:
        candidate: the model to decide about, such as M2, or a file of its results, as `compare` reads them.
        baseline: the model that it would replace, or its file; that of the comparison, if None.
        policy: a YAML file, as `srlm gate init` writes it.
        comparison: the output of `srlm compare --format json`, to decide on instead of the results of a run.
        judge: the judge that was pinned, where the policy has a calibration set: it is asked again.
        run: an open run, a name or a folder; the one that was changed last, if None.
        runs: folder of the runs; $SRLM_RUNS or results/runs, if None.
        prompts: prompts of the benchmark of files, see `compare`.
        repeats: the way to read judgements that a file has several times, see `compare`.
        alpaca_difficulties: AlpacaEval's df_gamed.csv, for files of its annotations.
        max_connections: concurrent requests to a server; if None, 16, and up to 256 to a vLLM server.
        timeout: seconds without an answer of the server after which the work stops; 300, if None.
        max_cost: US dollars that all calls may cost together.
        quiet: print no progress on standard error.

    Raises:
        UnknownName: there is no such model or metric.
        UsageError: the policy does not fit the comparison, or the judge.
        DataError: a file cannot be read.

    Example:
        >>> decision = srlm.gate("M2", "M1", "gate.yaml", run="quickstart")  # doctest: +SKIP
        >>> decision.outcome  # doctest: +SKIP
        'inconclusive'
    """
    from evals.compare.compare import file_settings
    from evals.gate.decision import decide
    from evals.gate.policy import load_policy
    from srlm.api.results import GateDecision
    from srlm.console import Progress
    from srlm.errors import UsageError

    wanted = load_policy(Path(policy))
    settings = file_settings(prompts, repeats, alpaca_difficulties)
    candidate, found = _compared(comparison, str(candidate), baseline, run, runs, settings)
    decided = decide(found, candidate, wanted)  # a mistake is found before a judge is asked
    progress = Progress(quiet=quiet)
    pinned = wanted.judge.calibration
    if pinned is not None:
        if judge is None:
            raise UsageError(
                "The policy has a calibration set: name the judge that was pinned, to be asked again: --judge"
            )
        opener = ModelOpener(progress, max_connections=max_connections, timeout=timeout, max_cost=max_cost)
        model = opener.model(judge, find_run_if_any(run, runs))
        drift = _ask_again(found, wanted, Path(policy).parent / pinned.file, model, progress)
        decided = decide(found, candidate, wanted, drift)
    elif judge is not None or estimating():
        raise UsageError(
            f"{policy} has no judge.calibration, so no judge is asked anything: leave --judge and --estimate out."
        )
    return GateDecision(**{one.name: getattr(decided, one.name) for one in fields(decided)})


def pin_judge(
    spec: str,
    output: str | Path = "calibration.json",
    *,
    pairs: str | Path | None = None,
    limit: int = 60,
    run: "Run | str | None" = None,
    runs: str | Path | None = None,
    max_connections: int | None = None,
    timeout: float | None = None,
    max_cost: float | None = None,
    quiet: bool = False,
) -> "PinnedVerdicts":
    """Store a judge's verdicts on labelled pairs, so that `gate` detects when the judge drifts.

    Args:
        spec: the judge: smollm2, a folder, hf:NAME, openai:NAME[@ADDRESS], or a model of a run (M2).
        output: file of the calibration set; an existing one is not overwritten.
        pairs: labelled pairs, a file or a folder of subsets; the packaged ones, if None.
        limit: use at most so many pairs, spread over instructions.
        run: an open run or a name, for a judge such as M2; the one that was changed last, if None.
        runs: folder of the runs; $SRLM_RUNS or results/runs, if None.
        max_connections: concurrent requests to a server; if None, 16, and up to 256 to a vLLM server.
        timeout: seconds without an answer of the server after which the work stops; 300, if None.
        max_cost: US dollars that all calls may cost together.
        quiet: print no progress on standard error.

    Raises:
        UsageError: the file exists, or none of the verdicts can be read.
        EngineFailed: the judge does not answer.

    Example:
        >>> srlm.pin_judge("openai:gpt-4.1", "calibration.json")  # doctest: +SKIP
    """
    from evals.gate.judge_drift import pin_judge as pin_verdicts
    from srlm.console import Progress
    from srlm.jsonl import without_nan, write_json

    if not estimating():
        refuse_existing(Path(output))
    progress = Progress(quiet=quiet)
    labelled = labelled_pairs(pairs, progress)
    opener = ModelOpener(progress, max_connections=max_connections, timeout=timeout, max_cost=max_cost)
    model = opener.model(spec, find_run_if_any(run, runs))

    def work(engine: "Engine", calls: "Ledger", progress: "Progress") -> "PinnedVerdicts":
        return pin_verdicts(engine, labelled, calls, limit=limit, progress=progress)

    with TemporaryDirectory() as folder:
        found = run_with_estimate(work, model, Path(folder) / "ledger.sqlite", progress)
    write_json(Path(output), without_nan(asdict(found)))
    return found


def refuse_existing(output: Path) -> None:
    """Refuse to overwrite a file.

    Raises:
        UsageError: it exists.
    """
    from srlm.errors import UsageError

    if output.exists():
        raise UsageError(f"{output} exists already, and is not overwritten. Move it away, or name another: --output")


def _compared(
    comparison: str | Path | None,
    candidate: str,
    baseline: str | Path | None,
    run: "Run | str | Path | None",
    runs: str | Path | None,
    settings: "Settings",
) -> "tuple[str, ComparisonJson]":
    """Return the candidate's name with the comparison of a file, or of results of a run or of files."""
    from evals.compare.comparison import compare_models
    from evals.compare.sources import load_sources
    from evals.gate.comparison_json import from_comparison, read_comparison
    from srlm.errors import UsageError

    if comparison is None:
        if baseline is None:
            raise UsageError("Name the model that the candidate would replace: --baseline M1")
        words = [str(baseline), candidate]
        sources = load_sources(words, lambda: find_run(run, runs), settings)
        models = [sources.model(word) for word in words]
        return models[1], from_comparison(compare_models(sources.results, models, models[0], settings=settings))
    found = read_comparison(Path(comparison))
    if baseline not in (None, found.baseline):
        raise UsageError(
            f"{comparison} compares with {found.baseline}, and --baseline is {baseline}. Make it with that one: "
            f"srlm compare {shlex.join([candidate, '--baseline', str(baseline)])} --format json"
        )
    return candidate, found


def _ask_again(
    found: "ComparisonJson", policy: "Policy", file: Path, model: "EvalModel", progress: "Progress"
) -> "DriftResult":
    """Ask the judge again for the pinned verdicts of a file."""
    from evals.gate.judge_drift import measure_drift, read_pinned_verdicts, refuse_other_judges

    pinned = read_pinned_verdicts(file)
    refuse_other_judges(pinned, found, found.suites(rule.metric for rule in policy.rules))

    def work(engine: "Engine", calls: "Ledger", progress: "Progress") -> "DriftResult":
        return measure_drift(engine, pinned, calls, risk=policy.risk, progress=progress)

    # Into a ledger of its own: that of a run has the verdicts of the past.
    with TemporaryDirectory() as folder:
        return run_with_estimate(work, model, Path(folder) / "ledger.sqlite", progress)
