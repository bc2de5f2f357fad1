"""The processor that models run on without a GPU: its vector instructions, and how fast it multiplies matrices.

Measured with torch, as it is installed, in less than a second: the best of several short products, because another
program can only slow one down. Memory is not measured, which limits large models that write one token at a time.
"""

import os
import time
from dataclasses import dataclass
from typing import Any

SIZE = 256
"""Rows and columns of the matrices: small, so that many products end within a time slice of the processor."""
MEASURE_S = 0.15
"""Seconds of each measurement."""


@dataclass(frozen=True)
class Processor:
    """The abilities of a processor, and its speed.

    Attributes:
        cores: on which this process may run.
        instructions: torch's name of the vector instructions that it uses, such as AVX2 or AVX512.
        bfloat16: the name of native instructions for bfloat16 products; None without any.
        one_core: billions of float32 operations a second on one thread.
        all_cores: the same on all of torch's threads.
        all_cores_bfloat16: the same in bfloat16.
    """

    cores: int
    instructions: str
    bfloat16: str | None
    one_core: float
    all_cores: float
    all_cores_bfloat16: float

    def __str__(self) -> str:
        """Return the facts in one line."""
        native = f"bfloat16 by {self.bfloat16}" if self.bfloat16 else "no bfloat16 of its own"
        return (
            f"{self.cores} cores, {self.instructions}, {native}; {self.all_cores:.0f} GFLOP/s in float32 "
            f"({self.one_core:.0f} on one core), {self.all_cores_bfloat16:.3g} in bfloat16"
        )

    @property
    def advice(self) -> str:
        """Return what follows for the precision of local models."""
        if self.bfloat16:
            return "dtype=auto takes bfloat16 here"
        return "dtype=auto takes float32 here; bfloat16 would be slower"


def usable_cores() -> int:
    """Return the number of cores on which this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def measure_processor() -> Processor:
    """Measure this processor with torch, whose number of threads is restored."""
    import torch

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = _gflops(torch.float32)
    finally:
        torch.set_num_threads(threads)
    native = {"AMX": torch.cpu._is_amx_tile_supported(), "AVX-512": torch.cpu._is_avx512_bf16_supported()}
    return Processor(
        cores=usable_cores(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        bfloat16=next((name for name, found in native.items() if found), None),
        one_core=one,
        all_cores=max(one, _gflops(torch.float32)),  # several threads are slower than one only on a busy machine
        all_cores_bfloat16=_gflops(torch.bfloat16),
    )


def _gflops(dtype: Any) -> float:
    """Return billions of operations a second of the fastest product."""
    import torch

    left = torch.ones(SIZE, SIZE, dtype=dtype)
    best, until = float("inf"), time.perf_counter() + MEASURE_S
    while (began := time.perf_counter()) < until:
        left @ left
        best = min(best, time.perf_counter() - began)
    return 2 * SIZE**3 / best / 1e9
