"""The run directory: where everything that a run made can be found again, and where it goes on after it was stopped.

    run.yaml            the resolved configuration
    manifest.json       versions and machine
    ledger.sqlite       every call of every model
    seeds/              the seeds as they were used
    SFT/ M1/ M2/ M3/    one folder a model: records of each stage (JSON Lines), training log, checkpoint/,
                        and while it trains training/, from where a training that was stopped goes on, and
                        kept/, the checkpoints that a judge chooses from
    evals/              results of the suites
    tracking/           what the monitor and the suites report to trackers, where that is wanted; a training's is in
                        the model's folder

A stage's file is written whole or not at all, so its existence says that the stage has ended. Going on means to run the
same command again: ended stages are read, the others are computed, and calls that were already answered come from the
ledger.
"""

import platform
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import ValidationError

from srlm.atomic_files import write_text
from srlm.config import TrainConfig
from srlm.config_file import differences
from srlm.engines.open import is_remote, public_name
from srlm.errors import DataError, RunChanged, UnknownName, UsageError
from srlm.filenames import is_device
from srlm.jsonl import explain, parse_lines, write_json, write_records
from srlm.ledger import Ledger
from srlm.read_yaml import read_yaml
from srlm.renamed_settings import with_new_names

if TYPE_CHECKING:
    from filelock import FileLock

T = TypeVar("T")
LONGEST = 100
"""Bytes of a run's name."""
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
        *(f"{section}.{key}" for section in ("sft", "dpo") for key in ("per_device_train_batch_size", "save_steps")),
    }
)
"""Settings that say how a machine copes, or who is told, and not what is computed: a run goes on with others."""


_NAME = re.compile(r"[^\W_][\w .,=+@()-]*(?<! )(?<!\.)")


class Run:
    """One run directory. `worked` tells whether this process computed anything in it.

    `planned` is the configuration of one that is not there yet: `start_run` begins it.
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
        """The run's calls, opened at first use."""
        if self._ledger is None:
            self._ledger = Ledger(self.folder / "ledger.sqlite")
        return self._ledger

    @property
    def config(self) -> TrainConfig:
        """The configuration that the run was started with, or will be."""
        if self._planned is not None:
            return self._planned
        return TrainConfig.model_validate(_stored(self.folder / "run.yaml"))

    @property
    def kept(self) -> Ledger | None:
        """The run's calls, if any were made. Nothing is made for it."""
        return self.ledger if self._ledger or (self.folder / "ledger.sqlite").exists() else None

    def path(self, stage: str) -> Path:
        """The file of a stage such as "M2/pairs"."""
        return self.folder / f"{stage}.jsonl"

    def stage(self, stage: str, record: type[T], produce: Callable[[], Iterable[T]]) -> list[T]:
        """The records of a stage: read if it has ended, else produced and written."""
        path = self.path(stage)
        if not path.exists():
            records = list(produce())
            self.write(stage, records)
            return records
        return parse_lines(path, record)

    def remembered(self, stage: str, record: type[T], produce: Callable[[], Iterable[T]]) -> list[T]:
        """Like `stage`, for what is kept to save time alone: where it cannot be written, it is computed again."""
        path = self.path(stage)
        if path.exists():
            return parse_lines(path, record)
        records = list(produce())
        with suppress(OSError):
            self.write(stage, records)
        return records

    def write(self, stage: str, records: Iterable[Any]) -> None:
        """Write a stage's file, whole or not at all."""
        self.worked = True
        write_records(self.path(stage), records)

    def checkpoint(self, model: str, produce: Callable[[Path], None]) -> Path:
        """The checkpoint of a model: found, or produced into a folder that takes its name only when whole."""
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
        """Names of the models that this run has, M0 first."""
        trained = [path.parent.name for path in self.folder.glob("*/checkpoint")]
        return ["M0", *sorted(trained, key=lambda name: (name != "SFT", len(name), name))]

    def model(self, name: str) -> str:
        """What a model name of this run stands for: a folder, or the name of M0.

        Raises:
            UnknownName: the run has no such model (yet).
        """
        if name not in self.models():
            raise UnknownName(f"In the run {self.name}, the model", name, self.models())
        return self.config.model if name == "M0" else str(self.folder / name / "checkpoint")

    def lock(self) -> None:
        """Keep other processes from training this run. The lock ends with the process, however that ends.

        Raises:
            UsageError: another process is training it.
        """
        from filelock import FileLock, Timeout

        self._lock = FileLock(self.folder / ".lock", timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise UsageError(f"Another process is training the run {self.folder}. Wait for it, or stop it.") from None
        except OSError as error:
            raise UsageError(f"In {self.folder} nothing can be written ({error.strerror}).") from None

    def close(self) -> None:
        """Close the ledger and let go of the lock."""
        if self._ledger is not None:
            self._ledger.close()
        if self._lock is not None:
            self._lock.release()


def open_run(root: Path, name: str | None) -> Run:
    """A run by its name, or the one that was touched last.

    Raises:
        UsageError: there is no run at all.
        UnknownName: there is none of that name.
    """
    folders = sorted(root.glob("*/run.yaml"), key=lambda path: max(path.stat().st_mtime, path.parent.stat().st_mtime))
    if not folders:
        raise UsageError(f"There is no run in {root}. Start one with: srlm train")
    names = [path.parent.name for path in folders]
    if name is not None and name not in names:
        raise UnknownName(f"In {root}, the run", name, sorted(names))
    return Run(root / (name or names[-1]))


def plan_run(root: Path, name: str, config: TrainConfig) -> Run:
    """A run that may not be there yet. Nothing is made.

    Raises:
        UsageError: a new one cannot have that name.
    """
    plain = Path(name).name == name and name not in ("", ".", "..")
    if plain and (root / name / "run.yaml").exists():
        return Run(root / name)  # whatever an earlier version called it
    if not plain or not _NAME.fullmatch(name) or is_device(name) or len(name.encode()) > LONGEST:
        raise UsageError(
            f"{name!r} is no name for a run. It begins with a letter or a digit, and goes on with letters, digits, "
            f"blanks and any of . , = + @ ( ) _ -, up to {LONGEST} bytes; at its end is neither blank nor dot, and "
            "Windows has no device of its name."
        )
    return Run(root / name, config)


def public_config(data: Any) -> Any:
    """Return a configuration with all server addresses stripped of their credentials."""
    if isinstance(data, dict):
        return {key: public_config(value) for key, value in data.items()}
    if isinstance(data, list):
        return [public_config(value) for value in data]
    return public_name(data) if isinstance(data, str) and is_remote(data) else data


def start_run(root: Path, name: str, config: TrainConfig) -> Run:
    """Start a run, or go on with it. Settings of the machine may change on the way.

    Raises:
        RunChanged: it was started with another configuration.
        UsageError: a new one cannot have that name.
    """
    run = Run(plan_run(root, name, config).folder)
    resolved = public_config(config.model_dump(mode="json"))
    stored = run.folder / "run.yaml"
    if stored.exists():
        # A setting that came with a later version is at its default, which is what runs without it had.
        before = run.config.model_dump(mode="json")
        changes = differences(public_config(before), resolved)
        real = [change for change in changes if change.partition(" ")[0] not in MACHINE]
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
    """The configuration that a run was started with, as data."""
    try:
        data = read_yaml(path)
        if isinstance(data, dict):
            data = with_new_names(data)
        TrainConfig.model_validate(data)
    except (DataError, ValidationError) as error:
        why = explain(error) if isinstance(error, ValidationError) else str(error).removeprefix(str(path)).lstrip(":, ")
        raise DataError(
            path, f"is damaged, or of another version of srlm ({why.rstrip('.')}). Start anew under another --name."
        ) from None
    return dict(data)


def manifest() -> dict[str, Any]:
    """What made a run: versions and machine. No library is imported for it, and no name of a user or host is in it."""
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
