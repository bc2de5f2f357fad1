"""lm-eval's results_*.json as a result: figures, and each item's value where the samples stand beside the file.

Without samples (`lm_eval --log_samples`) a figure has lm-eval's standard error, and no paired test.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evals.nlp_figures import task_result
from evals.results import NlpResult, Provenance, TaskResult
from srlm.digest import digest_of_set
from srlm.errors import DataError
from srlm.rows import read_rows


def nlp_results(path: Path, found: Mapping[str, Any]) -> NlpResult:
    """All tasks and groups of a file that are no part of another one.

    Args:
        path: of the file; samples_TASK_DATE.jsonl stand beside it.
        found: what is in it.

    Raises:
        DataError: a field is missing or is something else, or a sample is wrong.
    """
    try:
        model = _model(found)
        parts = {name: [*of] for name, of in (found.get("group_subtasks") or {}).items() if of}
        within = {one for of in parts.values() for one in of}
        names = [name for name in found["results"] if name not in within]
        tasks = {name: _task(path, found, model, name, _leaves(name, parts)) for name in names}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            path, f"is no results file of lm-eval as srlm knows them ({type(error).__name__}: {error})."
        ) from None
    return NlpResult(model, f"lm-eval's results of {model}", tasks)


def _model(found: Mapping[str, Any]) -> str:
    """As lm-eval calls it; of a folder its name."""
    name = str(found["model_name"])
    return Path(name).name if Path(name).is_absolute() else name


def _leaves(name: str, parts: Mapping[str, list[str]]) -> list[str]:
    """The tasks of a group, of groups in it too; of a task itself."""
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
    items = sum(int(counts[leaf]["effective"]) for leaf in leaves)
    known = "".join(hashes[leaf] for leaf in leaves if leaf in hashes)
    dtype = str(config.get("model_dtype") or "dtype unknown").removeprefix("torch.")
    template = ", with a chat template" if found.get("chat_template") else ""
    version = found["versions"].get(name) or found["versions"].get(leaves[0])
    return Provenance(
        judge=f"lm-eval {found['lm_eval_version']}",
        rubric=f"{name} {version}, {found['n-shot'][leaves[0]]}-shot",
        prompts=digest_of_set(items, [known]) if known else f"{items}:unknown",
        sampling=f"{dtype}, batches of {config['batch_size']}{template}",
    )
