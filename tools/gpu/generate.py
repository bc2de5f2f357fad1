"""Generate: tokens a second of srlm's engine by rows, next to transformers' two ways and to vLLM.

All write the same kind of answers: temperature 0.7, top-p 0.9, seeded by row where the engine can. What another library
cannot do here is recorded as its error and is no fault of srlm.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from bench_generation import generate_padded
from gpu.device import forget_peak, peak_gb, synchronize
from gpu.report import Report
from gpu.requests import TEMPERATURE, TOP_P, ask, candidates, warm_up, watched_steps
from gpu.setup import ROOT, Setup
from srlm.types import Request

ROUNDS = 4
"""Requests for each place: ended answers are replaced, and the last ones leave places empty, as in a stage."""

ANSWERS = 4
"""Answers to an instruction; the paper's N."""


@dataclass(frozen=True)
class Sizes:
    """Rows of srlm's engine (its own choice is always measured too), batches of transformers, tokens of an answer."""

    rows: tuple[int, ...] = (64, 256, 1024)
    batches: tuple[int, ...] = (1, 64, 256)
    most_requests: int = 4096
    paged: int = 1024
    vllm: int = 4096
    max_tokens: int = 256


TINY = Sizes(rows=(2,), batches=(1, 2), most_requests=8, paged=2, vllm=8, max_tokens=8)


def measure(setup: Setup, sizes: Sizes, report: Report) -> None:
    """Measure srlm's engine, then transformers, then vLLM, which takes most of a GPU's memory for itself."""
    _own(setup, sizes, report, None)
    for rows in sizes.rows:
        _own(setup, sizes, report, rows)
    for name, other in (("transformers", _transformers), ("vllm", _vllm)):
        try:
            other(setup, sizes, report)
        except Exception as error:
            report.add(name, error=f"{type(error).__name__}: {error}"[:400])
        forget_peak()


def _own(setup: Setup, sizes: Sizes, report: Report, rows: int | None) -> None:
    """Measure srlm's engine with so many rows, or with as many as it chooses."""
    from srlm.engines import hf

    engine = hf.HFEngine(setup.folder, name="model", device=setup.device)
    if rows is not None:
        engine._max_rows = rows
    count = min(engine._max_rows * ROUNDS, sizes.most_requests)
    requests = _requests(setup, sizes, count)
    warm_up(engine, requests)
    # With rows given, a batch is all requests, so that it drains once.
    with watched_steps() as steps, patch.object(hf, "MAX_BATCH", len(requests)) if rows else nullcontext():
        replies, timing = ask(engine, requests)
    engine.close()
    seconds = timing.plan_s + timing.run_s
    tokens = sum(reply.completion_tokens for reply in replies)
    report.add(
        f"srlm, {rows or 'its own number of'} rows",
        rows=engine._max_rows,
        requests=len(requests),
        tokens_per_s=tokens / seconds,
        tokens=tokens,
        seconds=seconds,
        tokenising_s=timing.plan_s,
        steps=steps.count,
        ms_per_step=timing.run_s / max(1, steps.count) * 1e3,
        places_in_use=steps.used / max(1, steps.places),
        peak_gb=timing.peak_gb,
    )


def _transformers(setup: Setup, sizes: Sizes, report: Report) -> None:
    """Measure transformers' `generate` in padded batches, sorted by length, and `generate_batch`."""
    from srlm.engines.device import pick_dtype
    from srlm.engines.hf import HFEngine
    from srlm.engines.load import load_model, load_tokenizer

    model = load_model(setup.folder, pick_dtype("auto", setup.device), setup.device)
    tokenizer = load_tokenizer(setup.folder)
    tokenizer.padding_side = "left"
    chat = HFEngine(setup.folder, name="model", device=setup.device)._chat
    texts = sorted({chat.text(one) for one in candidates(setup.texts, max(sizes.batches), 1, 1)}, key=len)
    generate_padded(model, tokenizer, texts[:1], 4)
    for size in sizes.batches:
        batch = [texts[number * len(texts) // size] for number in range(size)]
        forget_peak()
        synchronize()
        began = time.perf_counter()
        tokens = generate_padded(model, tokenizer, batch, sizes.max_tokens)
        synchronize()
        seconds = time.perf_counter() - began
        report.add(f"transformers generate, batch {size}", **_speed(tokens, seconds))
    _paged(model, tokenizer, [chat.tokens(one) for one in _requests(setup, sizes, sizes.paged)], sizes, report)


def _paged(model: Any, tokenizer: Any, prompts: Sequence[list[int]], sizes: Sizes, report: Report) -> None:
    """Measure transformers' continuous batching."""
    from transformers import ContinuousBatchingConfig, GenerationConfig

    settings: Any = GenerationConfig(
        max_new_tokens=sizes.max_tokens,
        do_sample=True,
        temperature=TEMPERATURE,
        top_p=TOP_P,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    # On a processor its cache would take most of the main memory. Other attention would be downloaded.
    bounds: dict[str, Any] = {} if torch.cuda.is_available() else {"num_blocks": 16, "max_batch_tokens": 1024}
    batching = ContinuousBatchingConfig(auto_switch_to_flash=False, **bounds)

    def written(some: Sequence[list[int]]) -> int:
        given = {"generation_config": settings, "continuous_batching_config": batching}
        return sum(len(one.generated_tokens) for one in model.generate_batch(list(some), **given).values())

    written(prompts[:2])
    forget_peak()
    began = time.perf_counter()
    tokens = written(prompts)
    synchronize()
    report.add("transformers generate_batch", requests=len(prompts), **_speed(tokens, time.perf_counter() - began))


def _vllm(setup: Setup, sizes: Sizes, report: Report) -> None:
    """Measure vLLM, as srlm drives it, in the environment that has it."""
    if setup.vllm_python is None:
        report.add("vllm", installed=False)
        return
    requests = [asdict(one) for one in _requests(setup, sizes, sizes.vllm)]
    work = {"folder": str(setup.folder), "device": setup.device, "requests": requests}
    script = Path(__file__).with_name("vllm_speed.py")
    # Packages that this Python finds by its path are of other versions than that environment's.
    path = os.environ["PYTHONPATH"] if setup.vllm_python == sys.executable else str(ROOT)
    # Without the script's folder on the path, whose names are those of other modules too.
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [setup.vllm_python, str(script)],
        input=json.dumps(work),
        capture_output=True,
        text=True,
        env=environment,
        timeout=None if setup.clock.deadline is None else max(1.0, setup.clock.left),
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-300:])
    report.add("vllm", installed=True, **json.loads(done.stdout.splitlines()[-1]))


def _requests(setup: Setup, sizes: Sizes, count: int) -> list[Request]:
    return candidates(setup.texts, -(-count // ANSWERS), ANSWERS, sizes.max_tokens)


def _speed(tokens: int, seconds: float) -> dict[str, Any]:
    return {"tokens_per_s": tokens / seconds, "tokens": tokens, "seconds": seconds, "peak_gb": peak_gb()}
