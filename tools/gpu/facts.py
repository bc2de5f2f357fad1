"""Facts: the machine, and its ceilings: products, copies, and the time of a launch from Python."""

import os
import subprocess
from dataclasses import dataclass

import torch

from gpu.device import best_seconds, device_name
from gpu.report import Report
from gpu.setup import Setup


@dataclass(frozen=True)
class Sizes:
    """Rows of a square matrix, bytes that are copied, and kernels in a row."""

    rows: int = 8192
    copied: int = 4 << 30
    kernels: int = 1000


TINY = Sizes(rows=256, copied=1 << 22, kernels=100)


def measure(setup: Setup, sizes: Sizes, report: Report) -> None:
    """Measure the ceilings of the device."""
    device = setup.device
    report.add("machine", device=device_name(device), cpus=os.cpu_count(), driver=_driver())
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    one, two = (torch.randn(sizes.rows, sizes.rows, device=device, dtype=dtype) for _ in range(2))
    copied = torch.empty(sizes.copied, device=device, dtype=torch.uint8)
    few = torch.zeros(8, device=device)

    def launch() -> None:
        for _ in range(sizes.kernels):
            few.add_(1)

    report.add(
        "ceilings",
        dtype=str(dtype).removeprefix("torch."),
        tflops=2 * sizes.rows**3 / best_seconds(lambda: one @ two, 8) / 1e12,
        gb_per_s=2 * sizes.copied / best_seconds(copied.clone, 8) / 1e9,
        us_per_kernel=best_seconds(launch, 4) / sizes.kernels * 1e6,
    )


def _driver() -> str | None:
    """Return the version of NVIDIA's driver; None without one."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None
