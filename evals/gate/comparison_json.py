"""Schema of the comparison that a decision is made from: the JSON of `srlm compare` (docs/reference/formats.md).

A comparison of a run's results goes through the same JSON as one from a file, so that both give the same decision.
Keys of later versions are ignored.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.compare.comparison import Comparison
from evals.compare.export.json import as_json
from evals.metric import Direction
from evals.note import Note, parse_notes
from evals.results import judge_name
from srlm.errors import DataError
from srlm.jsonl import explain, refuse_newer
from srlm.read_json import json_value
from srlm.read_text import read_text, text_of


class Part(BaseModel):
    """A part of the JSON: frozen, and open to unknown keys."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, allow_inf_nan=False)


class Value(Part):
    """A value with its 95 % interval; None where it is undefined. `clusters` counts prompts."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int


class Difference(Value):
    """A candidate less the baseline, on the prompts that both have.

    Wins, ties and losses count items, `n` in all; all are 0 for a metric that is no mean of items. `standard_error` is
    given where it cannot be computed from the interval, because that is asymmetric.
    """

    wins: int
    ties: int
    losses: int
    standard_error: float | None = None


class Cell(Value):
    """One model's value."""

    difference: Difference | None = None


class Row(Part):
    """One metric and its suite. `unit` is that of the JSON: fraction, characters, ..."""

    key: str
    suite: str
    label: str
    unit: str
    better: Direction
    models: dict[str, Cell]


class Card(Part):
    """The values of a judge card on which a policy may have requirements."""

    agreement: Value
    consistency: Value
    read: float | None


class Judge(Part):
    """The judge of a suite's answers."""

    suite: str
    judge: str
    rubric: str
    card: Card | None

    @property
    def name(self) -> str:
        """Return the judge's name without its identity."""
        return judge_name(self.judge)


class ComparisonJson(Part):
    """A whole comparison."""

    schema_version: Literal[1] = Field(alias="schema")
    baseline: str
    models: tuple[str, ...]
    metrics: tuple[Row, ...]
    captions: tuple[str, ...]
    distrusted: dict[str, str]
    judges: tuple[Judge, ...]

    @property
    def warnings(self) -> list[Note]:
        """Return the captions that are warnings."""
        return [one for one in parse_notes(self.captions, self.models) if one.kind == "warning"]

    def suites(self, metrics: Iterable[str]) -> list[str]:
        """Return the suites of these metrics, each once."""
        of = {row.key: row.suite for row in self.metrics}
        return list(dict.fromkeys(of[metric] for metric in metrics if metric in of))


def from_comparison(comparison: Comparison) -> ComparisonJson:
    """Convert a comparison to what its JSON holds."""
    return ComparisonJson.model_validate_json(as_json(comparison))


def read_comparison(path: Path) -> ComparisonJson:
    """Read a comparison from a file; "-" is standard input.

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
        return ComparisonJson.model_validate(data)
    except (ValidationError, OverflowError) as error:
        raise DataError(
            name, f"is no comparison of this version ({explain(error)}). Make it again: srlm compare --format json"
        ) from None
