"""An optimiser step of our trainings beside one of plain TRL: seconds in turns, A BB AA BB, on the same batches.

Ours is `trainer.finetune.sft.train_sft` and `trainer.finetune.dpo.train_dpo` as the loop calls them. TRL's are its
SFTTrainer and DPOTrainer, told by hand: the same weights, precision, schedule and optimiser, and the rows in the order
that ours draws. Two threads hold a training each, and only one of them ever runs: after one step, and then
after every two, it hands over to the other, so that what else the machine does falls on both alike, and each is as
often the first to meet a batch. A step is timed from the end of the one before, so that batches, logs and callbacks
count. The first pass over the examples does not: a processor's kernels are made for each new length, by whoever comes
to it first, and the second pass meets the same lengths in another order.

The losses of both must be the same, step by step, or the comparison is refused: then the batches were not. What may
take less time is the output layer: on a processor TRL's scores every position, ours those that the loss counts
(trainer/finetune/output_head.py). The longer the prompt before an answer, the more there is to gain; judgements have
the longest.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Condition
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.console import Progress, Step

if TYPE_CHECKING:
    from srlm.types import RankedPrompt, SFTExample

PASSES = 2
"""Of which the last is timed."""

STEPS = {"answers": 8, "judgements": 4, "pairs": 8}
"""Optimiser steps in a pass."""

BATCH, MICRO = 2, 1
"""One example at a time, so that no length depends on which examples are together."""

LIMIT = 1.05
"""What the ratio is to stay below."""

LENGTHS = {"answers": 112, "judgements": 448, "pairs": 112}
"""Tokens of an example at the most."""

SEED = 0
SAME = 1e-4
SHARED: dict[str, Any] = {
    "batch_size": BATCH,
    "per_device_train_batch_size": MICRO,
    "epochs": PASSES,
    "dropout": 0,
    "gradient_checkpointing": False,
    "save_steps": 0,
}
"""As in the presets for small machines; and with dropout two that share a generator would not draw the same."""


class Turns:
    """Two sides, of which one runs at a time; the first begins."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._turn = 0
        self._here = {0, 1}

    def wait(self, side: int) -> None:
        """Until it is this side's turn."""
        with self._changed:
            self._changed.wait_for(lambda: self._turn == side)

    def hand_over(self, side: int) -> None:
        """To the other side, if it has not left."""
        with self._changed:
            if 1 - side in self._here:
                self._turn = 1 - side
            self._changed.notify_all()

    def leave(self, side: int) -> None:
        """For good."""
        with self._changed:
            self._here.discard(side)
        self.hand_over(side)


class Laps(Progress):
    """Seconds of each step of one side; `Progress`, because our trainings tell theirs to one."""

    def __init__(self, turns: Turns, side: int) -> None:
        super().__init__(quiet=True)
        self._turns, self._side = turns, side
        self._since = time.perf_counter()
        self.seconds: list[float] = []

    def lap(self) -> None:
        """At the end of a step: note it, and let the other side go on if it is its turn."""
        self.seconds.append(time.perf_counter() - self._since)
        if len(self.seconds) % 2 != self._side:
            self._turns.hand_over(self._side)
            self._turns.wait(self._side)
        self._since = time.perf_counter()

    @contextmanager
    def step(self, label: str, total: float | None) -> Iterator[Step]:
        """A training, whose units are optimiser steps."""
        yield Step(lambda count: self.lap())

    def run(self, train: Callable[["Laps"], list[float]]) -> list[float]:
        """The losses of a training that begins when it is its turn."""
        try:
            self._turns.wait(self._side)
            self._since = time.perf_counter()
            return train(self)
        finally:
            self._turns.leave(self._side)


def training() -> dict[str, Any]:
    """Both trainings, as one record."""
    from srlm.engines.device import pick_device, pick_dtype
    from srlm.model_hub import PACKAGED, model_folder

    folder = model_folder(PACKAGED)
    device = pick_device("auto")
    found: dict[str, Any] = {"device": device, "dtype": str(pick_dtype("auto", device)).removeprefix("torch.")}
    for name, make in (("answers", answers), ("judgements", judgements), ("pairs", pairs_of_seeds)):
        with tempfile.TemporaryDirectory(prefix="srlm-bench-") as place:
            one = side_by_side(*make(folder, Path(place)), STEPS[name])
        if one["losses_apart"] > SAME:
            raise SystemExit(
                f"{name}: losses differ by up to {one['losses_apart']:.2g}: the batches were not the same."
            )
        found[name] = one
        print(name, found[name], file=sys.stderr)
    return found


Training = Callable[[Laps], list[float]]


def side_by_side(ours: Training, theirs: Training, steps: int) -> dict[str, Any]:
    """Median seconds of the last `steps` of each, and the median ratio of them with its bootstrap interval."""
    import numpy as np
    from scipy.stats import bootstrap

    turns = Turns()
    laps = Laps(turns, 0), Laps(turns, 1)
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(one.run, train) for one, train in zip(laps, (ours, theirs), strict=True)]
        losses = [one.result() for one in running]
    apart = max(abs(one - other) for one, other in zip(*losses, strict=True))
    seconds = np.array([one.seconds[-steps:] for one in laps])
    # Step by step, because both made it on the same batch, and one right after the other.
    ratios = seconds[0] / seconds[1]
    interval = bootstrap((ratios,), np.median, rng=np.random.default_rng(0)).confidence_interval
    return {
        "srlm_s": float(np.median(seconds[0])),
        "trl_s": float(np.median(seconds[1])),
        "ratio": float(np.median(ratios)),
        "low": float(interval.low),
        "high": float(interval.high),
        "steps": len(ratios),
        "losses_apart": apart,
    }


def answers(folder: Path, place: Path) -> tuple[Training, Training]:
    """Supervised tuning on embedded demonstrations, by us and by TRL."""
    from srlm.seed_data import load_seeds
    from trainer.data.sft_examples import ift_examples

    return supervised(folder, place, ift_examples(load_seeds("embedded").ift), sft_config("answers"), STEPS["answers"])


def judgements(folder: Path, place: Path) -> tuple[Training, Training]:
    """Supervised tuning on embedded judgements: a rubric with an answer, and then a few sentences and a score."""
    from srlm.judges.rubric import load_rubric
    from srlm.seed_data import load_seeds
    from trainer.data.sft_examples import eft_examples

    every = eft_examples(load_seeds("embedded").eft, load_rubric("additive"))
    return supervised(folder, place, every, sft_config("judgements"), STEPS["judgements"])


def sft_config(name: str) -> SFTConfig:
    """The settings of one of the two supervised trainings."""
    return SFTConfig(learning_rate=1e-4, max_length=LENGTHS[name], **SHARED)


def supervised(
    folder: Path, place: Path, every: Sequence["SFTExample"], config: SFTConfig, steps: int, dtype: str = "auto"
) -> tuple[Training, Training]:
    """Supervised tuning, `steps` a pass, on the first examples that are short enough, by us and by TRL."""
    from srlm.engines.load import load_tokenizer
    from trainer.finetune.job import SFTJob
    from trainer.finetune.sft import train_sft
    from trainer.finetune.tokenize import ExampleTokenizer, filter_by_length

    kept = filter_by_length(
        ExampleTokenizer(load_tokenizer(folder)), every, config.max_length, Progress(quiet=True), ""
    )[: steps * config.batch_size]
    examples = [example for example, _ in kept]

    def ours(laps: Laps) -> list[float]:
        target = place / "ours" / "checkpoint"
        target.mkdir(parents=True)
        train_sft(SFTJob(folder, target, tuple(examples), config, "auto", dtype, SEED, "SFT"), laps)
        return written_losses(target)

    def theirs(laps: Laps) -> list[float]:
        from trl.trainer.sft_config import SFTConfig as Arguments
        from trl.trainer.sft_trainer import SFTTrainer

        lengths = [len(tokens.prompt) + len(tokens.completion) for _, tokens in kept]
        rows = [
            {
                "prompt": [{"role": "user", "content": examples[index].prompt}],
                "completion": [{"role": "assistant", "content": examples[index].completion}],
            }
            for index in order(config, len(kept), lengths)
        ]
        arguments = Arguments(**by_hand(config, place / "theirs", dtype), completion_only_loss=True)
        return plain(SFTTrainer, arguments, folder, rows, laps)

    return ours, theirs


def pairs_of_seeds(folder: Path, place: Path) -> tuple[Training, Training]:
    """DPO on embedded ranked instructions, by us and by TRL."""
    from srlm.seed_data import load_seeds

    config = DPOConfig(learning_rate=1e-5, max_length=LENGTHS["pairs"], **SHARED)
    return preferred(folder, place, load_seeds("embedded").eft, config, STEPS["pairs"])


def preferred(
    folder: Path, place: Path, every: Sequence["RankedPrompt"], config: DPOConfig, steps: int, dtype: str = "auto"
) -> tuple[Training, Training]:
    """DPO, `steps` a pass, on the best and the worst answer of ranked instructions, by us and by TRL."""
    from srlm.types import PreferencePair
    from trainer.finetune.dpo import train_dpo
    from trainer.finetune.job import DPOJob

    pairs = []
    for one in every[: steps * config.batch_size]:
        best, *_, worst = sorted(one.answers, key=lambda answer: answer.rank)
        pairs.append(
            PreferencePair(
                one.id, one.id, one.instruction, f"{one.id}-b", best.text, 5, f"{one.id}-w", worst.text, 1, "ranks"
            )
        )

    def ours(laps: Laps) -> list[float]:
        target = place / "ours" / "checkpoint"
        target.mkdir(parents=True)
        train_dpo(DPOJob(folder, target, tuple(pairs), (), config, "auto", dtype, SEED, "DPO"), laps)
        return written_losses(target)

    def theirs(laps: Laps) -> list[float]:
        from trl.trainer.dpo_config import DPOConfig as Arguments
        from trl.trainer.dpo_trainer import DPOTrainer

        rows = [
            {
                "prompt": [{"role": "user", "content": pairs[index].prompt}],
                "chosen": [{"role": "assistant", "content": pairs[index].chosen}],
                "rejected": [{"role": "assistant", "content": pairs[index].rejected}],
            }
            for index in order(config, len(pairs))
        ]
        arguments = Arguments(
            **by_hand(config, place / "theirs", dtype), beta=config.beta, precompute_ref_log_probs=True
        )
        return plain(DPOTrainer, arguments, folder, rows, laps)

    return ours, theirs


def order(config: SFTConfig | DPOConfig, count: int, lengths: Sequence[int] = ()) -> list[int]:
    """The examples of all passes, one after the other, in the order that our trainings draw."""
    from trainer.finetune.shuffling import EpochSampler

    passes = [SimpleNamespace(state=SimpleNamespace(epoch=number)) for number in range(int(config.epochs))]
    return [
        index
        for one in passes
        for index in EpochSampler(one, count, SEED, lengths=lengths, batch_size=config.batch_size)
    ]


def by_hand(config: SFTConfig | DPOConfig, folder: Path, dtype: str) -> dict[str, Any]:
    """What plain TRL is told, so that it computes the same."""
    import torch

    from srlm.engines.device import pick_device, pick_dtype

    device = pick_device("auto")
    return {
        "output_dir": str(folder),
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "cosine_warmup_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr_rate": config.min_lr_rate},
        "warmup_steps": config.warmup_ratio,
        "per_device_train_batch_size": config.per_device_train_batch_size,
        "gradient_accumulation_steps": config.batch_size // config.per_device_train_batch_size,
        "num_train_epochs": 1,
        "train_sampling_strategy": "sequential",
        "max_length": config.max_length,
        "bf16": pick_dtype(dtype, device) is torch.bfloat16,
        "gradient_checkpointing": config.gradient_checkpointing,
        "use_cpu": device == "cpu",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def plain(trainer: Any, arguments: Any, folder: Path, rows: list[dict[str, Any]], laps: Laps) -> list[float]:
    """The losses of one of TRL's trainers, on rows as they stand."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback

    class Lap(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            laps.lap()

    made = trainer(
        model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(folder),
        callbacks=[Lap()],
    )
    made.remove_callback(PrinterCallback)
    made.train()
    return [entry["loss"] for entry in made.state.log_history if "loss" in entry]


def written_losses(folder: Path) -> list[float]:
    """The losses in the log that our trainings write beside a checkpoint."""
    lines = (folder.parent / "training.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry["loss"] for entry in map(json.loads, lines) if "loss" in entry]


def card(found: dict[str, Any]) -> list[str]:
    """Lines for people."""
    lines = [
        f"Training on {found['device']}, {found['dtype']}: a step on {BATCH} examples, in turns with plain TRL on the "
        "same batches"
    ]
    for name, length in LENGTHS.items():
        one = found[name]
        lines.append(
            f"  {name:10} of at most {length} tokens: srlm {one['srlm_s']:.3f} s, TRL {one['trl_s']:.3f} s, ratio "
            f"{one['ratio']:.3f} ({one['low']:.3f} to {one['high']:.3f}, {one['steps']} steps each; limit {LIMIT}), "
            f"losses apart by at most {one['losses_apart']:.1g}"
        )
    return lines


if __name__ == "__main__":
    result = training()
    print("\n".join(card(result)))
    print(json.dumps({"training": result}))
