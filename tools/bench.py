"""Speed, side by side in one run: `make bench`. Prints a card for people and ends with one JSON line for machines.

start       how long `srlm --help` takes, beside the command lines of trl and of Python itself
generation  answers and verdicts of a local model: one call at a time, transformers, vLLM, srlm's engine; and both
            together, as an iteration of the loop has them
training    an optimiser step of SFT on answers, of SFT on judgements, and of DPO, in turns with plain TRL's
remote      judging over a server, beside what waiting alone would take
ledger      looking a call up among a million
statistics  how often intervals hold the truth, and tests reject it: no speed, but shares
gate        how often a gate passes, fails and leaves open what is truly equal, and truly worse: shares again
hostile     looking answers through for text that speaks to the judge: how it grows with their length
host        an iteration's work beside its model, at the paper's size: prompts tokenized, instructions compared,
            weights hashed
alpaca      win rates out of AlpacaEval's annotations, beside the package alpaca_eval

`make bench BENCH="start ledger"` runs some of them. Ratios hold across machines, seconds do not; other work on the same
cores spoils both.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import bench_alpaca
import bench_gate
import bench_generation
import bench_host
import bench_hostile
import bench_ledger
import bench_remote
import bench_statistics
import bench_training

STARTS = 5


def start() -> dict[str, float]:
    """Median seconds of three commands that only say what they can do."""
    scripts = Path(sys.executable).parent
    return {
        "python": _seconds([sys.executable, "-c", "pass"]),
        "srlm": _seconds([str(scripts / "srlm"), "--help"]),
        "trl": _seconds([str(scripts / "trl"), "--help"]),
    }


def _seconds(command: list[str]) -> float:
    """Median over several starts, after one that warms the disk."""
    seconds = []
    for _ in range(STARTS + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def start_card(found: dict[str, float]) -> list[str]:
    """Lines for people."""
    lines = [f"Start-up, seconds, median of {STARTS}"]
    return lines + [
        f"  {name + (' -c pass' if name == 'python' else ' --help'):16} {one:.3f}" for name, one in found.items()
    ]


PARTS: dict[str, Any] = {
    "start": (start, start_card),
    "generation": (bench_generation.generation, bench_generation.card),
    "training": (bench_training.training, bench_training.card),
    "remote": (bench_remote.remote, bench_remote.card),
    "ledger": (bench_ledger.bench, bench_ledger.card),
    "statistics": (bench_statistics.bench, bench_statistics.card),
    "gate": (bench_gate.bench, bench_gate.card),
    "host": (bench_host.bench, bench_host.card),
    "hostile": (bench_hostile.bench, bench_hostile.card),
    "alpaca": (bench_alpaca.bench, bench_alpaca.card),
}


def main() -> None:
    """Measure, print the card, end with the JSON line."""
    os.environ["TQDM_DISABLE"] = "1"
    wanted = sys.argv[1:] or list(PARTS)
    unknown = set(wanted) - set(PARTS)
    if unknown:
        raise SystemExit(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
    found = {}
    for name in wanted:
        measure, card = PARTS[name]
        found[name] = measure()
        print("\n".join(card(found[name])), flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
