"""Train: an optimiser step of SFT and of DPO next to plain TRL's, what settings cost, and what is left in memory.

Steps are timed in turns with TRL's on the same batches (`tools/bench_training.py`), and the losses must be the same.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import bench_training
from gpu.device import forget_peak, held_gb, peak_gb, taken_gb
from gpu.report import Report
from gpu.setup import Setup
from srlm.config.finetune import DPOConfig, SFTConfig, TuningConfig
from srlm.console import Progress, Step

PASSES = 2
"""Over the same examples; the last is timed, because kernels are chosen at the first sight of a length."""

LOSSES_APART = {"cpu": 1e-4, "cuda": 0.05}
"""Most that the losses of a step may differ from TRL's. A GPU adds in no fixed order, here in bfloat16."""

DTYPE = {"cpu": "float32", "cuda": "auto"}
"""Precision of that comparison. Some processors have bfloat16 too, and its rounding alone is more than that."""

LEFT_GB = 0.5
"""Most of a GPU that a training may leave taken: vLLM starts after it and wants nine tenths of the whole."""

Config = TypeVar("Config", bound=TuningConfig)


@dataclass(frozen=True)
class Sizes:
    """Examples of a step, in several micro-batches, optimiser steps of a pass, and tokens of an example."""

    batch: int = 16
    micro: tuple[int, ...] = (4, 16)
    steps: int = 8
    max_length: int = 1024
    switches: tuple[tuple[float, bool], ...] = ((0.1, True), (0.0, True), (0.0, False))


TINY = Sizes(batch=2, micro=(2,), steps=2, max_length=512, switches=((0.0, False),))


def measure(setup: Setup, sizes: Sizes, report: Report) -> None:
    """Measure steps next to TRL's, then ours alone with other settings, then what a training leaves in memory."""
    for micro in sizes.micro:
        _next_to_trl(setup, sizes, report, "sft", micro)
        _next_to_trl(setup, sizes, report, "dpo", micro)
    for dropout, recompute in sizes.switches:
        _alone(setup, sizes, report, dropout, recompute)
    _as_the_loop(setup, sizes, report)


def _config(kind: type[Config], sizes: Sizes, micro: int, **changes: Any) -> Config:
    given: dict[str, Any] = {
        "batch_size": sizes.batch,
        "per_device_train_batch_size": micro,
        "epochs": PASSES,
        "max_length": sizes.max_length,
        "dropout": 0,
        "gradient_checkpointing": False,
        "save_steps": 0,
    }
    return kind(**given | changes)


def _next_to_trl(setup: Setup, sizes: Sizes, report: Report, kind: str, micro: int) -> None:
    """Time our step and TRL's in turns, and compare their losses."""
    from trainer.data.sft_examples import ift_examples

    forget_peak()
    seeds, dtype = setup.seed_data, DTYPE[setup.device]
    with tempfile.TemporaryDirectory(prefix="srlm-gpu-") as folder:
        place = Path(folder)
        if kind == "sft":
            steps = min(sizes.steps, len(seeds.ift) // sizes.batch)
            config = _config(SFTConfig, sizes, micro)
            both = bench_training.supervised(setup.folder, place, ift_examples(seeds.ift), config, steps, dtype)
        else:
            steps = min(sizes.steps, len(seeds.eft) // sizes.batch)
            config = _config(DPOConfig, sizes, micro)
            both = bench_training.preferred(setup.folder, place, seeds.eft, config, steps, dtype)
        found = bench_training.side_by_side(*both, steps)
    name = f"{kind} next to TRL's, micro-batches of {micro}"
    report.add(name, peak_gb=peak_gb(), **found)
    same = found["losses_apart"] <= LOSSES_APART[setup.device]
    report.compare(f"losses of {name}", same * found["steps"], found["steps"])


def _alone(setup: Setup, sizes: Sizes, report: Report, dropout: float, recompute: bool) -> None:
    """Time steps of our SFT with these settings in this process, and see what stays in memory when it has returned."""
    from trainer.finetune.sft import train_sft

    forget_peak()
    before = held_gb()
    laps = Laps()
    with tempfile.TemporaryDirectory(prefix="srlm-gpu-") as folder:
        train_sft(_job(setup, sizes, Path(folder), dropout, recompute), laps)
    left, peak = held_gb() - before, peak_gb()
    forget_peak()
    report.add(
        f"sft, dropout {dropout}, recompute {recompute}".lower(),
        step_s=statistics.median(laps.seconds[len(laps.seconds) // PASSES :]),
        steps=len(laps.seconds),
        peak_gb=peak,
        left_gb=left,
        left_gb_after_collection=held_gb() - before,
    )


def _as_the_loop(setup: Setup, sizes: Sizes, report: Report) -> None:
    """Train as the loop does, in a process of its own where it would, and compare the memory before and after."""
    from trainer.finetune.launch import run_job

    forget_peak()
    before = taken_gb()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="srlm-gpu-") as folder:
        run_job(_job(setup, sizes, Path(folder), 0, False), None, Progress(quiet=True))
    seconds = time.perf_counter() - began
    left = taken_gb() - before
    report.add("training as the loop runs it", seconds=seconds, left_gb=left)
    report.compare("memory given back after a training", int(left < LEFT_GB), 1, required=setup.device == "cuda")


def _job(setup: Setup, sizes: Sizes, place: Path, dropout: float, recompute: bool) -> Any:
    from trainer.data.sft_examples import ift_examples
    from trainer.finetune.job import SFTJob

    target = place / "checkpoint"
    target.mkdir()
    config = _config(SFTConfig, sizes, max(sizes.micro), dropout=dropout, gradient_checkpointing=recompute)
    examples = tuple(ift_examples(setup.seed_data.ift)[: sizes.steps * sizes.batch])
    return SFTJob(setup.folder, target, examples, config, setup.device, "auto", 0, "SFT")


class Laps(Progress):
    """The seconds of each optimiser step of a training."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.seconds: list[float] = []

    @contextmanager
    def step(self, label: str, total: float | None) -> Iterator[Step]:
        """Yield a step that notes the time since the one before; the first one's is that of building the trainer."""
        since = time.perf_counter()

        def note(count: float) -> None:
            nonlocal since
            now = time.perf_counter()
            self.seconds.append(now - since)
            since = now

        yield Step(note)
