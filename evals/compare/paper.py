"""The values that the self-rewarding paper reports (arXiv 2401.10020), shown by `--reference paper`.

They are stored in results/published, one YAML file a table. Each table names its place in the paper, and marks each
column or row as printed there, derived from printed values, or unverified (remembered, and not checked). Unverified
values are never shown. They appear next to models that have the names of the paper's models: M0, SFT, M1, M2 and M3.
Head-to-head counts belong to pairs of models (Figure 3), and are shown for the pair of the same names in either order.

Left out: figures that the paper draws without values (4 and 11).
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from evals.compare.comparison import Comparison
from evals.metric import ExtraTable, Metric, Reference
from evals.note import caption
from evals.suites.mt_bench.data import CATEGORIES
from srlm.errors import DataError, UnknownName
from srlm.jsonl import explain

PAPER = "arXiv 2401.10020"
PACKAGED = "published_tables"
FOLDER = Path(__file__).parents[2] / "results" / "published"
"""The folder of the tables: in the installed package, where pyproject.toml puts them, or in a clone."""

CAPTION = (
    f"Paper: printed in {PAPER} for its own models of these names, or derived from it, at the places that are named. "
    "Not comparable one to one: there it is Llama 2 70B, judged by GPT-4 with other prompts (AlpacaEval 2.0 against "
    "GPT-4 Turbo), and other ranked answers; the weight of a tie in its scores, its kind of Kendall's tau and which "
    "accuracies of NLP tasks are normalised is not stated. No test is made against it."
)
NOTHING = f"The paper ({PAPER}) has no values of these metrics for models of these names; it has SFT, M1, M2 and M3."
DERIVED = "derived from Figure 3"
COUNTS = {"pair_wins": "win", "pair_ties": "tie", "pair_losses": "loss"}
"""The column of Figure 3 for a row of our table of pairs."""
SWAPPED = {"win": "loss", "tie": "tie", "loss": "win"}

PLACES = {
    "win_rate": ("table-1", "win_rate"),
    "length": ("alpaca-lengths", "length"),
    "mt_bench": ("table-2", "overall"),
    "mt_bench_math_code_reasoning": ("table-2", "math_code_reasoning"),
    "mt_bench_hum_extr_stem_role_writ": ("table-2", "hum_extr_stem_role_writ"),
    **{f"mt_bench_{name}": ("table-10", name) for name in CATEGORIES},
    "rm_pairwise": ("table-4", "pairwise_accuracy"),
    "rm_five_best": ("table-4", "five_best"),
    "rm_exact": ("table-4", "exact_match"),
    "rm_spearman": ("table-4", "spearman"),
    "rm_kendall": ("table-4", "kendall_tau"),
    "nlp_arc_easy_acc": ("table-9", "arc_easy"),
    "nlp_arc_challenge_acc_norm": ("table-9", "arc_challenge"),
    "nlp_hellaswag_acc_norm": ("table-9", "hellaswag"),
    "nlp_social_iqa_acc": ("table-9", "siqa"),
    "nlp_piqa_acc": ("table-9", "piqa"),
    "nlp_gsm8k_exact_match_strict-match": ("table-9", "gsm8k"),
    "nlp_mmlu_acc": ("table-9", "mmlu"),
    "nlp_openbookqa_acc_norm": ("table-9", "obqa"),
    "nlp_nq_open_exact_match_remove_whitespace": ("table-9", "nq"),
}
"""The table and column in which the paper has one of our metrics; pairs of models are in figure-3."""

Status = Literal["printed", "derived", "unverified"]
ColumnUnit = Literal[
    "name", "count", "flag", "percent", "fraction", "grade", "correlation", "characters", "elo", "p value", "number"
]
Value = str | int | float | None

_TYPES: dict[str, type | tuple[type, ...]] = {"name": str, "count": int, "flag": int}
"""The type of a value by its unit; a number for all other units."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Source(_Frozen):
    """A paper or leaderboard, its version, and the place in it."""

    paper: str
    version: str
    where: str
    arxiv: str | None = None


class Column(_Frozen):
    """The unit of a column, and the status of its values."""

    unit: ColumnUnit
    status: Status


class Table(_Frozen):
    """A published table. `n` is the number of prompts, questions or answers behind the values, where there is one.

    A row has a value for each column, None where the paper has none, and may have a `status` of its own.
    """

    what: str
    source: Source
    columns: dict[str, Column]
    rows: tuple[dict[str, Value], ...]
    n: int | None = None
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _rows_fit(self) -> "Table":
        for number, row in enumerate(self.rows, start=1):
            if row.keys() - {"status"} != self.columns.keys():
                raise ValueError(f"row {number} does not have the table's columns")
            if row.get("status", "printed") not in ("printed", "derived", "unverified"):
                raise ValueError(f"row {number} has the status {row['status']!r}")
            for name, column in self.columns.items():
                value = row[name]
                if value is not None and not isinstance(value, _TYPES.get(column.unit, (int, float))):
                    raise ValueError(f"row {number}: {name} is no {column.unit}")
        return self

    def status(self, row: dict[str, Value], column: str) -> str:
        """Return the status of a value: that of its row, or else of its column."""
        return str(row.get("status", self.columns[column].status))

    def printed(self, column: str, by: str = "model") -> dict[str, float]:
        """Return the printed values of a column, by the name of their row."""
        return {
            str(row[by]): float(value)
            for row in self.rows
            if isinstance(value := row[column], int | float) and self.status(row, column) == "printed"
        }


def add_paper_values(comparison: Comparison) -> Comparison:
    """Return the comparison with the paper's values, and a caption that explains them."""
    metrics = [replace(one, paper=_values_of(one.key, comparison)) for one in comparison.metrics]
    tables = [
        replace(one, metrics=[_values_of_pairs(row, one) for row in one.metrics]) for one in comparison.extra_tables
    ]
    found = any(one.paper for one in [*metrics, *(row for one in tables for row in one.metrics)])
    notes = [*comparison.notes, caption(CAPTION if found else NOTHING)]
    return replace(comparison, metrics=metrics, extra_tables=tables, notes=notes)


def _values_of(metric: str, comparison: Comparison) -> Reference | None:
    models, baseline = comparison.models, comparison.baseline
    if metric == "head_to_head":
        scores = {model: score for model in models if (score := pair_score(model, baseline)) is not None}
        return Reference(DERIVED, scores) if scores else None
    if metric == "head_to_head_elo":
        return _elo(models, baseline)
    return reference(metric, models)


def _elo(models: Sequence[str], baseline: str) -> Reference | None:
    """Return the ratings of Figure 3, shifted so that the baseline has 0."""
    elo = {str(row["model"]): float(row["elo"] or 0) for row in load_table("figure-3-elo").rows}
    if baseline not in elo:
        return None
    return Reference(DERIVED, {model: elo[model] - elo[baseline] for model in models if model in elo})


def _values_of_pairs(metric: Metric, table: ExtraTable) -> Metric:
    """Return a row of a table of pairs with the paper's values."""
    values: dict[str, float] = {}
    for column, pair in table.pairs.items():
        found = pair_score(*pair) if metric.key == "pair_score" else pair_count(*pair, COUNTS.get(metric.key))
        values |= {} if found is None else {column: found}
    where = DERIVED if metric.key == "pair_score" else f"{DERIVED}, of {load_table('figure-3').n}"
    return replace(metric, paper=Reference(where, values)) if values else metric


def reference(metric: str, models: Sequence[str]) -> Reference | None:
    """Return the printed values of a metric for models with the paper's names; None where there are none."""
    if metric not in PLACES:
        return None
    name, column = PLACES[metric]
    found = load_table(name)
    scale = 0.01 if found.columns[column].unit == "percent" else 1.0
    printed = found.printed(column)
    values = {model: scale * printed[model] for model in models if model in printed}
    return Reference(found.source.where, values) if values else None


def pair_score(model: str, opponent: str) -> float | None:
    """Return the share of wins plus half of the ties of one of the paper's models against another."""
    scores = {(row["left"], row["right"]): float(row["score"] or 0) for row in load_table("figure-3-scores").rows}
    swapped = scores.get((opponent, model))
    return scores.get((model, opponent), None if swapped is None else round(1 - swapped, 3))


def pair_count(model: str, opponent: str, outcome: str | None) -> float | None:
    """Return the number of prompts on which one of the paper's models has this outcome against another."""
    if outcome is None:
        return None
    for row in load_table("figure-3").rows:
        if (row["left"], row["right"]) in {(model, opponent), (opponent, model)}:
            return float(row[outcome if row["left"] == model else SWAPPED[outcome]] or 0)
    return None


def table_names() -> list[str]:
    """Return the names of all tables, such as table-4."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _folder().iterdir() if entry.name.endswith(".yaml"))


@cache
def load_table(name: str) -> Table:
    """Read a table by its name.

    Raises:
        UnknownName: no table has this name; the message lists those that exist.
        DataError: its file is damaged.
    """
    if name not in table_names():
        raise UnknownName("The published table", name, table_names())
    text = (_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    try:
        data = yaml.safe_load(text)
        return Table.model_validate_json(json.dumps(data))
    except yaml.YAMLError as error:
        raise DataError(Path(f"{name}.yaml"), f"is not YAML ({str(error).splitlines()[0]}).") from None
    except ValidationError as error:
        raise DataError(Path(f"{name}.yaml"), f"{explain(error)}.") from None


def _folder() -> Traversable:
    packaged = files("evals") / PACKAGED
    return packaged if packaged.is_dir() else FOLDER
