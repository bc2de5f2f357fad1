"""Train on the puzzle with judges that have a planted fault, and with honest ones, and collect the audits of each step.

    python tools/alarm_runs.py --judge likes_a_digit --seeds 1 2 3 --m1 FOLDER --runs FOLDER [--set grpo.steps=100]...

The judge is `self`, the policy with its weights of that step, or a program of tools/planted_judges.py. M1 is that of
the seed in the folder `--m1`: it is trained there if it is not yet, so that all judges begin at one model. A run that
was stopped is gone on with, and finished ones are read. With `--collect FILE.jsonl.gz` the audits of all runs in
`--runs` are written into one file, which tools/replay_alarms.py reads; no run is trained then.
"""

import argparse
import gzip
import json
import os
import shutil
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from srlm.config import TrainConfig
from srlm.config_file import load_config
from srlm.console import Progress
from srlm.jsonl import to_json
from srlm.rollouts import StepAudit
from srlm.runs import Run, plan_run, settle_engine, start_run
from trainer.loop import train
from trainer.preflight import preflight

PRESET = "rlsr-puzzle"
SELF = "self"
DRAWS = 1000
"""What a further draw adds to the seed of a run."""
JUDGES = (SELF, "honest", "likes_a_digit", "likes_an_opening")


def config_of(judge: str, seed: int, changes: list[str]) -> TrainConfig:
    """Return the settings of a run: one iteration of the preset."""
    by_program = [
        f"reward={Path(__file__).with_name('planted_judges.py')}:{judge}",
        "rollouts.right_from=4.5",
    ]
    named = [f"seed={seed}", "iterations=1", *([] if judge == SELF else by_program), *changes]
    return load_config(PRESET, named)


def run_at(root: Path, name: str, config: TrainConfig, progress: Progress) -> Run:
    """Start a run, or go on with it."""
    config = settle_engine(config, plan_run(root, name, config), progress.say)
    run = start_run(root, name, config)
    run.lock()
    return run


def train_m1(root: Path, seed: int, progress: Progress) -> Path:
    """Train the M1 of a seed, if it is not there; return the run's folder."""
    if (root / f"seed-{seed}" / "M1" / "checkpoint").exists():
        return root / f"seed-{seed}"
    config = load_config(PRESET, [f"seed={seed}", "iterations=0"])
    run = run_at(root, f"seed-{seed}", config, progress)
    try:
        train(config, run, progress)
    finally:
        run.close()
    return run.folder


def train_with(judge: str, seed: int, draw: int, m1: Path, root: Path, changes: list[str], progress: Progress) -> None:
    """Train one iteration from the M1 of a seed; other draws have other problems and other answers."""
    config = config_of(judge, seed + DRAWS * draw, changes)
    preflight(config)
    run = run_at(root, f"{judge}-seed-{seed}" + (f"-draw-{draw}" if draw else ""), config, progress)
    try:
        for part in ("seeds", "M1"):
            if not (run.folder / part).exists():
                shutil.copytree(m1 / part, run.folder / part)
        train(run.config, run, progress)
    finally:
        run.close()


def collect(root: Path, path: Path) -> None:
    """Write the audits of all finished runs into one file, with the run's name in each line."""
    lines = []
    for audit in sorted(root.glob("*/M2/audit.jsonl")):
        run = Run(audit.parent.parent)
        lines += [json.dumps({"run": run.name, **to_json(one)}) for one in run.records("M2/audit", StepAudit)]
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))


def main() -> None:
    """Train the runs that are asked for, or collect their audits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", choices=JUDGES, nargs="+", default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[])
    parser.add_argument("--draw", type=int, default=0, help="number of the draw of problems and answers")
    parser.add_argument("--m1", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--collect", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.collect:
        collect(options.runs, options.collect)
        return
    progress = Progress()
    for seed in options.seeds:
        m1 = train_m1(options.m1 or options.runs, seed, progress)
        for judge in options.judge:
            began = time.monotonic()
            train_with(judge, seed, options.draw, m1, options.runs, options.set, progress)
            print(json.dumps({"judge": judge, "seed": seed, "seconds": round(time.monotonic() - began, 1)}), flush=True)


if __name__ == "__main__":
    main()
