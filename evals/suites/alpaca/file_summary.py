"""Counts of AlpacaEval's annotations that no result holds: draws, gaps, log-probabilities, length-control weights."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isnan, nan

from evals.importer import FileSummary, summary_row
from evals.metric import Metric
from evals.settings import Settings, find_setting
from evals.suites.alpaca.files import DRAW, Annotations
from evals.suites.alpaca.length_control import ERROR, AlpacaDifficulties, LengthControlled
from evals.suites.alpaca.metrics import fit_result
from evals.suites.alpaca.result import AlpacaResult
from srlm.jsonl import without_nan
from srlm.seeding import model_first
from srlm.transcript import transcript

SAME = 1e-9
"""Largest difference of preferences that are equal: annotations are written with ten digits."""


@dataclass(frozen=True)
class Counts:
    """Counts of the records, and of what they lack.

    `prompts` are those of the benchmark, as far as they are known. `absent` are the positions, from 1, of prompts
    without a record; None where only their number is known.
    `model_first` pairs were shown to the judge with the model first, by alpaca_eval's rule; `swapped` records name the
    model first. `by_tokens` have log-probabilities, `by_tokens_differ` of which give another preference than is stored.
    """

    records: int
    prompts: int
    absent: tuple[int, ...] | None
    without_preference: int
    identical_outputs: int
    empty_outputs: int
    model_first: int
    swapped: int
    by_tokens: int
    by_tokens_differ: int
    largest_difference: float


def summarize(files: Sequence[Annotations], results: Sequence[AlpacaResult], settings: Settings) -> list[FileSummary]:
    """Summarize each file, with the result that it was converted to."""
    return [_summary(file, result, settings) for file, result in zip(files, results, strict=True)]


def count_records(annotations: Annotations, result: AlpacaResult, difficulties: AlpacaDifficulties | None) -> Counts:
    """Count the records of a file; `result` has all prompts that the files or the benchmark name."""
    rows, known = annotations.rows, len(result.outcomes)
    gaps = [
        abs(row.by_tokens - row.preference) for row in rows if row.by_tokens is not None and row.preference is not None
    ]
    prompts = max(known, 0 if difficulties is None else difficulties.difficulty.size)
    absent = tuple(place for place, one in enumerate(result.outcomes, 1) if not one.verdict_ids)
    return Counts(
        records=len(rows),
        prompts=prompts,
        absent=absent if prompts == known else None,
        without_preference=sum(row.preference is None for row in rows),
        identical_outputs=sum(row.baseline_output == row.model_output for row in rows),
        empty_outputs=sum(not row.model_output for row in rows),
        model_first=sum(model_first(transcript(row)) for row in rows),
        swapped=sum(row.swapped for row in rows),
        by_tokens=len(gaps),
        by_tokens_differ=sum(gap > SAME for gap in gaps),
        largest_difference=max(gaps, default=nan),
    )


def _summary(file: Annotations, result: AlpacaResult, settings: Settings) -> FileSummary:
    difficulties, model = find_setting(settings, AlpacaDifficulties), file.model
    counts = count_records(file, result, difficulties)
    rated = [row.preference for row in file.rows if row.preference is not None]
    draws = sum(one == DRAW for one in rated)
    wins = sum(one > DRAW for one in rated)
    length, baseline_length = (
        sum(map(len, texts)) / len(file.rows)
        for texts in zip(*((row.model_output, row.baseline_output) for row in file.rows), strict=True)
    )
    fit = fit_result(result, difficulties, resamples=0)

    def count(key: str, label: str, value: int, of: int = counts.records, level: int = 1) -> Metric:
        return summary_row(f"alpaca_file_{key}", label, model, value, n=of, level=level)

    rows = (
        count("wins", "wins", wins, len(rated), level=0),
        count("draws", "draws", draws, len(rated), level=0),
        count("losses", "losses", len(rated) - wins - draws, len(rated), level=0),
        count("records", "records", counts.records, counts.prompts, level=0),
        count("without_preference", "without a preference", counts.without_preference),
        count("identical_outputs", "with identical outputs", counts.identical_outputs),
        count("empty_outputs", "with an empty output", counts.empty_outputs),
        count("model_first", "shown with the model first, by alpaca_eval's rule", counts.model_first),
        count("swapped", "that name the model first", counts.swapped),
        count("by_tokens", "with the judge's log-probabilities", counts.by_tokens),
        count("by_tokens_differ", "that give another preference", counts.by_tokens_differ, counts.by_tokens, level=2),
        summary_row("alpaca_file_baseline_length", "the baseline's mean length", model, baseline_length, unit="chars"),
    )
    return FileSummary(
        "alpaca",
        model,
        "AlpacaEval's annotations",
        rows,
        (*_length_captions(model, fit), *_captions(model, counts)),
        without_nan(
            {
                "suite": "alpaca",
                "model": model,
                "baseline": file.baseline,
                "annotator": file.annotator,
                "wins": wins,
                "draws": draws,
                "losses": len(rated) - wins - draws,
                "length": length,
                "baseline_length": baseline_length,
                "length_control": {
                    "way": fit.way,
                    "length": fit.length,
                    "difficulty": fit.difficulty,
                    "own": fit.own,
                    "strength": fit.strength,
                    "error_points": ERROR[fit.way],
                },
                "counts": asdict(counts),
            }
        ),
    )


def _length_captions(model: str, fit: LengthControlled) -> list[str]:
    if isnan(fit.estimate.value):
        return [f"{model} has too few preferences for a length-controlled win rate."]
    strength = "" if isnan(fit.strength) else f", C = {fit.strength:.3g}"
    difficulty = f"{fit.difficulty:.2f} (difficulty), " if fit.way == "published" else ""
    how = {"published": "AlpacaEval's", "held": "length held", "fitted": "length fitted"}[fit.way]
    return [
        f"Weights of {model}'s length control ({how}): {fit.length:.2f} (length), {difficulty}{fit.own:.2f} "
        f"(own){strength}."
    ]


def _captions(model: str, counts: Counts) -> list[str]:
    lines: list[str] = []
    if not counts.by_tokens:
        lines.append(f"No record of {model} has the judge's log-probabilities: the preferences are those of the file.")
    elif counts.by_tokens_differ:
        lines.append(
            f"Attention: {counts.by_tokens_differ} preferences of {model} are not what the judge's log-probabilities "
            f"give (largest difference {counts.largest_difference:.1g}); those of the file count."
        )
    missing = counts.prompts - counts.records
    if missing:
        places = ", ".join(map(str, (counts.absent or ())[:10])) + (", ..." if missing > 10 else "")
        which = f" ({places})" if counts.absent else ""
        lines.append(
            f"Attention: {missing} of {counts.prompts} prompts have no record of {model}{which}; no metric counts them."
        )
        if counts.absent is None:
            lines.append(
                "Difficulties are taken by position in the longest file, as in AlpacaEval: from the first gap on they "
                "are those of other prompts. Give --prompts to have the right ones."
            )
    return lines
