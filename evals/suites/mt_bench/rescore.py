"""MT-Bench out of somebody's judgements, without one call: `srlm eval --suite mt-bench --annotations FILE`.

The means are FastChat's, to the last digit (`evals.suites.mt_bench.data`). Beside them stands what the file lacks: a turn without a
readable grade or without a record is in no mean, is counted in every row, and could have moved it by so much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from evals.suites.mt_bench.data import NUMBERED, SCALE
from evals.suites.mt_bench.files import Judgement, Judgements
from evals.suites.mt_bench.grades import LABELS, MeanGrades, mean_grades
from evals.suites.mt_bench.importer import grades_of, state_of
from srlm.jsonl import without_nan
from srlm.stats.intervals import Estimate

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Counts:
    """What the records of a model are, and what they lack.

    `turns` are those that the questions have. `unread` judgements hold no grade, `failed` calls brought none, `absent`
    turns have no record. `differ` records have a score other than FastChat's rule finds in their words, and
    `off_scale` ones are a 0.
    """

    turns: int
    records: int
    unread: int
    failed: int
    absent: int
    differ: int
    off_scale: int


@dataclass(frozen=True)
class Recomputed:
    """One model's figures, by "overall", group and category."""

    model: str
    judge: str
    figures: dict[str, MeanGrades]
    counts: Counts


def recompute(judgements: Judgements, categories: Mapping[int, str] = NUMBERED) -> list[Recomputed]:
    """The figures of each model in a file of judgements.

    Args:
        judgements: of one judge.
        categories: of the questions that there are, by number; each has two turns.
    """
    return [
        Recomputed(model, judgements.judge, mean_grades(grades_of(given, categories)), _counts(given, categories))
        for model, given in judgements.models.items()
    ]


def as_table(found: Recomputed) -> "Table":
    """The figures of one model, a row each."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(f"MT-Bench of {found.model}, graded by {found.judge}"), title_justify="left")
    table.add_column("")
    for column in ("1-10", "95 % interval", "n", "missing", "turn 1", "turn 2"):
        table.add_column(column, justify="right", no_wrap=True)
    for key, one in found.figures.items():
        interval = "-" if isnan(one.both.low) else f"{one.both.low:.2f} to {one.both.high:.2f}"
        row = (_grade(one.both), interval, str(one.both.n), str(one.missing), _grade(one.turn_1), _grade(one.turn_2))
        table.add_row(escape(LABELS.get(key, key)), *row)
    return table


def captions(found: Recomputed) -> list[str]:
    """What has to be known of the figures, in sentences."""
    counts, overall = found.counts, found.figures["overall"]
    lines = [
        f"{counts.records} judgements of {counts.turns} turns, {overall.both.n} with a grade; intervals are clustered "
        f"by question ({overall.both.clusters})."
    ]
    if counts.differ:
        lines.append(
            f"Attention: {counts.differ} scores are not what FastChat's rule finds in the judge's words; the scores "
            "count, as they do there."
        )
    if counts.off_scale:
        lines.append(f"Attention: {counts.off_scale} scores are a 0, below the scale; they count, as in FastChat.")
    if overall.missing:
        low, high = overall.limits
        would = f", and the overall mean would lie between {low:.2f} and {high:.2f} with them" if overall.both.n else ""
        lines.append(
            f"Attention: {overall.missing} of {counts.turns} turns have no grade ({counts.unread} unread, "
            f"{counts.failed} failed, {counts.absent} without a record). No mean counts them{would}."
        )
    return lines


def as_json(found: Sequence[Recomputed]) -> dict[str, Any]:
    """All of it as data; undefined figures null."""
    data: dict[str, Any] = without_nan(
        {"schema": 1, "suite": "mt-bench", "judge": found[0].judge, "models": [asdict(one) for one in found]}
    )
    return data


def _grade(one: Estimate) -> str:
    return "-" if isnan(one.value) else f"{one.value:.2f}"


def _counts(given: Sequence[Judgement], categories: Mapping[int, str]) -> Counts:
    states = [state_of(one) for one in given]
    return Counts(
        turns=2 * len(categories),
        records=len(given),
        unread=states.count("unparsed"),
        failed=states.count("failed"),
        absent=2 * len(categories) - len(given),
        differ=sum(one.score != one.by_text for one in given),
        off_scale=sum(one.score is not None and one.score < SCALE[0] for one in given),
    )
