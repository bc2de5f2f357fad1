"""Time a ledger of a million calls: looking one up, committing one, exporting all, and the memory that this takes.

    python tools/bench_ledger.py [--calls 1000000] [--folder DIR]

The file has about 2.2 kB a call and is put into a temporary folder, which needs 5 GB for a million. The rows are made
by one prepared statement, as `Ledger.commit` makes them; everything else goes through the ledger's own functions, each
in a process of its own, so that its memory is its own.
"""

import argparse
import hashlib
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from srlm.ledger import Call, Ledger
from srlm.ledger_export import export_calls
from srlm.ledger_schema import open_database
from srlm.types import Completion, Message, Request, Sampling

CALLS = 1_000_000
LOOK_UPS = 2_000
COMMITS = 200
BATCH = 5_000
SEED = 20260101
MARK = "NUMBER"

PROMPT = f"Which of the two answers is the better one? Question {MARK}. " + "Some words of an answer to judge. " * 38
ANSWER = f"The answer to question {MARK}: " + "a judge gives its reasons. " * 14
SAMPLING = Sampling(0.7, 0.9, 256)


def bench(calls: int = CALLS, folder: Path | None = None) -> dict[str, Any]:
    """Make a ledger, measure it, throw it away. Times of one call are in milliseconds, memory in MB."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="srlm-bench-") as made:
        path = Path(made) / "ledger.sqlite"
        began = time.perf_counter()
        fill(path, calls)
        figures: dict[str, Any] = {
            "calls": calls,
            "fill_s": time.perf_counter() - began,
            "file_gb": path.stat().st_size / 1e9,
        }
        for name, measure in (
            ("look_up", partial(look_up, path, calls)),
            ("commit", partial(commit, path, calls)),
            ("summary", partial(summary, path)),
            ("export", partial(export, path, Path(made) / "calls.jsonl")),
        ):
            figures |= {f"{name}_{key}": value for key, value in apart(measure).items()}
        return figures


def example(number: int) -> tuple[Request, Completion]:
    """The call of a number."""
    asked = Request((Message("user", PROMPT.replace(MARK, str(number))),), SAMPLING, seed=number)
    return asked, Completion(ANSWER.replace(MARK, str(number)), "stop", 320, 90)


def key_of(number: int) -> str:
    """The key of a call by its number: a digest like a real one, but quickly made."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def fill(path: Path, calls: int) -> None:
    """Make the rows, in batches. The JSON is made once and the number put into it: only so it takes a minute."""
    asked, said = example(0)
    request, reply = json.dumps(asdict(asked)), json.dumps(asdict(said))
    request = request.replace("Question 0.", f"Question {MARK}.").replace('"seed": 0', f'"seed": {MARK}')
    reply = reply.replace("question 0:", f"question {MARK}:")

    def rows(first: int) -> Iterator[tuple[object, ...]]:
        for number in range(first, min(first + BATCH, calls)):
            asked, said = request.replace(MARK, str(number)), reply.replace(MARK, str(number))
            yield key_of(number), "evals/alpaca", "openai:judge", asked, said, 320, 90, 0.2, 0.001, "2026-11-23"

    with closing(open_database(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")  # for this one connection, of a file that is thrown away
        for first in range(0, calls, BATCH):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows(first))
            connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def look_up(path: Path, calls: int) -> dict[str, Any]:
    """Open the ledger, and ask for answers at random."""
    numbers = random.Random(SEED).choices(range(calls), k=LOOK_UPS)
    keys = [key_of(number) for number in numbers]
    before = peak_mb()
    began = time.perf_counter()
    ledger = Ledger(path)
    opened = 1000 * (time.perf_counter() - began)
    taken = []
    for number, key in zip(numbers, keys, strict=True):
        began = time.perf_counter()
        found = ledger.get(key)
        taken.append(1000 * (time.perf_counter() - began))
        if found != example(number)[1]:
            raise SystemExit(f"The answer to call {number} is not the one that was written.")
    ledger.close()
    return {"open_ms": opened, **spread(taken), "memory_mb": peak_mb() - before}


def commit(path: Path, calls: int) -> dict[str, Any]:
    """Commit new calls one by one, as a judge behind a server does."""
    ledger = Ledger(path)
    before = peak_mb()
    taken = []
    for number in range(calls, calls + COMMITS):
        asked, said = example(number)
        call = Call(key_of(number), asked, said, 0.2, 0.001)
        began = time.perf_counter()
        ledger.commit("evals/alpaca", "openai:judge", [call])
        taken.append(1000 * (time.perf_counter() - began))
    ledger.close()
    return {**spread(taken), "memory_mb": peak_mb() - before}


def summary(path: Path) -> dict[str, Any]:
    """What `srlm ledger` shows."""
    ledger = Ledger(path)
    before = peak_mb()
    began = time.perf_counter()
    ledger.summary()
    taken = time.perf_counter() - began
    ledger.close()
    return {"s": taken, "memory_mb": peak_mb() - before}


def export(path: Path, target: Path) -> dict[str, Any]:
    """Write all calls to a file."""
    ledger = Ledger(path)
    before = peak_mb()
    began = time.perf_counter()
    export_calls(ledger, target)
    taken = time.perf_counter() - began
    ledger.close()
    return {"s": taken, "file_gb": target.stat().st_size / 1e9, "memory_mb": peak_mb() - before}


def spread(taken: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    return {"median_ms": median(taken), "p99_ms": quantiles(taken, n=100)[98]}


def apart(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Measure in a process of its own: the peak of memory is that of the process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure).result()


def peak_mb() -> float:
    """The most memory that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def card(figures: dict[str, Any]) -> list[str]:
    """Lines for people."""
    lines = [
        f"Ledger: {figures['calls']:,} calls, {figures['file_gb']:.1f} GB, made in {figures['fill_s']:.0f} s",
        f"  opened in {figures['look_up_open_ms']:.1f} ms",
    ]
    for name, words in (("look_up", "one call looked up"), ("commit", "one call committed")):
        times = f"{figures[f'{name}_median_ms']:.3f} ms, 99th percentile {figures[f'{name}_p99_ms']:.3f} ms"
        lines.append(f"  {words}: median {times}; memory +{figures[f'{name}_memory_mb']:.1f} MB")
    for name, words in (("summary", "summed up"), ("export", "exported")):
        lines.append(f"  all {words} in {figures[f'{name}_s']:.0f} s; memory +{figures[f'{name}_memory_mb']:.1f} MB")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time a ledger of a million calls.")
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--folder", type=Path, default=None, help="where the temporary folder is made")
    given = parser.parse_args()
    found = bench(given.calls, given.folder)
    print("\n".join(card(found)))
    print(json.dumps(found))
