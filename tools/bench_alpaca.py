"""Time AlpacaEval's analysis of one model next to the alpaca_eval package, on the same annotations.

    python tools/bench_alpaca.py [--folder DIR] [--python PYTHON]

DIR has annotations/*.json.gz and df_gamed.csv (of the data set tatsu-lab/alpaca_eval); $SRLM_ALPACA_EVAL or
../shared/data/alpaca_eval, if not given. PYTHON is an interpreter that has alpaca_eval, such as that of a virtual
environment of its own ($SRLM_ALPACA_PYTHON); without one only srlm is timed. Processes take turns, so that what else
the machine does hits both. alpaca_eval reads df_gamed.csv from the Hub; here its reader is handed the same file.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from evals.suites.alpaca.files import read_annotations, read_difficulties
from evals.suites.alpaca.length_control import AlpacaDifficulties, length_controlled

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "alpaca_eval"
TURNS = 3
FITS = 5
RESAMPLES = 1_000

THEIRS = """
import gzip, json, logging, sys, time, warnings
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import pandas as pd
import alpaca_eval.metrics.glm_winrate as glm
annotations, gamed, fits = sys.argv[1], sys.argv[2], int(sys.argv[3])
glm.hf_hub_download = lambda *_, **__: gamed
with gzip.open(annotations, "rt", encoding="utf-8") as file:
    table = pd.DataFrame(json.load(file))
taken = []
for _ in range(fits):
    began = time.perf_counter()
    found = glm.get_length_controlled_winrate(table, save_weights_dir=None, is_add_glm_preference_inplace=False)
    taken.append(time.perf_counter() - began)
print(json.dumps({"rate": found["length_controlled_winrate"], "fits": taken}))
"""


def bench(folder: Path | None = None, python: str | None = None) -> dict[str, Any]:
    """Median seconds over all models: the analysis as a process, one fit in a process, an interval of 1,000 refits."""
    folder = folder or Path(os.environ.get("SRLM_ALPACA_EVAL", FOLDER))
    python = python or os.environ.get("SRLM_ALPACA_PYTHON")
    files = sorted((folder / "annotations").glob("*.json.gz"))
    if not files:
        return {"skipped": "there are no annotations: name their folder in SRLM_ALPACA_EVAL."}
    gamed = folder / "df_gamed.csv"
    figures: dict[str, Any] = {"model": files[0].name.removesuffix(".json.gz")}
    figures |= _processes(files[0], gamed, python)
    ours, theirs, refits = [], [], []
    table = read_difficulties(gamed)
    for file in files:
        fits, interval = _ours(file, table)
        ours += fits
        refits.append(interval)
        if python:
            theirs += _theirs(python, file, gamed, FITS)["fits"]
    figures |= {"models": len(files), "fit": statistics.median(ours), "interval": statistics.median(refits)}
    if theirs:
        figures |= {"their_fit": statistics.median(theirs)}
        figures |= {
            "process_ratio": figures["process"] / figures["their_process"],
            "fit_ratio": figures["fit"] / figures["their_fit"],
            "interval_in_their_fits": figures["interval"] / figures["their_fit"],
        }
    return figures


def _processes(file: Path, gamed: Path, python: str | None) -> dict[str, float]:
    """The whole analysis of one model, turn by turn, the first turn warming the disk."""
    srlm = [str(Path(sys.executable).parent / "srlm"), "compare", str(file), "--alpaca-difficulties", str(gamed)]
    ours, theirs = [], []
    for _ in range(TURNS + 1):
        ours.append(_seconds(srlm))
        if python:
            theirs.append(_seconds([python, "-c", THEIRS, str(file), str(gamed), "1"]))
    found = {"process": statistics.median(ours[1:])}
    return found | ({"their_process": statistics.median(theirs[1:])} if theirs else {})


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def _ours(file: Path, gamed: AlpacaDifficulties) -> tuple[list[float], float]:
    """Seconds of single fits, C by cross-validation included as in theirs, and of the refits of an interval alone."""
    rows = read_annotations(file).rows
    gaps = np.array([float(len(row.baseline_output) - len(row.model_output)) for row in rows])
    preferences = np.array([np.nan if row.preference is None else row.preference for row in rows])
    fits = []
    for _ in range(FITS):
        began = time.perf_counter()
        found = length_controlled(gaps, preferences, gamed, way="published", resamples=0)
        fits.append(time.perf_counter() - began)
    began = time.perf_counter()
    length_controlled(gaps, preferences, gamed, way="published", strength=found.strength, resamples=RESAMPLES)
    return fits, time.perf_counter() - began


def _theirs(python: str, file: Path, gamed: Path, fits: int) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-c", THEIRS, str(file), str(gamed), str(fits)], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def card(figures: dict[str, Any]) -> list[str]:
    """Lines for people."""
    if "skipped" in figures:
        return [f"AlpacaEval: skipped, {figures['skipped']}"]
    lines = [f"AlpacaEval: {figures['models']} models of the leaderboard, median seconds"]
    rows = (
        ("analysis as a process", "process", "their_process", "process_ratio"),
        ("one fit, C chosen", "fit", "their_fit", "fit_ratio"),
        (f"interval of {RESAMPLES:,} refits", "interval", "", "interval_in_their_fits"),
    )
    for words, ours, theirs, ratio in rows:
        line = f"  {words:26} srlm {figures[ours]:.3f}"
        if ratio in figures:
            beside = f", alpaca_eval {figures[theirs]:.3f}, ratio " if theirs else ", in single fits of alpaca_eval "
            line += f"{beside}{figures[ratio]:.2f}"
        lines.append(line)
    if "fit_ratio" not in figures:
        lines.append("  alpaca_eval is not beside it: name an interpreter that has it in SRLM_ALPACA_PYTHON")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time AlpacaEval's analysis of one model.")
    parser.add_argument("--folder", type=Path, default=None, help="annotations/*.json.gz and df_gamed.csv")
    parser.add_argument("--python", default=None, help="an interpreter that has alpaca_eval")
    given = parser.parse_args()
    measured = bench(given.folder, given.python)
    print("\n".join(card(measured)))
    print(json.dumps(measured))
