"""What the self-rewarding paper printed (arXiv 2401.10020), as data: results/published, one file a table.

Each table says where its figures stand in the paper, and of each column, or row, whether it is printed there, derived
from what is printed, or unverified: remembered by us, and not seen. Nothing unverified is ever set beside a result.

Left out: the figures of the paper that are drawn without values (4 and 11).
"""

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from evals.metric import Reference
from evals.suites.mt_bench.data import CATEGORIES
from srlm.errors import DataError, UnknownName
from srlm.jsonl import explain

PAPER = "arXiv 2401.10020"
PACKAGED = "published_tables"
FOLDER = Path(__file__).parents[2] / "results" / "published"
"""Where the tables are: in a folder of the installed package, where pyproject.toml puts them, or in a clone."""

Status = Literal["printed", "derived", "unverified"]
Unit = Literal[
    "name", "count", "flag", "percent", "fraction", "grade", "correlation", "characters", "elo", "p value", "number"
]
Value = str | int | float | None

_KINDS: dict[str, type | tuple[type, ...]] = {"name": str, "count": int, "flag": int}
"""What a value of a unit must be; a number, for those that are not here."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Source(_Frozen):
    """Which paper or leaderboard, which version of it, and where in it."""

    paper: str
    version: str
    where: str
    arxiv: str | None = None


class Column(_Frozen):
    """The unit of a column, and whether its figures are printed."""

    unit: Unit
    status: Status


class Table(_Frozen):
    """A published table. `n` is how many prompts, questions or answers the figures are of, where there is one number.

    A row has a value for each column, None where the paper has none, and may have a `status` that holds for the row.
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
                if value is not None and not isinstance(value, _KINDS.get(column.unit, (int, float))):
                    raise ValueError(f"row {number}: {name} is no {column.unit}")
        return self

    def status(self, row: dict[str, Value], column: str) -> str:
        """Whether a value is printed, derived or unverified: what its row says, or its column."""
        return str(row.get("status", self.columns[column].status))

    def printed(self, column: str, by: str = "model") -> dict[str, float]:
        """The printed figures of a column, by the name of their row."""
        return {
            str(row[by]): float(value)
            for row in self.rows
            if isinstance(value := row[column], int | float) and self.status(row, column) == "printed"
        }


def names() -> list[str]:
    """The tables that there are, such as table-4."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _folder().iterdir() if entry.name.endswith(".yaml"))


@cache
def table(name: str) -> Table:
    """A table by its name.

    Raises:
        UnknownName: there is none of this name; says which there are.
        DataError: its file is damaged.
    """
    if name not in names():
        raise UnknownName("The published table", name, names())
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
"""The table and column in which the paper has one of our metrics. Figures of pairs of models are in `evals.compare.paper`."""


def reference(metric: str, models: Sequence[str]) -> Reference | None:
    """What the paper printed for a metric of models that are called as its own; None where it printed nothing."""
    if metric not in PLACES:
        return None
    name, column = PLACES[metric]
    found = table(name)
    scale = 0.01 if found.columns[column].unit == "percent" else 1.0
    printed = found.printed(column)
    values = {model: scale * printed[model] for model in models if model in printed}
    return Reference(found.source.where, values) if values else None
