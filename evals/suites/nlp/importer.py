"""Importer of lm-eval's results_*.json, with each item's value where the samples are next to the file.

Without samples (`lm_eval --log_samples`) a metric has lm-eval's standard error, and no paired test.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evals.importer import Importer
from evals.results import Provenance
from evals.settings import Settings
from evals.suites.nlp.convert import task_metrics, task_result
from evals.suites.nlp.result import NlpResult, TaskResult
from srlm.digest import digest_of_set
from srlm.errors import DataError, UsageError
from srlm.json_files import Row, read_rows

NEEDS_NAME = (
    "does not say of which model it is: lm-eval before 0.4.3 did not write it. Give the name before the file: NAME="
)
BETTER = frozenset({"acc", "acc_norm", "acc_mutual_info", "exact_match", "em", "f1", "mc1", "mc2", "bleu", "rouge1"})
WORSE = frozenset({"word_perplexity", "byte_perplexity", "bits_per_byte", "perplexity", "ppl"})
"""Directions of metrics, for files of lm-eval before 0.4.3, which did not write them."""


def is_nlp_file(found: Mapping[str, Any]) -> bool:
    """Check if an object has the form of lm-eval's results, of any version."""
    return isinstance(found.get("results"), dict) and ("configs" in found or {"versions", "config"} <= found.keys())


def nlp_results(path: Path, found: Mapping[str, Any], name: str | None = None) -> NlpResult:
    """Return all tasks and groups of a file that are no part of another one; of a group without a metric, its tasks.

    Args:
        path: of the file; samples_TASK_DATE.jsonl are next to it.
        found: its content.
        name: of the model, if not the one in the file.

    Raises:
        DataError: a field is missing or is something else, or a sample is wrong.
    """
    try:
        model = name or _model(found)
        if model is None:
            raise DataError(path, f"{NEEDS_NAME}{path.name}")
        found = _filled(found)
        parts = {group: [*of] for group, of in (found.get("group_subtasks") or {}).items() if of}
        within = {one for of in parts.values() for one in of}
        names = [one for top in found["results"] if top not in within for one in _with_figures(top, parts, found)]
        tasks = {one: _task(path, found, model, one, _leaves(one, parts)) for one in names}
    except RecursionError:
        raise DataError(path, "is no results file of lm-eval: a group is a part of itself.") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise DataError(
            path, f"is no results file of lm-eval as srlm knows them ({type(error).__name__}: {error!s:.80})."
        ) from None
    return NlpResult(model, f"lm-eval's results of {model}", tasks)


def _model(found: Mapping[str, Any]) -> str | None:
    """Return lm-eval's name of the model, of a folder its last part; None where the file has none."""
    name = found.get("model_name")
    if not isinstance(name, str) or not name:
        return None
    return Path(name).name if Path(name).is_absolute() else name


def _filled(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Convert a file of any version to today's form: 0.3 had no filters, and before 0.4.3 there were no directions."""
    rows = found["results"]
    if "configs" not in found:
        rows = {task: {f"{key},none": value for key, value in row.items()} for task, row in rows.items()}
    metrics = {key.partition(",")[0] for row in rows.values() for key in row}
    known = {metric: metric in BETTER for metric in metrics if metric in BETTER | WORSE}
    return {
        "higher_is_better": dict.fromkeys(rows, known),
        "n-samples": {},
        "n-shot": dict.fromkeys(rows, found["config"].get("num_fewshot", "?")),
        "lm_eval_version": "before 0.4.3",
        **found,
        "results": rows,
    }


def _with_figures(name: str, parts: Mapping[str, list[str]], found: Mapping[str, Any]) -> list[str]:
    """Return the task or group itself; of a group without a metric of its own, its parts."""
    if name not in parts or task_metrics(found["results"].get(name) or {}):
        return [name]
    return [one for part in parts[name] for one in _with_figures(part, parts, found)]


def _leaves(name: str, parts: Mapping[str, list[str]]) -> list[str]:
    """Return the tasks of a group and of the groups in it; of a task itself."""
    return [leaf for part in parts[name] for leaf in _leaves(part, parts)] if name in parts else [name]


def _task(path: Path, found: Mapping[str, Any], model: str, name: str, leaves: list[str]) -> TaskResult:
    date = path.name.removeprefix("results_").removesuffix(".json")
    files = {leaf: path.with_name(f"samples_{leaf}_{date}.jsonl") for leaf in leaves}
    samples = {leaf: [row.data for row in read_rows(file)] for leaf, file in files.items() if file.exists()}
    if len(samples) < len(leaves):
        samples = {}  # the items of some tasks are not those of the group
    return task_result(model, name, _provenance(found, name, leaves), {**found, "samples": samples})


def _provenance(found: Mapping[str, Any], name: str, leaves: list[str]) -> Provenance:
    config, counts, hashes = found["config"], found["n-samples"], found.get("task_hashes") or {}
    items: int | str = "?" if not counts else sum(int(counts[leaf]["effective"]) for leaf in leaves)
    known = "".join(hashes[leaf] for leaf in leaves if leaf in hashes)
    dtype = str(config.get("model_dtype") or "dtype unknown").removeprefix("torch.")
    template = ", with a chat template" if found.get("chat_template") else ""
    version = found["versions"].get(name) or found["versions"].get(leaves[0])
    return Provenance(
        judge=f"lm-eval {found['lm_eval_version']}",
        rubric=f"{name} {version}, {found['n-shot'].get(leaves[0], '?')}-shot",
        prompts=digest_of_set(items, [known]) if known and isinstance(items, int) else f"{items}:unknown",
        sampling=f"{dtype}, batches of {config.get('batch_size', '?')}{template}",
    )


def _recognise(rows: Sequence[Row]) -> bool:
    first = rows[0].data
    return len(rows) == 1 and is_nlp_file(first) and "config_general" not in first  # lighteval has that field


def _join(found: Sequence[NlpResult], settings: Settings) -> list[NlpResult]:
    """Join the tasks of each model.

    Raises:
        UsageError: two files have the same task of a model.
    """
    models: dict[str, NlpResult] = {}
    for one in found:
        before = models.get(one.model, replace(one, tasks={}))
        again = before.tasks.keys() & one.tasks.keys()
        if again:
            raise UsageError(
                f"Two files are lm-eval's results of {one.model} on {min(again)}. Leave one out, or give it another "
                "name: NAME=FILE"
            )
        models[one.model] = replace(before, tasks={**before.tasks, **one.tasks})
    return [*models.values()]


IMPORTER = Importer(
    format="lm-eval's results_*.json",
    patterns=("results_*.json", "*/results_*.json"),
    recognise=_recognise,
    read=lambda file, rows, _: nlp_results(file.path, rows[0].data, file.name),
    models=lambda content: [content.model],
    convert=_join,
)
