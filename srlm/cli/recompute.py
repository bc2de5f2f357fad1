"""What `srlm eval --annotations FILE` prints: figures out of somebody's verdicts, without a model or a run."""

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


class Format(StrEnum):
    """How figures out of annotations are printed."""

    table = "table"
    json = "json"


def recompute(
    suites: Sequence[str], annotations: Path, gamed: Path | None, prompts: str | None, format: Format
) -> None:
    """The figures of the one suite that is named.

    Raises:
        UsageError: that suite has no files of somebody's verdicts, or the options do not go with it.
    """
    from srlm.errors import UsageError

    if list(suites) == ["alpaca"]:
        _alpaca(annotations, gamed, prompts, format)
    elif list(suites) != ["mt-bench"]:
        raise UsageError("--annotations goes with the suite alpaca or with mt-bench.")
    elif gamed is not None:
        raise UsageError("--gamed is of the suite alpaca; mt-bench has no length control.")
    else:
        _mt_bench(annotations, prompts, format)


def _alpaca(annotations: Path, gamed: Path | None, prompts: str | None, format: Format) -> None:
    from evals.single_turn import outputs_at
    from evals.suites.alpaca.files import read_annotations, read_difficulties
    from evals.suites.alpaca.rescore import as_json, as_table, captions, recompute

    found = recompute(
        read_annotations(annotations),
        read_difficulties(gamed) if gamed else None,
        [one.instruction for one in outputs_at(prompts)] if prompts else None,
    )
    if format is Format.json:
        _print_json(as_json(found))
        return
    _print(as_table(found), captions(found))


def _mt_bench(annotations: Path, prompts: str | None, format: Format) -> None:
    from evals.suites.mt_bench.data import NUMBERED
    from evals.suites.mt_bench.files import read_judgements, read_questions
    from evals.suites.mt_bench.rescore import as_json, as_table, captions, recompute

    categories = {one.id: one.category for one in read_questions(Path(prompts))} if prompts else NUMBERED
    found = recompute(read_judgements(annotations, categories), categories)
    if format is Format.json:
        _print_json(as_json(found))
        return
    for one in found:
        _print(as_table(one), captions(one))


def _print(table: "Table", captions: Sequence[str]) -> None:
    from srlm.console import stdout

    stdout().print(table)
    for line in captions:
        stdout().print(line, style="dim", soft_wrap=True, markup=False)


def _print_json(data: dict[str, Any]) -> None:
    from srlm.console import say_data

    say_data(json.dumps(data, ensure_ascii=False, indent=2))
