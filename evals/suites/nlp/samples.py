"""Samples of lm-eval's tasks, from the files that it writes; `ITEMS` of the thousands of items of a task."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evals.results import files_folder
from evals.sample import OutcomeTag, Reply, Sample
from evals.sample_source import SampleSource
from evals.suites.nlp.result import NlpResult
from srlm.errors import DataError
from srlm.jsonl import parse_lines
from srlm.seeding import derive_seed

ITEMS = 60
"""Items of a task, the same for every model."""


def samples(source: SampleSource) -> list[Sample]:
    """Return chosen items of all tasks, each with all models' answers."""
    run, results = source.run, source.results
    prompts: dict[tuple[str, str], str] = {}
    replies: dict[tuple[str, str], list[Reply]] = {}
    for model in results.of(NlpResult):
        for task, rows in _logged(files_folder(run, "nlp", model)).items():
            for row in rows:
                key = (task, str(row.get("doc_id")))
                try:
                    prompts.setdefault(key, _question(row))
                    replies.setdefault(key, []).append(_item(model, row))
                except (AttributeError, TypeError, ValueError, KeyError, OverflowError) as error:
                    folder = files_folder(run, "nlp", model)
                    raise DataError(
                        folder, f"a sample of {task} is none of lm-eval's ({type(error).__name__}); evaluate it again."
                    ) from None
    return [
        Sample(f"{task}/{item}", "nlp", prompts[task, item], tuple(found), category=task)
        for (task, item), found in replies.items()
    ]


def _logged(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the chosen items of each task, from the newest file of its samples."""
    newest: dict[str, Path] = {}
    for path in sorted(folder.rglob("samples_*.jsonl"), key=lambda one: one.name.rpartition("_")[2]):
        newest[path.name.removeprefix("samples_").rpartition("_")[0]] = path
    found: dict[str, list[dict[str, Any]]] = {}
    for task, path in sorted(newest.items()):
        rows = parse_lines(path, dict)
        chosen = sorted(rows, key=lambda row: derive_seed("report", task, row.get("doc_id")))[:ITEMS]
        found[task] = sorted(chosen, key=lambda row: str(row.get("doc_id")))
    return found


def _question(row: Mapping[str, Any]) -> str:
    arguments = row.get("arguments") or {}
    first = arguments.get("gen_args_0", {}) if isinstance(arguments, dict) else {}
    return str(first.get("arg_0", json.dumps(row.get("doc"), ensure_ascii=False)))


def _item(model: str, row: Mapping[str, Any]) -> Reply:
    """Return a model's answer to an item: its text, or the log-probability of each choice."""
    metrics = [str(one) for one in row.get("metrics", []) if isinstance(row.get(one), int | float)]
    head = next((one for one in ("acc_norm", "acc", "exact_match") if one in metrics), metrics[0] if metrics else "")
    correct = bool(row.get(head)) if head else False
    arguments = row.get("arguments") or {}
    choices = [str(one.get("arg_1", "")) for one in arguments.values()] if isinstance(arguments, dict) else []
    said = row.get("filtered_resps") or row.get("resps") or []
    lines = []
    for place, one in enumerate(said):
        value = one[0] if isinstance(one, list) and one else one
        scored = len(said) > 1 and place < len(choices)
        lines.append(f"{value}  {choices[place].strip()}" if scored else str(value))
    note = f"target: {row.get('target')}; " + ", ".join(f"{one} {float(row[one]):g}" for one in metrics)
    return Reply(model, "\n".join(lines), note, (OutcomeTag(model, "correct" if correct else "wrong"),))
