"""The run folder: all files of a run, and the state from which it is resumed.

    run.yaml            the resolved configuration
    manifest.json       versions and machine
    reward.jsonl        versions of the programs and reward models that scored answers
    ledger.sqlite       the cached calls of all models
    seeds/              the seed data as it was used
    prompts/            the chosen prompts of all iterations, if they are from a file, with its digest and counts
    SFT/ M1/ M2/ M3/    one folder per model: records of each stage (JSON Lines), training log, checkpoint/; during a
                        training also training/, the checkpoint to resume from, and kept/, the snapshots for early
                        stopping. M1 has given.jsonl in place of a checkpoint if it is the given model (start: instruct)
    evals/              results of the suites
    tracking/           metrics logged by the monitor and the suites, if a tracker is configured; those of a training
                        are in the model's folder

The file of a stage is written atomically, so a stage is complete if its file exists. To resume, run the same command
again: completed stages are read, the others are computed, and cached calls come from the ledger.
"""

import platform
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import ValidationError

from srlm.atomic_files import write_text
from srlm.config import TrainConfig
from srlm.config_file import differences
from srlm.engines.choice import choose_engine
from srlm.engines.open import is_remote, public_name
from srlm.errors import DataError, RunChanged, UnknownName, UsageError
from srlm.file_lock import acquire_lock
from srlm.filenames import is_device
from srlm.jsonl import explain, parse_lines, write_json, write_records
from srlm.ledger import Ledger
from srlm.read_yaml import read_yaml
from srlm.renamed_settings import with_new_names

if TYPE_CHECKING:
    from filelock import FileLock

T = TypeVar("T")
LONGEST = 100
"""Maximum length of a run's name in bytes."""
GIVEN = "M1/given"
"""Stage of a run whose M1 is the given model: its name and fingerprint."""
LIBRARIES = (
    "srlm",
    "torch",
    "transformers",
    "trl",
    "accelerate",
    "datasets",
    "tokenizers",
    "numpy",
    "scipy",
    "openai",
    "anthropic",
)

MACHINE = frozenset(
    {
        "report_to",
        "launcher",
        *(
            f"{section}.{key}"
            for section in ("sft", "dpo", "grpo")
            for key in ("per_device_train_batch_size", "save_steps")
        ),
    }
)
"""Settings of the machine and of logging, which change results by no more than rounding and the random numbers that
processes draw of their own, for dropout and for rollouts: a run can be resumed with other values."""


UNSETTLED = "engine auto -> "
"""A change of a run in which no model of its own has answered: `settle_engine` comes before that."""

_NAME = re.compile(r"[^\W_][\w .,=+@()-]*(?<! )(?<!\.)")


class Run:
    """A run folder. `worked` is True if this process computed anything in it.

    `planned` is the configuration of a run that does not exist yet; `start_run` creates it.
    """

    def __init__(self, folder: Path, planned: TrainConfig | None = None) -> None:
        self.folder = folder
        self._planned = planned
        self.name = folder.name
        self.worked = False
        self._ledger: Ledger | None = None
        self._lock: FileLock | None = None

    @property
    def ledger(self) -> Ledger:
        """The run's ledger, opened at first use."""
        if self._ledger is None:
            self._ledger = Ledger(self.folder / "ledger.sqlite")
        return self._ledger

    @property
    def config(self) -> TrainConfig:
        """The configuration with which the run was started, or will be."""
        if self._planned is not None:
            return self._planned
        return TrainConfig.model_validate(_stored(self.folder / "run.yaml"))

    @property
    def existing_ledger(self) -> Ledger | None:
        """The run's ledger, if there is one; none is created."""
        return self.ledger if self._ledger or (self.folder / "ledger.sqlite").exists() else None

    def path(self, stage: str) -> Path:
        """Return the file of a stage such as "M2/pairs"."""
        return self.folder / f"{stage}.jsonl"

    def records(self, stage: str, record: type[T]) -> list[T]:
        """Read the records of a completed stage; return none for any other stage."""
        path = self.path(stage)
        return parse_lines(path, record) if path.exists() else []

    def stage(self, stage: str, record: type[T], produce: Callable[[], Iterable[T]]) -> list[T]:
        """Return the records of a stage: read if it is complete, else produced and written."""
        path = self.path(stage)
        if not path.exists():
            records = list(produce())
            self.write(stage, records)
            return records
        return parse_lines(path, record)

    def cached(self, stage: str, record: type[T], produce: Callable[[], Iterable[T]]) -> list[T]:
        """Return the records like `stage`, for a mere cache: a folder that is not writable is no error."""
        path = self.path(stage)
        if path.exists():
            return parse_lines(path, record)
        records = list(produce())
        with suppress(OSError):
            self.write(stage, records)
        return records

    def write(self, stage: str, records: Iterable[Any]) -> None:
        """Write the file of a stage atomically."""
        self.worked = True
        write_records(self.path(stage), records)

    def checkpoint(self, model: str, produce: Callable[[Path], None]) -> Path:
        """Return the checkpoint of a model: found, or produced in a folder that is renamed when complete."""
        final = self.folder / model / "checkpoint"
        if not final.exists():
            self.worked = True
            unfinished = self.folder / model / "checkpoint.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            produce(unfinished)
            unfinished.replace(final)
        for name in ("training", "kept"):
            shutil.rmtree(self.folder / model / name, ignore_errors=True)
        return final

    def models(self) -> list[str]:
        """Return the names of the models of this run, M0 first."""
        trained = [path.parent.name for path in self.folder.glob("*/checkpoint")]
        untrained = ["M1"] if self.is_given("M1") else []
        return ["M0", *sorted([*untrained, *trained], key=lambda name: (name != "SFT", len(name), name))]

    def is_given(self, name: str) -> bool:
        """Return True for the model of the configuration: M0, and M1 if the loop starts at an instruct model."""
        return name == "M0" or (name == "M1" and self.path(GIVEN).exists())

    def model(self, name: str) -> str:
        """Return the checkpoint folder of a model of this run; for the given model, its name.

        Raises:
            UnknownName: the run does not have this model (yet).
        """
        if name not in self.models():
            raise UnknownName(f"In the run {self.name}, the model", name, self.models())
        return self.config.model if self.is_given(name) else str(self.folder / name / "checkpoint")

    def lock(self) -> None:
        """Keep other processes from training this run.

        Raises:
            UsageError: another process is training it, or its folder is not writable.
        """
        busy = f"Another process is training the run {self.folder}. Wait for it, or stop it."
        self._lock = acquire_lock(self.folder / ".lock", busy)

    def close(self) -> None:
        """Close the ledger and release the lock. The ledger is opened again at its next use."""
        if self._ledger is not None:
            self._ledger.close()
        if self._lock is not None:
            self._lock.release()
        self._ledger = self._lock = None

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def _repr_html_(self) -> str:
        """Return a table of the models and their stages, for a notebook."""
        rows = []
        for model in self.models() if (self.folder / "run.yaml").exists() else []:
            stages = sorted(path.stem for path in (self.folder / model).glob("*.jsonl"))
            rows.append(f"<tr><td>{escape(model)}</td><td>{escape(', '.join(stages))}</td></tr>")
        head = "<thead><tr><th>model</th><th>stages</th></tr></thead>"
        caption = f"<caption>{escape(str(self.folder))}</caption>"
        return "\n".join(["<table>", caption, head, "<tbody>", *rows, "</tbody>", "</table>"])


def open_run(root: Path, name: str | None) -> Run:
    """Open a run by its name, or the one modified last.

    Raises:
        UsageError: there is no run.
        UnknownName: there is no run of that name.
    """
    folders = sorted(root.glob("*/run.yaml"), key=lambda path: max(path.stat().st_mtime, path.parent.stat().st_mtime))
    if not folders:
        raise UsageError(f"There is no run in {root}. Start one with: srlm train")
    names = [path.parent.name for path in folders]
    if name is not None and name not in names:
        raise UnknownName(f"In {root}, the run", name, sorted(names))
    return Run(root / (name or names[-1]))


def plan_run(root: Path, name: str, config: TrainConfig) -> Run:
    """Return a run that may not exist yet. Nothing is created.

    Raises:
        UsageError: the name is not valid for a new run.
    """
    plain = Path(name).name == name and name not in ("", ".", "..")
    if plain and (root / name / "run.yaml").exists():
        return Run(root / name)  # an earlier version may have allowed the name
    if not plain or not _NAME.fullmatch(name) or is_device(name) or len(name.encode()) > LONGEST:
        raise UsageError(
            f"{name!r} is not a valid name of a run. It must begin with a letter or a digit, and may contain letters, "
            f"digits, blanks and any of . , = + @ ( ) _ -, up to {LONGEST} bytes. It must not end with a blank or a "
            "dot, or be the name of a Windows device."
        )
    return Run(root / name, config)


def settle_engine(config: TrainConfig, run: Run, say: Callable[[str], None]) -> TrainConfig:
    """Return the configuration with the engine that `engine: auto` stands for.

    It is the one that the run was started with, so that a run which is resumed on another machine does not mix the
    answers of two engines; for a new run the one of this machine, which `say` tells the user.

    Raises:
        EngineError, UsageError: see `srlm.engines.choice.choose_engine`.
    """
    if config.engine != "auto":
        return config
    if (run.folder / "run.yaml").exists() and run.config.engine != "auto":
        return config.model_copy(update={"engine": run.config.engine})
    choice = choose_engine(config.device)
    if choice.message is not None:
        say(choice.message)
    return config.model_copy(update={"engine": choice.engine})


def public_config(data: Any) -> Any:
    """Return a configuration as data, with user names, passwords and keys removed from its addresses."""
    if isinstance(data, dict):
        return {key: public_config(value) for key, value in data.items()}
    if isinstance(data, list):
        return [public_config(value) for value in data]
    return public_name(data) if isinstance(data, str) and is_remote(data) else data


def start_run(root: Path, name: str, config: TrainConfig) -> Run:
    """Create a run, or resume it. Settings of the machine may differ (`MACHINE`).

    Raises:
        RunChanged: it was started with another configuration.
        UsageError: the name is not valid for a new run.
    """
    run = Run(plan_run(root, name, config).folder)
    resolved = public_config(config.model_dump(mode="json"))
    stored = run.folder / "run.yaml"
    if stored.exists():
        # A setting that a later version added has its default, which is the behaviour of runs without it.
        before = run.config.model_dump(mode="json")
        changes = differences(public_config(before), resolved)
        real = [one for one in changes if one.partition(" ")[0] not in MACHINE and not one.startswith(UNSETTLED)]
        if real:
            raise RunChanged(run.folder, real)
        if changes or before != public_config(before):
            write_text(stored, yaml.safe_dump(resolved, sort_keys=False))
        return run
    if not (run.folder / "manifest.json").exists():
        write_json(run.folder / "manifest.json", manifest())
    write_text(stored, yaml.safe_dump(resolved, sort_keys=False))
    return run


def _stored(path: Path) -> dict[str, Any]:
    """Read the configuration with which a run was started, with the present names of its settings."""
    try:
        data = read_yaml(path)
        if isinstance(data, dict):
            data = {"engine": "hf", **with_new_names(data)}  # the only engine of runs without the setting
        TrainConfig.model_validate(data)
    except (DataError, ValidationError) as error:
        why = explain(error) if isinstance(error, ValidationError) else str(error).removeprefix(str(path)).lstrip(":, ")
        raise DataError(
            path, f"is damaged, or of another version of srlm ({why.rstrip('.')}). Start a new run with another --name."
        ) from None
    return dict(data)


def manifest() -> dict[str, Any]:
    """Return the versions and the machine of a run. No library is imported, and no user or host name is included."""
    versions: dict[str, str | None] = {}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = None
    return {
        "schema": 1,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
    }
