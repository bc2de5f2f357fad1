"""`srlm gate CANDIDATE`: may it replace the baseline? `gate init` writes a policy, `gate pin` pins a judge."""

import shlex
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srlm.cli.options import (
    DEFAULT_RUNS,
    MAX_ITEMS,
    AlpacaDifficulties,
    Estimate,
    MaxConnections,
    MaxCost,
    Prompts,
    Repeats,
    RunName,
    Runs,
    Timeout,
    print_estimate,
)

if TYPE_CHECKING:
    from evals.gate.decision import Decision


class Format(StrEnum):
    """Formats of the output."""

    text = "text"
    markdown = "markdown"
    json = "json"


def gate(
    candidate: Annotated[
        str,
        typer.Argument(
            metavar="CANDIDATE",
            help="The model to decide about, such as M2, or a file of its results, as srlm compare reads them.",
        ),
    ],
    policy: Annotated[
        Path, typer.Option("--policy", metavar="FILE", help="Requirements; srlm gate init writes a template.")
    ] = Path("gate.yaml"),
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", help="The model that it would replace, or its file; that of --comparison."),
    ] = None,
    comparison: Annotated[
        Path | None,
        typer.Option(
            "--comparison",
            metavar="FILE",
            help="Output of srlm compare --format json to decide on, in place of a run; - is standard input.",
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge", help="The judge that was pinned, where the policy has a calibration set: openai:NAME, M2, ..."
        ),
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.text,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Also write JUnit XML.")] = None,
    summary: Annotated[
        Path | None,
        typer.Option("--summary", metavar="FILE", help="Also append Markdown to FILE, such as $GITHUB_STEP_SUMMARY."),
    ] = None,
    prompts: Prompts = None,
    repeats: Repeats = None,
    alpaca_difficulties: AlpacaDifficulties = None,
    max_connections: MaxConnections = None,
    timeout: Timeout = None,
    max_cost: MaxCost = None,
    estimate: Estimate = False,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Decide by a policy whether a model may replace another one.

    Exit code 0: it passes. 1: it is significantly worse. 3: inconclusive; the output has the sample size that is
    needed. 4: the judge is broken. 2: the command, the policy or the data cannot be used.
    """
    from srlm import api
    from srlm.atomic_files import require_writable

    if junit is not None:
        require_writable(junit, "a report in JUnit's form", lambda begins: "<testsuite" in begins)
    work = partial(
        api.gate,
        candidate,
        baseline,
        policy,
        comparison=comparison,
        judge=judge,
        run=run,
        runs=runs,
        prompts=prompts,
        repeats=None if repeats is None else repeats.value,
        alpaca_difficulties=alpaca_difficulties,
        max_connections=max_connections,
        timeout=timeout,
        max_cost=max_cost,
    )
    if estimate:
        print_estimate(work)
        return
    decided = work()
    _write_reports(decided, junit, summary)
    _print(decided, format)
    raise typer.Exit(decided.exit_code)


def _write_reports(decided: "Decision", junit: Path | None, summary: Path | None) -> None:
    from evals.gate.output.junit import as_junit
    from evals.gate.output.markdown import add_summary
    from srlm.atomic_files import write_text

    if junit is not None:
        write_text(junit, as_junit(decided))
    if summary is not None:
        add_summary(summary, decided)


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
    output: Annotated[Path, typer.Option("--output", help="File of the policy.")] = Path("gate.yaml"),
) -> None:
    """Write a policy to begin with, with a comment for each line. An existing file is not overwritten."""
    from importlib.resources import files

    from srlm.api.gating import refuse_existing
    from srlm.atomic_files import write_text
    from srlm.console import say

    refuse_existing(output)
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
    output: Annotated[Path, typer.Option("--output", help="File of the calibration set.")] = Path("calibration.json"),
    max_connections: MaxConnections = None,
    timeout: Timeout = None,
    max_cost: MaxCost = None,
    estimate: Estimate = False,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Store a judge's verdicts, so that later gates detect drift.

    The verdicts are on labelled pairs, in both orders. An existing file is not overwritten.
    """
    from srlm import api
    from srlm.console import say

    work = partial(
        api.pin_judge,
        spec,
        output,
        pairs=pairs,
        limit=limit,
        run=run,
        runs=runs,
        max_connections=max_connections,
        timeout=timeout,
        max_cost=max_cost,
    )
    if estimate:
        print_estimate(work)
        return
    found = work()
    say(
        f"{output} has the verdicts of {found.judge} on {len(found.pairs)} labelled pairs. Name it in the policy: "
        "judge: {calibration: {file: " + output.name + "}}"
    )
