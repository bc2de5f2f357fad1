"""Write the tables of docs/explain/scale.md by arithmetic; `--check` fails if the page has others.

Memory is that of `trainer/finetune/memory.py`, which training itself uses, and disk that of `trainer/disk_space.py`.
Time is work over the speed of the hardware, times the share of it that is assumed below. Nothing is measured.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from trainer.disk_space import MODEL_BYTES, RESUMABLE_BYTES, disk_bytes
from trainer.finetune.memory import (
    COPY_BYTES,
    STATE_BYTES,
    USED_SHARE,
    ModelShape,
    Placement,
    largest_fitting,
    training_memory,
)

PAGE = Path(__file__).parents[1] / "docs" / "explain" / "scale.md"
GB = 1e9

LLAMA_3B = ModelShape(3_212_749_824, 28, 3072, 3072, 8192, 128_256, tied=True, kv_width=1024)
LLAMA_8B = ModelShape(8_030_261_248, 32, 4096, 4096, 14336, 128_256, tied=False, kv_width=1024)
LLAMA_70B = ModelShape(68_976_648_192, 80, 8192, 8192, 28672, 32_000, tied=False, kv_width=1024)
NAMES = {LLAMA_3B: "3B", LLAMA_8B: "8B", LLAMA_70B: "70B"}

# --- the hardware: an H100 of 80 GB, eight in a node ------------------------------------------------------------------

FLOPS, FLOPS_SHARE = 989e12, 0.4
"""bfloat16 operations a second of a GPU, and the share of them in a training and in reading prompts."""
BANDWIDTH, DECODING_SHARE = 3.35e12, 0.6
"""Bytes a second of a GPU's memory, and the share of both speeds while answers are written."""
NODE = 8
NETWORK = {True: 450e9, False: 400e9}
"""Bytes a second for a collective of a GPU: inside a node (NVLink), and between nodes (eight links of 400 Gbit/s)."""
PCIE, MAIN_MEMORY, DISK = 50e9, 100e9, 1e9
"""Bytes a second to and from a GPU, in the main memory, and to the disk."""

# --- an iteration -----------------------------------------------------------------------------------------------------

CANDIDATES, VERDICTS, ANSWER, PROMPT, COLUMNS, ROWS = 4, 3, 150, 500, 400, 1024
"""Answers an instruction, verdicts an answer, tokens written of each, tokens of a judge's prompt that no other shares,
tokens in memory for a sequence, and sequences at once."""
PAIR, SFT_EXAMPLES, SFT_TOKENS = 1400, 4830, 700
"""Tokens of a pair, and examples of M1 (3,200 IFT and 1,630 EFT) with the tokens of each, padding included."""


@dataclass(frozen=True)
class Setup:
    """A training on some GPUs.

    Attributes:
        shape: of the model.
        gpus: number of GPUs.
        memory: bytes of each.
        recipe: value of the setting `launcher`, or words.
        placement: of the training's state.
        batch: examples per optimiser step.
        max_length: tokens of each side of a pair.
    """

    shape: ModelShape
    gpus: int
    memory: float
    recipe: str
    placement: Placement
    batch: int = 16
    max_length: int = 2048


SETUPS = (
    Setup(LLAMA_3B, 8, 80e9, "`ddp`", Placement()),
    Setup(LLAMA_8B, 1, 80e9, "one process", Placement()),
    Setup(LLAMA_8B, 1, 80e9, "one process, LoRA", Placement(adapters=True)),
    Setup(LLAMA_8B, 1, 80e9, "`deepspeed`", Placement(offloaded=True)),
    Setup(LLAMA_8B, 8, 80e9, "`fsdp`", Placement(shards=8)),
    Setup(LLAMA_8B, 64, 80e9, "`fsdp`", Placement(shards=64), batch=64),
    Setup(LLAMA_70B, 8, 141e9, "`fsdp`", Placement(shards=8), max_length=4096),
    Setup(LLAMA_70B, 8, 80e9, "`fsdp`, LoRA", Placement(shards=8, adapters=True), max_length=4096),
    Setup(LLAMA_70B, 16, 141e9, "`fsdp`", Placement(shards=16), max_length=4096),
    Setup(LLAMA_70B, 32, 80e9, "`fsdp`", Placement(shards=32), batch=32, max_length=4096),
)


def memory_table() -> list[str]:
    """Return the rows of the memory of one GPU in DPO, with pairs of `max_length` tokens a side."""
    found = [
        "| model | GPUs | launcher | batch | pairs at once | state | gathered | activations | fixed | sum | |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in SETUPS:
        share, pair = one.batch // one.gpus, 2 * one.max_length
        size = largest_fitting(one.shape, one.placement, one.memory, share, pair)
        need = training_memory(one.shape, one.placement, size * pair)
        parts = (need.state, need.gathered, need.activations, need.fixed, need.total)
        fits = "fits" if need.total <= USED_SHARE * one.memory else "does not fit"
        numbers = " | ".join(f"{part / GB:.1f}" for part in parts)
        found.append(
            f"| {NAMES[one.shape]} | {one.gpus} x {one.memory / GB:.0f} GB | {one.recipe} | {one.batch} | "
            f"{size} of {share} | {numbers} | {fits} |"
        )
    return found


def host_table() -> list[str]:
    """Return the rows of main memory and disk, in GB."""
    found = [
        "| model | loading, FSDP | saving to resume, FSDP | `deepspeed` on one GPU | disk |",
        "|---|---|---|---|---|",
    ]
    for shape in (LLAMA_3B, LLAMA_8B, LLAMA_70B):
        each = (MODEL_BYTES, RESUMABLE_BYTES - MODEL_BYTES, STATE_BYTES + MODEL_BYTES)
        numbers = [*(shape.parameters * count for count in each), disk_bytes(shape.parameters, 4)]
        found.append(f"| {NAMES[shape]} | " + " | ".join(f"{number / GB:,.0f}" for number in numbers) + " |")
    return found


# --- time -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Work:
    """An iteration on some GPUs: `batch` pairs a step, each model of vLLM on `split` GPUs."""

    shape: ModelShape
    gpus: int
    instructions: int
    batch: int
    split: int = 1
    offloaded: bool = False

    @property
    def copies(self) -> int:
        """Return the copies of the model that vLLM has: one node's, where a copy takes a whole node."""
        return 1 if self.split == NODE else self.gpus

    def decoding(self, answers: int) -> float:
        """Return the seconds of writing answers: weights, keys and values are read, and products computed, per step."""
        shape, split = self.shape, self.split
        weights = COPY_BYTES * shape.parameters
        keys_and_values = ROWS * COLUMNS * shape.layers * 2 * shape.kv_width * COPY_BYTES
        step = (weights + keys_and_values) / split / (BANDWIDTH * DECODING_SHARE)
        step += 2 * shape.parameters * ROWS / split / (FLOPS * DECODING_SHARE)
        return answers * ANSWER / (ROWS / step) / self.copies

    def reading(self) -> float:
        """Return the seconds of reading the judge's prompts, once for all verdicts on an answer."""
        answers = self.instructions * CANDIDATES
        gpus = self.copies * self.split
        return answers * PROMPT * 2 * self.shape.parameters / (FLOPS * FLOPS_SHARE) / gpus

    def passes(self, tokens: int, operations: int) -> float:
        """Return the seconds of training or reading so many tokens, `operations` per parameter and token."""
        return tokens * operations * self.shape.parameters / (FLOPS * FLOPS_SHARE) / self.gpus

    @property
    def steps(self) -> int:
        """Return the optimiser steps of DPO."""
        return ceil(self.instructions / self.batch)

    def transfers(self) -> float:
        """Return the seconds that weights and gradients travel in DPO: over the network, or to the main memory.

        In each step the weights are gathered three times in bfloat16 (forward, again, backward), and gradients are
        reduced in float32; with offloading they go to the main memory in bfloat16, where AdamW reads and writes 28
        bytes per parameter.
        """
        count = self.shape.parameters
        if self.offloaded:
            return self.steps * count * (4 * COPY_BYTES / PCIE + 28 / MAIN_MEMORY)
        if self.gpus == 1:
            return 0.0
        return self.steps * count * (3 * COPY_BYTES + 4) / NETWORK[self.gpus <= NODE]

    def saving(self) -> float:
        """Return the seconds of writing M_t+1, and one checkpoint to resume from where DPO has more than 200 steps."""
        return self.shape.parameters * (MODEL_BYTES + (RESUMABLE_BYTES if self.steps > 200 else 0)) / DISK


WORKS = (
    Work(LLAMA_8B, 1, 4000, 16, offloaded=True),
    Work(LLAMA_8B, 8, 4000, 16),
    Work(LLAMA_8B, 64, 4000, 64),
    Work(LLAMA_70B, 32, 8000, 32, split=8),
)


def duration(seconds: float) -> str:
    """Return a duration in words."""
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.1f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


def time_table() -> list[str]:
    """Return the rows of the time of an iteration."""
    heads = [f"{NAMES[one.shape]} on {one.gpus}" for one in WORKS]
    found = ["| work | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    rows: list[tuple[str, Iterable[float]]] = [
        ("4 answers an instruction", (one.decoding(one.instructions * CANDIDATES) for one in WORKS)),
        ("3 verdicts an answer", (one.decoding(one.instructions * CANDIDATES * VERDICTS) for one in WORKS)),
        ("reading the judge's prompts", (one.reading() for one in WORKS)),
        ("reference log-probabilities", (one.passes(one.instructions * PAIR, 2) for one in WORKS)),
        ("DPO, arithmetic", (one.passes(one.instructions * PAIR, 8) for one in WORKS)),
        ("DPO, transfers, if nothing overlaps", (one.transfers() for one in WORKS)),
        ("writing M_t+1, and a checkpoint to resume from", (one.saving() for one in WORKS)),
        ("M1 in the first iteration, arithmetic", (one.passes(SFT_EXAMPLES * SFT_TOKENS, 8) for one in WORKS)),
    ]
    return found + [f"| {name} | " + " | ".join(duration(each) for each in numbers) + " |" for name, numbers in rows]


TABLES = {"memory": memory_table, "host": host_table, "time": time_table}


def page(text: str) -> str:
    """Return the page with its tables written anew. Each stands between two comments with its name."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: tools/scale_tables.py -->\n", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f"{PAGE} has no place for the table {name}.")
        text = "".join([before, begin, "\n", "\n".join(table()), "\n\n", end, after])
    return text


def main() -> int:
    """Write or compare the page."""
    now = PAGE.read_text(encoding="utf-8")
    text = page(now)
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if now != text:
        print("docs/explain/scale.md is out of date: run python tools/scale_tables.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
