"""Profile: the share of time in which the GPU computes while srlm's engine decodes, and what it computes.

A share far below 1 means that Python, which launches the kernels, is what takes the time.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity
from torch.profiler import profile as profiler

from gpu.device import synchronize
from gpu.report import Report
from gpu.requests import ask, candidates, warm_up, watched_steps
from gpu.setup import Setup

SHOWN = 12
"""Kernels that are named."""


@dataclass(frozen=True)
class Sizes:
    """Requests, and tokens of an answer."""

    requests: int = 256
    max_tokens: int = 24


TINY = Sizes(requests=4, max_tokens=4)


def measure(setup: Setup, sizes: Sizes, report: Report) -> None:
    """Decode once without the profiler, for the time, and once with it, for the kernels."""
    from srlm.engines.hf import HFEngine

    engine = HFEngine(setup.folder, name="model", device=setup.device)
    requests = candidates(setup.texts, sizes.requests, 1, sizes.max_tokens)
    warm_up(engine, requests)
    with watched_steps() as steps:
        began = time.perf_counter()
        ask(engine, requests)
        seconds = time.perf_counter() - began
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * torch.cuda.is_available()
    with profiler(activities=activities) as seen:
        ask(engine, requests)
        synchronize()
    engine.close()
    events: Sequence[Any] = seen.key_averages()
    # The time of kernels is also given to the operator that launched them: count it once.
    kernels = [one for one in events if one.device_type.name == "CUDA" and not one.is_user_annotation]
    busy = sum(_gpu_seconds(one) for one in kernels)
    dearest = sorted(kernels, key=_gpu_seconds, reverse=True)[:SHOWN]
    report.add(
        "decoding",
        seconds=seconds,
        steps=steps.count,
        gpu_seconds=busy,
        gpu_share=min(1.0, busy / seconds),
        launches=_count(events, "LaunchKernel"),
        graph_launches=_count(events, "GraphLaunch"),
        waits=_count(events, "cudaStreamSynchronize") + _count(events, "cudaDeviceSynchronize"),
        copies=_count(events, "cudaMemcpyAsync"),
        operators=sum(one.count for one in events if one.key.startswith("aten::")),
        gpu_ms_of={one.key[:60]: _gpu_seconds(one) * 1e3 for one in dearest},
    )


def _gpu_seconds(event: Any) -> float:
    return float(event.self_device_time_total) / 1e6


def _count(events: Sequence[Any], name: str) -> int:
    return sum(one.count for one in events if name in one.key)
