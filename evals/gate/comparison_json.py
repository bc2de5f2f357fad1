"""A comparison as `srlm compare --format json` prints it (docs/reference/formats.md): all that a decision is made of.

A comparison that was just made goes through the same JSON as one from a file, so that both give the same decision.
What a later version adds is not looked at.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.compare.comparison import Comparison
from evals.compare.export.json import as_json
from srlm.errors import DataError
from srlm.jsonl import explain, refuse_newer
from srlm.read_json import json_value
from srlm.read_text import read_text, text_of


class Part(BaseModel):
    """A part of the JSON: frozen, and open to keys that it does not know."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, allow_inf_nan=False)


class Figure(Part):
    """A value with its 95 % interval; None where it is undefined. `clusters` counts prompts."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int


class Difference(Figure):
    """A candidate less the baseline, on the prompts that both have.

    Wins, ties and losses count items, `n` in all; all are 0 for a figure that is no mean of items. `standard_error` is
    there where the interval does not show it, being wider on one side.
    """

    wins: int
    ties: int
    losses: int
    standard_error: float | None = None


class Cell(Figure):
    """One model's figure."""

    difference: Difference | None = None


class Row(Part):
    """One metric, and the suite that it was read off.

    `unit` and `better` are those of the JSON: fraction, characters, ...; more, less, neither.
    """

    key: str
    suite: str
    label: str
    unit: str
    better: Literal["more", "less", "neither"]
    models: dict[str, Cell]


class Card(Part):
    """What of a judge's card a policy may ask for."""

    agreement: Figure
    consistency: Figure
    read: float | None


class Judge(Part):
    """Who judged a suite's answers."""

    suite: str
    judge: str
    rubric: str
    card: Card | None


class Compared(Part):
    """The whole comparison."""

    schema_version: Literal[1] = Field(alias="schema")
    baseline: str
    models: tuple[str, ...]
    metrics: tuple[Row, ...]
    captions: tuple[str, ...]
    distrusted: dict[str, str]
    judges: tuple[Judge, ...]

    def suites(self, metrics: Iterable[str]) -> list[str]:
        """Those that metrics were read off, each once."""
        of = {row.key: row.suite for row in self.metrics}
        return list(dict.fromkeys(of[metric] for metric in metrics if metric in of))


def compared(comparison: Comparison) -> Compared:
    """What `srlm compare` found, as its JSON has it."""
    return Compared.model_validate_json(as_json(comparison))


def read_compared(path: Path) -> Compared:
    """A comparison out of a file; "-" is standard input.

    Raises:
        DataError: it cannot be read, or is no comparison of this version.
    """
    name, advice = path, "It is made by: srlm compare --format json"
    if str(path) == "-":
        name = Path("standard input")
        given = getattr(sys.stdin, "buffer", None)
        text = text_of(name, given) if given is not None else sys.stdin.read()
    else:
        text = read_text(path)
    if not text.strip():
        raise DataError(name, f"is empty. {advice}")
    data = json_value(name, text)
    refuse_newer(data, lambda problem: DataError(name, problem))
    try:
        return Compared.model_validate(data)
    except (ValidationError, OverflowError) as error:
        raise DataError(
            name, f"is no comparison of this version ({explain(error)}). Make it anew: srlm compare --format json"
        ) from None
