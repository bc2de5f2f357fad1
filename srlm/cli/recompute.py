"""What `srlm eval --annotations FILE` prints: figures out of somebody's verdicts, without a model or a run."""

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table


class Format(StrEnum):
    """How figures out of annotations are printed."""

    table = "table"
    json = "json"


def recompute_alpaca(annotations: Path, gamed: Path | None, prompts: Path | None, format: Format) -> None:
    """Win rates out of AlpacaEval's annotations.json."""
    from evals.alpaca_files import read_annotations, read_gamed, read_outputs
    from evals.recomputed import as_json, as_table, captions, recompute

    found = recompute(
        read_annotations(annotations),
        read_gamed(gamed) if gamed else None,
        [one.instruction for one in read_outputs(prompts)] if prompts else None,
    )
    if format is Format.json:
        _print_json(as_json(found))
        return
    _print(as_table(found), captions(found))


def recompute_mt_bench(annotations: Path, prompts: Path | None, format: Format) -> None:
    """Mean grades out of FastChat's judgements."""
    from evals.mt_bench import NUMBERED
    from evals.mt_bench_files import read_judgements, read_questions
    from evals.mt_bench_recomputed import as_json, as_table, captions, recompute

    categories = {one.id: one.category for one in read_questions(prompts)} if prompts else NUMBERED
    found = recompute(read_judgements(annotations, categories), categories)
    if format is Format.json:
        _print_json(as_json(found))
        return
    for one in found:
        _print(as_table(one), captions(one))


def _print(table: "Table", captions: Sequence[str]) -> None:
    from srlm.display import stdout

    stdout().print(table)
    for line in captions:
        stdout().print(line, style="dim", soft_wrap=True, markup=False)


def _print_json(data: dict[str, Any]) -> None:
    typer.echo(json.dumps(data, ensure_ascii=False, indent=2))
