"""`srlm gate CANDIDATE`: may it take the baseline's place? `gate init` writes a policy, `gate pin` pins a judge."""

import shlex
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from srlm.cli.models import done_with, named_model, wire_of
from srlm.cli.options import DEFAULT_RUNS, MAX_ITEMS, Estimate, MaxConnections, MaxCost, RunName, Runs, Timeout

if TYPE_CHECKING:
    from evals.gate.comparison_json import ComparisonJson
    from evals.gate.decision import Decision
    from evals.gate.judge_drift import DriftResult, PinnedVerdicts
    from evals.gate.policy import Policy
    from evals.model import EvalModel
    from srlm.console import Progress
    from srlm.engines.client_config import ClientConfig
    from srlm.engines.engine import Engine
    from srlm.ledger import Ledger


class Format(StrEnum):
    """How the decision is printed."""

    text = "text"
    markdown = "markdown"
    json = "json"


def gate(
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="The model to decide about, such as M2.")],
    policy: Annotated[
        Path, typer.Option("--policy", metavar="FILE", help="What it must show; srlm gate init writes one.")
    ] = Path("gate.yaml"),
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="The model whose place it would take; that of --comparison.")
    ] = None,
    comparison: Annotated[
        Path | None,
        typer.Option(
            "--comparison",
            metavar="FILE",
            help="Decide on what srlm compare --format json printed (- is standard input), and not on a run.",
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option("--judge", help="Who is asked about the policy's pinned pairs: as for eval, openai:NAME, M2, ..."),
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.text,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Also write JUnit XML.")] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            "--summary", metavar="FILE", help="Also put Markdown at the end of FILE, such as $GITHUB_STEP_SUMMARY."
        ),
    ] = None,
    max_connections: MaxConnections = None,
    timeout: Timeout = None,
    max_cost: MaxCost = None,
    estimate: Estimate = False,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Decide by a policy whether a model may replace another one, for CI.

    Exit code 0: it passes. 1: it is significantly worse. 3: inconclusive; the output has the sample size that is
    needed. 4: the judge is broken. 2: the command, the policy or the data cannot be used.
    """
    from evals.gate import decision
    from evals.gate.output.junit import as_junit
    from evals.gate.output.markdown import add_summary
    from evals.gate.policy import load_policy
    from srlm.atomic_files import require_writable, write_text
    from srlm.console import Progress
    from srlm.errors import UsageError

    if junit is not None:
        require_writable(junit, "a report in JUnit's form", lambda begins: "<testsuite" in begins)
    wanted = load_policy(policy)
    found = _compared(comparison, candidate, baseline, run, runs)
    decided = decision.decide(found, candidate, wanted)  # a mistake is said before anybody is asked
    progress = Progress()
    if wanted.judge.calibration is None:
        if judge is not None or estimate:
            raise UsageError(
                f"{policy} has no judge.calibration, so no judge is asked anything: leave --judge and --estimate out."
            )
    else:
        model = _pinned_judge(judge, run, runs, wire_of(max_connections, timeout, progress), max_cost)
        asked = _ask_again(found, wanted, policy, model, estimate, progress)
        if asked is None:
            return
        decided = decision.decide(found, candidate, wanted, asked)
    if junit is not None:
        write_text(junit, as_junit(decided))
    if summary is not None:
        add_summary(summary, decided)
    _print(decided, format)
    raise typer.Exit(decided.exit_code)


def _compared(
    comparison: Path | None, candidate: str, baseline: str | None, run: str | None, runs: Path
) -> "ComparisonJson":
    """The comparison of a file, or of a run's results."""
    from evals.compare.comparison import compare_models
    from evals.gate.comparison_json import from_comparison, read_comparison
    from evals.suites import load_results
    from srlm.errors import UsageError
    from srlm.runs import open_run

    if comparison is None:
        if baseline is None:
            raise UsageError("Say whose place the candidate would take: --baseline M1")
        return from_comparison(compare_models(load_results(open_run(runs, run)), [baseline, candidate], baseline))
    found = read_comparison(comparison)
    if baseline not in (None, found.baseline):
        raise UsageError(
            f"{comparison} compares with {found.baseline}, and --baseline is {baseline}. Make it with that one: "
            f"srlm compare {shlex.join([candidate, '--baseline', str(baseline)])} --format json"
        )
    return found


def _pinned_judge(
    judge: str | None, run: str | None, runs: Path, wire: "ClientConfig", max_cost: float | None
) -> "EvalModel":
    from srlm.errors import UsageError

    if judge is None:
        raise UsageError("The policy has a calibration set: name the judge that was pinned, to be asked again: --judge")
    return named_model(judge, run, runs, wire, max_cost)


def _ask_again(
    found: "ComparisonJson", policy: "Policy", path: Path, model: "EvalModel", only: bool, progress: "Progress"
) -> "DriftResult | None":
    """What the judge says of its pinned pairs today; None if only the estimate was wanted."""
    from evals.gate.judge_drift import measure_drift, read_pinned_verdicts, refuse_other_judges

    wanted = policy.judge.calibration
    if wanted is None:
        return None
    pinned = read_pinned_verdicts(path.parent / wanted.file)
    refuse_other_judges(pinned, found, found.suites(rule.metric for rule in policy.rules))

    def work(engine: "Engine", calls: "Ledger", progress: "Progress") -> "DriftResult":
        return measure_drift(engine, pinned, calls, risk=policy.risk, progress=progress)

    # Into a ledger of its own: whatever a run's ledger knows are the answers of the past.
    with TemporaryDirectory() as folder:
        return done_with(work, model, Path(folder) / "ledger.sqlite", only, progress)


def _print(decided: "Decision", format: Format) -> None:
    from evals.gate.output.json import as_json
    from evals.gate.output.markdown import as_markdown
    from evals.gate.output.terminal import print_decision
    from srlm.console import say, say_data, stdout

    if format is Format.text:
        print_decision(stdout(), decided)
    elif format is Format.json:
        say_data(as_json(decided))
    else:
        say(as_markdown(decided))


def init(
    output: Annotated[Path, typer.Option("--output", help="Where the policy is written.")] = Path("gate.yaml"),
) -> None:
    """Write a policy to begin with: sensible defaults, and a comment for each line. Never over a file."""
    from importlib.resources import files

    from srlm.atomic_files import write_text
    from srlm.console import say

    _refuse_existing(output)
    write_text(output, (files("evals.gate") / "template.yaml").read_text(encoding="utf-8"))
    trial = f"srlm gate CANDIDATE --baseline M1 --policy {shlex.quote(str(output))}"
    say(f"{output} is a policy to begin with. Try it: {trial}")


def pin(
    spec: Annotated[
        str,
        typer.Argument(metavar="SPEC", help="smollm2, a folder, hf:NAME, openai:NAME[@ADDRESS], or a run's name (M2)."),
    ],
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs", help="Labelled pairs, as for srlm judge card (docs/explain/judges.md); our own by default."
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MAX_ITEMS, help="Use at most so many pairs.")] = 60,
    output: Annotated[Path, typer.Option("--output", help="Where the calibration set is written.")] = Path(
        "calibration.json"
    ),
    max_connections: MaxConnections = None,
    timeout: Timeout = None,
    max_cost: MaxCost = None,
    estimate: Estimate = False,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Pin a judge: write what it says of labelled pairs, so that later gates see when it moves. Never over a file."""
    from evals.gate.judge_drift import pin_judge
    from srlm.console import Progress, say
    from srlm.jsonl import without_nan, write_json
    from srlm.judges.preference_data import load_labelled

    if not estimate:
        _refuse_existing(output)
    labelled = load_labelled(pairs)
    progress = Progress()
    if labelled.skipped_message:
        progress.say(labelled.skipped_message)
    model = named_model(spec, run, runs, wire_of(max_connections, timeout, progress), max_cost)

    def work(engine: "Engine", calls: "Ledger", progress: "Progress") -> "PinnedVerdicts":
        return pin_judge(engine, labelled, calls, limit=limit, progress=progress)

    with TemporaryDirectory() as folder:
        found = done_with(work, model, Path(folder) / "ledger.sqlite", estimate, progress)
    if found is None:
        return
    write_json(output, without_nan(asdict(found)))
    say(
        f"{output} has the verdicts of {found.judge} on {len(found.pairs)} labelled pairs. Name it in the policy: "
        "judge: {calibration: {file: " + output.name + "}}"
    )


def _refuse_existing(output: Path) -> None:
    from srlm.errors import UsageError

    if output.exists():
        raise UsageError(f"{output} is there already, and is not written over. Move it away, or name another: --output")
