"""lm-eval's command on the files of a mirror, by its own means: the stock definitions, included, with other data files.

Nothing of the suite's code is in it: `datasets` reads the files, and MMLU's subjects are cut out here.
"""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import lm_eval.tasks
import pytest

from helpers.paths import SHARED_DATA

MIRROR = SHARED_DATA / "nlp"
needs_mirror = pytest.mark.skipif(
    not MIRROR.is_dir(), reason=f"the questions of the nine tasks are not part of srlm, and {MIRROR} is not there"
)

HOME = Path(str(lm_eval.tasks.__file__)).parent
STOCK = {
    "arc_easy": ("arc/arc_easy", {"test": "arc_easy"}),
    "arc_challenge": ("arc/arc_challenge", {"test": "arc_challenge"}),
    "hellaswag": ("hellaswag/hellaswag", {"validation": "hellaswag"}),
    "social_iqa": ("siqa/siqa", {"validation": "social_iqa"}),
    "piqa": ("piqa/piqa", {"validation": "piqa"}),
    "gsm8k": ("gsm8k/gsm8k", {"test": "gsm8k", "train": "gsm8k_train_first1000"}),
    "openbookqa": ("openbookqa/openbookqa", {"test": "openbookqa"}),
    "nq_open": ("nq_open/nq_open", {"validation": "nq_open"}),
}
SPLITS = {"training_split": "train", "validation_split": "validation", "test_split": "test"}


def define(folder: Path, names: list[str]) -> Path:
    """Definitions for `--include_path`."""
    folder.mkdir()
    for name in names:
        if name.startswith("mmlu"):  # the group, or one of its tasks
            subjects = "mmlu_*.yaml" if name == "mmlu" else f"{name}.yaml"
            for stock in sorted((HOME / "mmlu" / "default").glob(subjects)):
                _define_subject(folder, stock)
        else:
            place, files = STOCK[name]
            paths = {split: MIRROR / f"{file}.jsonl.gz" for split, file in files.items()}
            _define(folder, name, HOME / f"{place}.yaml", paths)
    return folder


def _define(folder: Path, name: str, stock: Path, files: dict[str, Path]) -> None:
    lines = [f"include: {stock}", f"task: {name}", "dataset_path: json", "dataset_name: null", "dataset_kwargs:"]
    lines += [f"  cache_dir: {folder / 'cache'}", "  data_files:"]
    lines += [f"    {split}: {file}" for split, file in files.items()]
    if not name.startswith("mmlu_"):  # whose definition names two splits, both of which are there
        lines += [f"{key}: {split if split in files else 'null'}" for key, split in SPLITS.items()]
    (folder / f"{name}.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _define_subject(folder: Path, stock: Path) -> None:
    name = stock.stem
    files = {split: folder / f"{name}.{split}.jsonl" for split in ("test", "dev")}
    for split, file in files.items():
        with gzip.open(MIRROR / f"mmlu_{split}.jsonl.gz", "rt", encoding="utf-8") as lines:
            rows = [line for line in lines if json.loads(line)["subject"] == name.removeprefix("mmlu_")]
        file.write_text("".join(rows), encoding="utf-8")
    _define(folder, name, stock, files)


def command(model: Path, definitions: Path, names: list[str], limit: int, out: Path) -> dict[str, Any]:
    """What `lm_eval run` finds: its results by task or group, without its samples."""
    subprocess.run(
        [
            str(Path(sys.executable).parent / "lm_eval"),
            *("run", "--model", "hf", "--model_args", f"pretrained={model},dtype=float32", "--device", "cpu"),
            *("--tasks", ",".join(names), "--include_path", str(definitions), "--limit", str(limit)),
            *("--output_path", str(out / "results.json")),
        ],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(out / "huggingface")},
        check=True,
        capture_output=True,
        text=True,
        timeout=3000,
    )
    (file,) = out.glob("results_*.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["results"]
    return found
