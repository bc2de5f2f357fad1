"""Local data for lm-eval's task definitions, in place of the Hub's; the definitions stay as they are.

The folder has one file per split, JSON Lines or a JSON array, plain or gzip, named after the task and the split:
`arc_easy_test.jsonl.gz`. The evaluated split may lack the ending (`arc_easy.jsonl`), any other may be a part of the
split and have a longer name (`gsm8k_train_first1000.jsonl`). The subjects of MMLU share `mmlu_test` and `mmlu_dev`;
their rows name the subject. Fields are those that the definition reads, as on the Hub.

A split without a file is empty. A task that takes few-shot examples from such a split is refused: lm-eval would take
them from the questions themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srlm.errors import DataError
from srlm.json_files import SUFFIXES, Row, read_rows

MMLU = "cais/mmlu"


@dataclass(frozen=True)
class LocalData:
    """A folder of local files, each read once: the 57 subjects of MMLU share two files."""

    folder: Path
    _read: dict[Path, list[Row]] = field(default_factory=dict)

    def splits(self, definition: Any) -> dict[str, Any]:
        """Load the splits that a task's definition (lm-eval's `TaskConfig`) names, each a `datasets.Dataset`.

        Raises:
            DataError: a file is missing or damaged; it is named, with the line where there is one.
        """
        import datasets

        evaluated = definition.test_split or definition.validation_split
        rows = self._rows(definition, evaluated)
        if rows is None:
            raise DataError(self._path(definition, evaluated), "there is no such file, and the task needs it.")
        try:
            whole = datasets.Dataset.from_list(rows)
        except (ValueError, TypeError, OverflowError) as error:  # Arrow's own errors are kinds of these
            raise DataError(
                self._path(definition, evaluated), f"rows of the same form are expected ({type(error).__name__})."
            ) from None
        found = {evaluated: whole}
        shots = definition.fewshot_config.split or definition.training_split
        for split in {definition.training_split, definition.validation_split, shots} - {None, evaluated}:
            others = self._rows(definition, split)
            if others is None and split == shots and definition.num_fewshot:
                raise DataError(
                    self._path(definition, split),
                    f"there is no such file, and {definition.task} takes {definition.num_fewshot} examples from it.",
                )
            found[split] = whole.select([]) if others is None else datasets.Dataset.from_list(others)
        return found

    def _rows(self, definition: Any, split: str) -> list[dict[str, Any]] | None:
        path = self._file(definition, split)
        if path is None:
            return None
        if path not in self._read:
            rows = read_rows(path)
            _require_same_fields(rows)
            self._read[path] = rows
        rows = self._read[path]
        if definition.dataset_path != MMLU:
            return [row.data for row in rows]
        subject = definition.dataset_name
        chosen = [row.data for row in rows if row.text("subject") == subject]
        if not chosen:
            raise DataError(path, f"has no row of the subject {subject}.")
        return chosen

    def _file(self, definition: Any, split: str) -> Path | None:
        stem = _stem(definition)
        names = [f"{stem}_{split}"]
        if split == (definition.test_split or definition.validation_split):
            names.append(stem)
        for name in names:
            for suffix in SUFFIXES:
                if (path := self.folder / f"{name}{suffix}").is_file():
                    return path
        parts = sorted(path for suffix in SUFFIXES for path in self.folder.glob(f"{stem}_{split}_*{suffix}"))
        return parts[0] if parts else None

    def _path(self, definition: Any, split: str) -> Path:
        """Return the name of a file, also of a missing one."""
        return self._file(definition, split) or self.folder / f"{_stem(definition)}_{split}.jsonl"


def _stem(definition: Any) -> str:
    return "mmlu" if definition.dataset_path == MMLU else str(definition.task)


def _require_same_fields(rows: Sequence[Row]) -> None:
    for row in rows:
        missing = rows[0].data.keys() - row.data.keys()
        if missing:
            raise row.error(f"the field {min(missing)} is missing, which the first one has.")


def local_task(data: LocalData) -> type[Any]:
    """Return lm-eval's class of tasks with another `download`, which lm-eval documents to override for other data."""
    from lm_eval.api.task import ConfigurableTask

    class LocalTask(ConfigurableTask):  # type: ignore[misc]
        """A task with rows from local files."""

        def __init__(self, config: Mapping[str, Any]) -> None:
            super().__init__(config={name: value for name, value in config.items() if name != "class"})

        def download(self, dataset_kwargs: Mapping[str, Any] | None = None, **rest: Any) -> None:
            self.dataset = data.splits(self.config)

    return LocalTask
