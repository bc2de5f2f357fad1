"""Run of the suite nlp: multiple choice and short answers with lm-evaluation-harness (arXiv 2401.10020, Tables 3, 9).

The paper evaluates nine tasks to measure the cost of preference training on other abilities. Definitions, prompts, the
class for checkpoints, metrics and standard errors are lm-eval's. Added here: a checkpoint is loaded once, each task is
stored when it is done, so that a repeated command resumes after it, and the value of each item is stored, so that two
models can be compared on the same items. Values equal those of lm-eval's command with the same number format and batch
size, to the last digit.

Left out: chat templates, and numbers of few-shot examples other than the task's own. lm-eval's command has both as
options that are off by default.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evals.model import Checkpoint, EvalModel
from evals.options import LIMIT, Job, Option, Preparation, split_list
from evals.results import Provenance, files_folder, load_one, save
from evals.suites.nlp.convert import task_result
from evals.suites.nlp.result import NlpResult
from evals.suites.nlp.tasks import PAPER_TASKS, Task, Tasks, load_tasks, quiet
from srlm.console import Progress, duration
from srlm.engines.device import pick_device, pick_dtype
from srlm.engines.fingerprint import fingerprint
from srlm.engines.load import load_model
from srlm.errors import ModelError, UsageError
from srlm.optional_deps import require
from srlm.runs import Run

TASKS = Option("tasks", str, "Tasks, groups or tags of lm-eval, with commas; if not given, the paper's nine.")
BATCH_SIZE = Option(
    "batch_size", int, "Prompts in a batch, as in lm-eval's command; 1, if not given.", least=1, most=10_000
)
DATA = Option(
    "data", str, "A FOLDER with a file for each task (and ifeval.jsonl); the data sets of the Hub, if not given."
)
OPTIONS = (TASKS, BATCH_SIZE, LIMIT, DATA)


def prepare(preparation: Preparation) -> Job:
    """Load the definitions of the tasks and their data.

    Raises:
        MissingDependency: torch, transformers, accelerate or lm-eval is not installed.
        UsageError: a model is behind a server, or a task cannot be loaded.
    """
    require_checkpoints(preparation.models)
    chosen = split_list(preparation.get(TASKS)) or PAPER_TASKS
    with preparation.progress.step(f"lm-eval reads {', '.join(chosen)}", total=None):
        tasks = load_tasks(chosen, _local_folder(preparation), preparation.get(LIMIT))
    batch_size = preparation.get(BATCH_SIZE) or 1
    return Job(lambda models, _, run, progress: run_nlp(models, tasks, batch_size, run, progress), engines=False)


def _local_folder(preparation: Preparation) -> Path | None:
    """Return the folder of the tasks' files, which may hold IFEval's too, None for the Hub.

    Where another suite takes the option, anything but a folder is for that one.
    """
    value = preparation.get(DATA)
    if value is None:
        return None
    place = Path(value).expanduser()
    return None if preparation.shared(DATA) and not place.is_dir() else place


def run_nlp(
    models: Sequence[EvalModel], tasks: Tasks, batch_size: int, run: Run, progress: Progress
) -> list[NlpResult]:
    """Evaluate each model on each task; stored tasks with the same settings are not repeated.

    Args:
        models: to evaluate, all of them checkpoints (`require_checkpoints`).
        tasks: to evaluate.
        batch_size: as in lm-eval's command.
        run: stores the results.
        progress: shows the progress.

    Raises:
        ModelError: a checkpoint cannot be loaded.
    """
    return [_evaluated(name, one, tasks, batch_size, run, progress) for name, one in require_checkpoints(models)]


def require_checkpoints(models: Sequence[EvalModel]) -> list[tuple[str, Checkpoint]]:
    """Return the names and checkpoints of models.

    Raises:
        MissingDependency: torch, transformers or accelerate is not installed.
        UsageError: a model is behind a server.
    """
    for library, extra in (("torch", "local"), ("transformers", "local"), ("accelerate", "nlp")):
        require(library, "The suite nlp", extra)
    found = [(one.name, one.checkpoint) for one in models if one.checkpoint is not None]
    if len(found) < len(models):
        servers = ", ".join(one.name for one in models if one.checkpoint is None)
        raise UsageError(
            f"The suite nlp compares the probabilities of given answers, which a server does not tell ({servers}). "
            "Name checkpoints: a model of the run, a folder, hf:OWNER/NAME, or smollm2."
        )
    return found


def _evaluated(
    name: str, checkpoint: Checkpoint, tasks: Tasks, batch_size: int, run: Run, progress: Progress
) -> NlpResult:
    folder = checkpoint.folder()
    device = pick_device(checkpoint.device)
    dtype = str(pick_dtype(checkpoint.dtype, device)).removeprefix("torch.")
    identity = f"{fingerprint(folder)}:{dtype}"
    stored = load_one(run, NlpResult, name)
    result = stored if stored is not None and stored.identity == identity else NlpResult(name, identity, {})
    wanted = {task.name: _provenance(task, tasks, dtype, batch_size) for task in tasks.tasks}
    left = [
        task
        for task in tasks.tasks
        if task.name not in result.tasks or result.tasks[task.name].provenance != wanted[task.name]
    ]
    if not left:
        progress.say(f"{name} has done {len(wanted)} of {len(wanted)} tasks before; nothing is left to do.")
        return result
    with _loaded(folder, device, dtype, batch_size) as model:
        for task in left:
            started = time.monotonic()
            progress.say(f"{name}: {task.name}, {task.requests:,} requests ...")
            with quiet(bars=True) as cuts:
                found = _run_task(model, task, tasks, batch_size, files_folder(run, "nlp", name))
            done = task_result(name, task.name, wanted[task.name], found)
            result = NlpResult(name, identity, {**result.tasks, task.name: done})
            save(run, result)
            progress.say(f"{name}: {task.name}  {duration(time.monotonic() - started)}")
            if cuts.count:
                progress.say(
                    f"Attention: prompts of {task.name} are longer than the context of {name}; lm-eval cut their "
                    f"beginnings, {cuts.count} times."
                )
    return result


def _provenance(task: Task, tasks: Tasks, dtype: str, batch_size: int) -> Provenance:
    return Provenance(
        judge=tasks.harness,
        rubric=f"{task.name} {task.version}, {task.shots}-shot",
        prompts=task.digest,
        sampling=f"{dtype}, batches of {batch_size}",
    )


@contextmanager
def _loaded(folder: Path, device: str, dtype: str, batch_size: int) -> Iterator[Any]:
    """Load lm-eval's class for checkpoints as its command does, but without pickled weights and remote code."""
    # Loaded once by ourselves and let go: lm-eval takes a model with weights missing, which transformers makes up.
    load_model(folder, pick_dtype(dtype, device), "cpu", "eager")
    with quiet():
        from lm_eval.models.huggingface import HFLM
        from lm_eval.models.utils_hf import clear_torch_cache

        try:
            model = HFLM(
                pretrained=str(folder),
                device=device,
                dtype=dtype,
                batch_size=batch_size,
                trust_remote_code=False,
                use_safetensors=True,
            )
        except Exception as error:  # what transformers raises on a folder that it does not like has no common class
            raise ModelError(
                f"The checkpoint {folder} cannot be loaded by lm-eval ({type(error).__name__}). It must be a causal "
                "language model with weights in safetensors."
            ) from None
    try:
        yield model
    finally:
        del model
        clear_torch_cache()


def _run_task(model: Any, task: Task, tasks: Tasks, batch_size: int, folder: Path) -> Mapping[str, Any]:
    """Run a task; return lm-eval's results with the samples, and write them as lm-eval's files."""
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker

    tracker = EvaluationTracker(output_path=str(folder / "results.json"))
    found = simple_evaluate(
        model=model,
        tasks=[task.loaded],
        batch_size=batch_size,
        limit=tasks.limit,
        task_manager=tasks.manager,
        evaluation_tracker=tracker,
        fewshot_as_multiturn=False,
    )
    samples = found.pop("samples")
    figures = dict(found)
    kept = {name: [dict(one) for one in rows] for name, rows in samples.items()}  # lm-eval rewrites what it writes
    tracker.save_results_aggregated(results=found, samples=samples)
    for name, rows in samples.items():
        tracker.save_results_samples(task_name=name, samples=rows)
    return {**figures, "samples": kept}
