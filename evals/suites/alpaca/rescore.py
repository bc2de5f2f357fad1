"""Win rates out of somebody's annotations, without one call: what `srlm eval --annotations FILE` prints.

The raw win rate is the mean preference for the model, the discrete one the share of wins with draws as halves, both as
on AlpacaEval's leaderboard; `evals.suites.alpaca.length_control` fits the third. Beside them stands all that the file lacks: records
without a preference are left out of a figure's n, and counted.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.suites.alpaca.files import DRAW, PUBLISHED_ANNOTATOR, Annotations
from evals.suites.alpaca.length_control import (
    ERROR,
    AlpacaDifficulties,
    LengthControlled,
    Places,
    Way,
    length_controlled,
)
from srlm.errors import UsageError
from srlm.jsonl import without_nan
from srlm.seeding import model_first
from srlm.stats.intervals import Estimate, Floats, mean_interval

if TYPE_CHECKING:
    from rich.table import Table

SAME = 1e-9
"""Preferences nearer than this are one: annotations are written with ten digits."""


@dataclass(frozen=True)
class Counts:
    """What the records are, and what they lack.

    `absent` are the places, from 1, of prompts without a record, where the benchmark's prompts are known.
    `model_first` pairs were shown to the judge with the model first, by alpaca_eval's rule; `turned` records name the
    model first. `by_tokens` have log-probabilities, `by_tokens_differ` of which give another preference than is stored.
    """

    records: int
    prompts: int | None
    absent: tuple[int, ...] | None
    without_preference: int
    identical_outputs: int
    empty_outputs: int
    model_first: int
    turned: int
    by_tokens: int
    by_tokens_differ: int
    largest_difference: float


@dataclass(frozen=True)
class Recomputed:
    """The figures of one model against one baseline; rates as fractions, lengths in characters."""

    model: str
    baseline: str
    annotator: str
    win_rate: Estimate
    discrete_win_rate: Estimate
    wins: int
    draws: int
    losses: int
    length_controlled: LengthControlled
    length: float
    baseline_length: float
    counts: Counts


def recompute(
    annotations: Annotations, gamed: AlpacaDifficulties | None = None, instructions: Sequence[str] | None = None
) -> Recomputed:
    """All win rates of a file of annotations.

    Args:
        annotations: of one model.
        gamed: AlpacaEval's difficulties, for its own length control.
        instructions: the benchmark's, in its order; without them a record's place in the file is its prompt's, as in
            alpaca_eval.

    Raises:
        UsageError: a record's instruction is not among them, or a prompt has no difficulty.
    """
    rows = annotations.rows
    places = _places(annotations, instructions)
    if gamed is not None and places.max() >= gamed.difficulty.size:
        raise UsageError(
            f"The --gamed file has difficulties of {gamed.difficulty.size} prompts, and there are {places.max() + 1}. "
            "Leave it out, or give the annotations of its benchmark."
        )
    gaps, preferences = arrays(annotations)
    rated = preferences[~np.isnan(preferences)]
    discrete = (np.sign(rated - DRAW) + 1) / 2
    return Recomputed(
        annotations.model,
        annotations.baseline,
        annotations.annotator,
        mean_interval(rated),
        mean_interval(discrete),
        int((discrete == 1).sum()),
        int((discrete == DRAW).sum()),
        int((discrete == 0).sum()),
        length_controlled(gaps, preferences, gamed, places, way=_way(annotations, gamed)),
        float(np.mean([len(row.model_output) for row in rows])),
        float(np.mean([len(row.baseline_output) for row in rows])),
        _counts(annotations, gamed, instructions, places),
    )


def arrays(annotations: Annotations) -> tuple[Floats, Floats]:
    """What length control takes: the gaps in characters, and the preferences, nan where one is missing."""
    rows = annotations.rows
    gaps = np.array([float(len(row.baseline_output) - len(row.model_output)) for row in rows])
    return gaps, np.array([nan if row.preference is None else row.preference for row in rows])


def _way(annotations: Annotations, gamed: AlpacaDifficulties | None) -> Way:
    if gamed is not None:
        return "published"
    return "held" if annotations.annotator == PUBLISHED_ANNOTATOR else "fitted"


def _places(annotations: Annotations, instructions: Sequence[str] | None) -> Places:
    if instructions is None:
        return np.arange(len(annotations.rows))
    place = {instruction: number for number, instruction in enumerate(instructions)}
    for number, row in enumerate(annotations.rows, start=1):
        if row.instruction not in place:
            raise UsageError(
                f"Record {number} of the annotations has an instruction that the --prompts file lacks. "
                "Give the prompts that the annotations were made with."
            )
    return np.array([place[row.instruction] for row in annotations.rows])


def _counts(
    annotations: Annotations, gamed: AlpacaDifficulties | None, instructions: Sequence[str] | None, places: Places
) -> Counts:
    rows = annotations.rows
    gaps = [
        abs(row.by_tokens - row.preference) for row in rows if row.by_tokens is not None and row.preference is not None
    ]
    prompts = gamed.difficulty.size if gamed is not None else None
    absent = None
    if instructions is not None:
        prompts = len(instructions)
        absent = tuple(sorted(set(range(1, prompts + 1)) - {int(place) + 1 for place in places}))
    return Counts(
        records=len(rows),
        prompts=prompts,
        absent=absent,
        without_preference=sum(row.preference is None for row in rows),
        identical_outputs=sum(row.baseline_output == row.model_output for row in rows),
        empty_outputs=sum(not row.model_output for row in rows),
        model_first=sum(model_first(row.instruction) for row in rows),
        turned=sum(row.turned for row in rows),
        by_tokens=len(gaps),
        by_tokens_differ=sum(gap > SAME for gap in gaps),
        largest_difference=max(gaps, default=nan),
    )


def as_table(found: Recomputed) -> "Table":
    """The figures in percent."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(f"{found.model} against {found.baseline}"), title_justify="left")
    table.add_column("")
    for column in ("%", "95 % interval", "n"):
        table.add_column(column, justify="right", no_wrap=True)
    for label, one in (
        ("win rate", found.win_rate),
        ("discrete win rate", found.discrete_win_rate),
        ("length-controlled win rate", found.length_controlled.estimate),
    ):
        interval = "-" if isnan(one.low) else f"{100 * one.low:.2f} to {100 * one.high:.2f}"
        table.add_row(label, "-" if isnan(one.value) else f"{100 * one.value:.2f}", interval, str(one.n))
    return table


def captions(found: Recomputed) -> list[str]:
    """What has to be known of the figures, in sentences."""
    judge = f"Judged by {found.annotator or 'a judge without a name'}"
    sizes = f"{found.wins} wins, {found.draws} draws, {found.losses} losses"
    lengths = f"outputs of {found.length:.0f} characters on average, the baseline's of {found.baseline_length:.0f}"
    return [f"{judge}: {sizes}; {lengths}.", _length_caption(found.length_controlled), *_count_captions(found.counts)]


def as_json(found: Recomputed) -> dict[str, Any]:
    """All of it as data; rates as fractions, undefined figures null."""
    data: dict[str, Any] = without_nan({"schema": 1, **asdict(found)})
    del data["length_controlled"]["resampled"]
    data["length_controlled"]["error_points"] = ERROR[found.length_controlled.way]
    return data


def _length_caption(fit: LengthControlled) -> str:
    if isnan(fit.estimate.value):
        return "There are too few preferences for a length-controlled win rate."
    off = f"On nine models of the leaderboard it is off by at most {ERROR[fit.way]} points."
    if fit.way == "published":
        return (
            f"Length control: AlpacaEval's, weights {fit.length:.2f} (length), {fit.difficulty:.2f} (difficulty), "
            f"{fit.own:.2f} (own), C = {fit.strength:.3g}. {off}"
        )
    without = "Length control: without AlpacaEval's difficulties (--gamed), the weight of the length"
    if fit.way == "held":
        return f"{without} held at {fit.length:.2f}. {off}"
    return f"{without} fitted ({fit.length:.2f}). {off} Trust it only where lengths are alike."


def _count_captions(counts: Counts) -> list[str]:
    lines = [
        f"{counts.records} records: {counts.without_preference} without a preference, {counts.identical_outputs} with "
        f"identical outputs, {counts.empty_outputs} with an empty output; by alpaca_eval's rule the judge saw the "
        f"model first in {counts.model_first}."
    ]
    if counts.by_tokens:
        differ = f", but for {counts.by_tokens_differ}" if counts.by_tokens_differ else ""
        lines.append(
            f"The judge's log-probabilities, in {counts.by_tokens} records, give the same preferences{differ} "
            f"(largest difference {counts.largest_difference:.1g})."
        )
    else:
        lines.append("No record has the judge's log-probabilities: the preferences are taken as they are.")
    if counts.turned:
        lines.append(f"{counts.turned} records name the model first; they were turned round.")
    missing = (counts.prompts or counts.records) - counts.records
    if missing:
        places = ", ".join(map(str, (counts.absent or ())[:10])) + (", ..." if missing > 10 else "")
        which = f" ({places})" if counts.absent else ""
        lines.append(f"Attention: {missing} of {counts.prompts} prompts have no record{which}; no figure counts them.")
        if counts.absent is None:
            lines.append(
                "Difficulties are taken by place in the file, as AlpacaEval does: from the first gap on they are those "
                "of other prompts. Give --prompts to have the right ones."
            )
    return lines
