"""Iteration: `srlm train` once from M0 to M2, at the paper's data sizes, with seconds by stage from its ledger.

The paper (arXiv 2401.10020, section 3.1) has 3,200 IFT and 1,630 EFT examples, and 3,964 pairs in its first iteration.
Scores are expectations, because a model of this size does not learn to write judgements. With --tiny the prompts are
the seeds' own: a random model writes none that the filters accept. The same command resumes one that was stopped.
"""

import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gpu.report import Report
from gpu.requests import TEMPERATURE, TOP_P
from gpu.setup import Setup

NAME = "gpu"

FIRST_LOSS_APART = {"cpu": 1e-3, "cuda": 0.02}
"""Most that the first loss of DPO may differ from log 2; in bfloat16 log-probabilities depend on the padding."""


@dataclass(frozen=True)
class Sizes:
    """Examples of M1's training, tokens of an answer, and examples in memory at once."""

    ift: int = 3200
    eft: int = 1630
    answer_tokens: int = 256
    batch: int = 16
    max_length: int = 1024
    rubric: str = "additive"


TINY = Sizes(ift=8, eft=4, answer_tokens=8, batch=4, max_length=2048, rubric="brief")
TINY_PROMPTS = 4


def measure(setup: Setup, sizes: Sizes, report: Report) -> None:
    """Run the iteration, and report its stages whether it ended or not.

    Raises:
        RuntimeError: the command failed or was stopped at the deadline; the message has the end of its log.
    """
    runs, log = setup.out / "runs", setup.out / "train.log"
    configuration = setup.out / "iteration.yaml"
    given = settings(setup, sizes)
    configuration.write_text(yaml.safe_dump(given), encoding="utf-8")
    report.add("settings", **given)
    command = [sys.executable, "-m", "srlm", "train", str(configuration), "--runs", str(runs), "--name", NAME]
    limit = None if setup.clock.deadline is None else max(1.0, setup.clock.left)
    began, resumed = setup.clock.passed, (runs / NAME).is_dir()
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            code: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
            code = None
        except BaseException:
            process.kill()
            process.wait()
            raise
    _stages(runs / NAME, report)
    report.add("whole", seconds=setup.clock.passed - began, exit_code=code, resumed=resumed)
    if code != 0:
        end = log.read_text(encoding="utf-8", errors="replace").strip()[-600:]
        raise RuntimeError(
            f"srlm train {'was stopped at the deadline' if code is None else f'exited with {code}'}: {end}"
        )
    _check(runs / NAME, setup.device, report)


def settings(setup: Setup, sizes: Sizes) -> dict[str, Any]:
    """Return the configuration of the run."""
    tuning: dict[str, Any] = {
        "batch_size": sizes.batch,
        "per_device_train_batch_size": sizes.batch,
        "max_length": sizes.max_length,
        "gradient_checkpointing": False,
        "dropout": 0,
    }
    sampling = {"temperature": TEMPERATURE, "top_p": TOP_P, "max_tokens": sizes.answer_tokens}
    ift = len(setup.seed_data.ift)
    return {
        "model": str(setup.folder),
        "device": setup.device,
        "iterations": 1,
        "candidates": 4,
        "candidate_sampling": sampling,
        "seeds": {
            "source": setup.seeds,
            "eft_targets": "ranks",
            "ift_repeats": math.ceil(sizes.ift / ift),
            "ift_limit": min(sizes.ift, ift),
            "eft_limit": sizes.eft,
        },
        "sft": {"learning_rate": 2e-5, "baseline": False, **tuning},
        "instructions": _own_prompts(setup) if setup.tiny else {"count": setup.instructions},
        # A random model gives the digits next to no probability.
        "judge": {"scoring": "expected", "rubric": sizes.rubric, "least_mass": 0 if setup.tiny else 0.001},
        "dpo": {"learning_rate": 2e-6, **tuning},
    }


def _own_prompts(setup: Setup) -> dict[str, Any]:
    """Write some of the seeds' instructions as a file of prompts, and return the settings that name it."""
    file = setup.out / "prompts.jsonl"
    lines = [json.dumps({"prompt": text}) for text in setup.texts[-TINY_PROMPTS:]]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"source": str(file)}


def _stages(run: Path, report: Report) -> None:
    """Report calls, tokens and seconds by stage, the trainings, and when each file of the run was complete."""
    from srlm.ledger import Ledger

    if not (run / "ledger.sqlite").is_file():
        return
    ledger = Ledger(run / "ledger.sqlite")
    rows = ledger.summary()
    ledger.close()
    for row in rows:
        report.add(
            f"{row.stage} by {row.model}",
            calls=row.calls,
            prompt_tokens=row.prompt_tokens,
            completion_tokens=row.completion_tokens,
            seconds=row.seconds,
        )
    for file in sorted(run.glob("*/training.jsonl")):
        report.add(f"training of {file.parent.name}", **_training(file))
    # What lies between two files and is in no stage is work of the processor: tokenising, filters, hashes, starts.
    files = sorted((path.stat().st_mtime, str(path.relative_to(run))) for path in run.glob("*/*"))
    report.add("seconds at which files were complete", **{name: at - files[0][0] for at, name in files})


def _training(file: Path) -> dict[str, Any]:
    """Return the steps of a training's log, its first and last loss, and its seconds if it ended."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    ended = [line["train_runtime"] for line in lines if "train_runtime" in line]
    return {
        "steps": len(losses),
        "first_loss": losses[0] if losses else None,
        "last_loss": losses[-1] if losses else None,
        "seconds": ended[-1] if ended else None,
    }


def _check(run: Path, device: str, report: Report) -> None:
    """Compare what a complete run must have: both models, and a first DPO loss of log 2, since M1 is its reference."""
    models = [name for name in ("M1", "M2") if (run / name / "checkpoint").is_dir()]
    report.compare("models trained", len(models), 2)
    first = _training(run / "M2" / "training.jsonl")["first_loss"]
    near = first is not None and abs(first - math.log(2)) < FIRST_LOSS_APART[device]
    report.compare("first loss of DPO is log 2", int(near), 1)
