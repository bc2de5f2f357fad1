"""Reader and writer of alpaca_eval's files: model_outputs.json, annotations.json, df_gamed.csv.

Each may be plain or gzip, the first two a JSON array or JSON Lines. In an annotation `preference` is from 1 (output_1,
the baseline, is better) to 2 (output_2, the model), and null is a missing verdict; here it is from 0 to 1. Some
annotators store 0 for a draw. Where the file has the alternatives of the judge's first token ("m" or "M"), the
preference is computed from them again; which of the two letters was the model follows from the instruction alone, by
the rule of alpaca_eval (docs/reference/formats.md). Errors name the record.

An instruction of these files is one text. That of a conversation is the whole conversation as text, which is what
alpaca_eval's judge can see; our files have the messages too, from which the conversation is read again as it was.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, isfinite
from pathlib import Path
from typing import Any

import numpy as np

from evals.single_turn import Output, messages_field, optional_text, question_of_record
from evals.suites.alpaca.length_control import AlpacaDifficulties
from srlm.errors import DataError
from srlm.json_files import Row, UniqueKeys, read_rows
from srlm.jsonl import write_json
from srlm.read_text import read_text
from srlm.seeding import model_first
from srlm.transcript import transcript
from srlm.types import Message

PUBLISHED_ANNOTATOR = "weighted_alpaca_eval_gpt4_turbo"
"""The judge of AlpacaEval 2.0."""

DRAW = 0.5


@dataclass(frozen=True)
class Annotation:
    """One record of annotations.json, with the baseline first.

    `preference` is for the model, from 0 to 1, None where it is missing; `by_tokens` is the preference by the judge's
    log-probabilities, None where there are none. `swapped` records had the baseline as output_2.
    """

    instruction: str
    baseline_output: str
    model_output: str
    preference: float | None
    by_tokens: float | None = None
    swapped: bool = False
    dataset: str = ""
    context: tuple[Message, ...] = ()


@dataclass(frozen=True)
class Annotations:
    """Third-party annotations of one model against one baseline, in the order of the file."""

    model: str
    baseline: str
    annotator: str
    rows: tuple[Annotation, ...]


@dataclass(frozen=True)
class BenchmarkPrompts:
    """The baseline's outputs on all prompts of the benchmark, in its order: a setting of the importer."""

    outputs: tuple[Output, ...]


def read_annotations(path: Path) -> Annotations:
    """Read annotations of one model against one baseline.

    Raises:
        DataError: a record lacks a field, repeats an instruction, is about other models or another judge, holds an
            invalid preference, or none holds any.
    """
    return annotations_in(read_rows(path))


def annotations_in(records: Sequence[Row]) -> Annotations:
    """Read annotations from the records of a file, of which there is one at least."""
    first = records[0]
    baseline, model = first.text("generator_1"), first.text("generator_2")
    annotator = _annotator(first)
    once = UniqueKeys()
    rows: list[Annotation] = []
    for record in records:
        pair = record.text("generator_1"), record.text("generator_2")
        if pair not in {(baseline, model), (model, baseline)}:
            raise record.error(
                f"is about {pair[1]} against {pair[0]}, the first one about {model} against {baseline}: give each "
                "model a file of its own."
            )
        if _annotator(record) != annotator:
            raise record.error(f"is a verdict of {_annotator(record)}, the first one of {annotator}: one judge a file.")
        row = _annotation(record, swapped=pair != (baseline, model))
        once.add(record, transcript(row), "the instruction")
        rows.append(row)
    if all(row.preference is None for row in rows):
        raise DataError(first.path, "holds no preference: each of its records has null.")
    return Annotations(model, baseline, annotator, tuple(rows))


def write_outputs(path: Path, outputs: Iterable[Output]) -> None:
    """Write model_outputs.json."""
    write_json(
        path,
        [
            {
                "dataset": one.dataset,
                "instruction": transcript(one),
                "output": one.output,
                "generator": one.generator,
                **messages_field(one.context, one.instruction),
            }
            for one in outputs
        ],
    )


def write_annotations(path: Path, annotations: Annotations) -> None:
    """Write annotations.json."""
    write_json(
        path,
        [
            {
                "instruction": transcript(row),
                "dataset": row.dataset,
                "output_1": row.baseline_output,
                "generator_1": annotations.baseline,
                "output_2": row.model_output,
                "generator_2": annotations.model,
                "annotator": annotations.annotator,
                "preference": None if row.preference is None else 1 + row.preference,
                **messages_field(row.context, row.instruction),
            }
            for row in annotations.rows
        ],
    )


def read_difficulties(path: Path) -> AlpacaDifficulties:
    """Read df_gamed.csv.

    Raises:
        DataError: it is no such table, a value is invalid, or a prompt in between has no difficulty.
    """
    difficulty: dict[int, float] = {}
    rows: list[tuple[float, float, float]] = []
    lines = csv.DictReader(read_text(path).splitlines())
    for line in lines:
        number = lines.line_num
        try:
            index, gap, hard = int(line["index"]), float(line["std_delta_len"]), float(line["instruction_difficulty"])
            preference = float(line["preference"]) if line["preference"] else None
        except KeyError as error:
            raise DataError(path, f"the column {error} of alpaca_eval's df_gamed.csv is missing.", number) from None
        except (TypeError, ValueError):
            raise DataError(path, "a value is missing or is not a number.", number) from None
        if not all(map(isfinite, (gap, hard, preference or 0.0))) or not 0 <= (preference or 0.0) <= 1 or index < 0:
            raise DataError(path, "a value is out of range: preferences are between 0 and 1.", number)
        difficulty.setdefault(index, hard)
        if preference is not None:
            rows.append((gap, hard, preference))
    if not rows or sorted(difficulty) != list(range(len(difficulty))):
        raise DataError(path, "does not give each prompt of the benchmark, from index 0 on, a difficulty.")
    gaps, row_difficulty, preferences = np.array(rows).T
    by_prompt = np.array([difficulty[index] for index in range(len(difficulty))])
    return AlpacaDifficulties(by_prompt, np.tanh(gaps), row_difficulty, preferences)


def preference_by_tokens(completion: Any, instruction: str) -> float | None:
    """Return the preference for the model by the log-probabilities of the first token; None without any."""
    try:
        tokens = completion["logprobs"]["content"][0]["top_logprobs"]
        found = {one["token"]: exp(one["logprob"]) for one in tokens if one["token"] in {"m", "M"}}
    except (KeyError, IndexError, TypeError, OverflowError):
        return None
    small, large = found.get("m", 0.0), found.get("M", 0.0)
    if not isfinite(small + large) or small + large <= 0:
        return None
    return (small if model_first(instruction) else large) / (small + large)


def _annotation(record: Row, *, swapped: bool) -> Annotation:
    text, outputs = record.text("instruction"), (record.text("output_1"), record.text("output_2"))
    preference, by_tokens = _preference(record), preference_by_tokens(record.data.get("raw_completion"), text)
    question, _ = question_of_record(record)
    if swapped:
        outputs = outputs[::-1]
        preference, by_tokens = (None if one is None else 1 - one for one in (preference, by_tokens))
    dataset = optional_text(record, "dataset")
    return Annotation(
        question.instruction, *outputs, preference, by_tokens, swapped, dataset=dataset, context=question.context
    )


def _preference(record: Row) -> float | None:
    if "preference" not in record.data:
        raise record.error("the field preference is missing: a number from 1 to 2, or null.")
    value = record.data["preference"]
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and value == 0:
        return DRAW
    if not number or not 1 <= value <= 2:
        raise record.error(f"the preference must be a number from 1 (the baseline) to 2, or null, not {value!r:.40}.")
    return float(value) - 1


def _annotator(record: Row) -> str:
    return optional_text(record, "annotator")
