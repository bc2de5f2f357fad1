"""Train on the puzzle with judges that have a planted fault, and with honest ones, and collect the audits of each step.

    python tools/alarm_runs.py --judge likes_a_digit --seeds 1 2 3 --m1 FOLDER --runs FOLDER [--set grpo.steps=100]...

The judge is `self`, the policy with its weights of that step, or a program of tools/planted_judges.py. M1 is that of
the seed in the folder `--m1`: it is trained there if it is not yet, so that all judges begin at one model. A run that
was stopped is gone on with, and finished ones are read.

With a program as judge the run is strict at first: it ends at its first alarm, and the checkpoint that it offers, which
is the policy whose answers set off the alarm, solves the test's puzzles. Then it goes on without that to its end, and
M1 and M2 solve them too: how much truth is lost at the alarm is not read off the answers of a few steps.

With `--collect FOLDER` the audits of all runs in `--runs` are written into a file of that folder, and what was solved
into another, both for tools/replay_alarms.py; no run is trained then.
"""

import argparse
import gzip
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from learn_measure import solve_puzzles
from srlm.config import TrainConfig
from srlm.config_file import load_config
from srlm.console import Progress
from srlm.errors import StoppedByStrict
from srlm.jsonl import to_json
from srlm.puzzle.task import puzzles
from srlm.rollouts import StepAudit
from srlm.runs import Run, plan_run, settle_engine, start_run
from srlm.types import Sampling
from trainer.finetune.checkpoints import complete_checkpoints, trainer_state_dir
from trainer.loop import train
from trainer.preflight import preflight
from trainer.session import Session

PRESET = "rlsr-puzzle"
TESTED = 1000
"""Puzzles of the test."""
SELF = "self"
DRAWS = 1000
"""What a further draw adds to the seed of a run."""
JUDGES = (SELF, "honest", "likes_a_digit", "likes_an_opening")


@dataclass(frozen=True)
class Solved:
    """Which puzzles of the test a model solves, greedily: 1 or 0 for each, in their order.

    `step` is the optimiser step of its iteration: 0 for M1, None for the iteration's end.
    """

    model: str
    step: int | None
    items: str


def config_of(judge: str, seed: int, changes: list[str]) -> TrainConfig:
    """Return the settings of a run: one iteration of the preset."""
    by_program = [
        f"reward={Path(__file__).with_name('planted_judges.py')}:{judge}",
        "rollouts.right_from=4.5",
        "grpo.save_steps=1",
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
        if judge != SELF:
            run.stage("test/alarm", Solved, lambda: until_alarm(run, progress))
        train(run.config, run, progress)
        if judge != SELF:
            run.stage("test/ends", Solved, lambda: [solve(run, "M1", progress, 0), solve(run, "M2", progress)])
    finally:
        run.close()


def until_alarm(run: Run, progress: Progress) -> list[Solved]:
    """Train until the first alarm; return what the offered checkpoint solves, nothing if there was no alarm."""
    try:
        train(run.config, run, progress, strict=True)
    except StoppedByStrict as stopped:
        progress.say(str(stopped))
        step, folder = list(complete_checkpoints(trainer_state_dir(run.folder / "M2" / "checkpoint")).items())[-1]
        return [solve(run, f"step-{step}", progress, step, folder)]
    return []


def solve(run: Run, model: str, progress: Progress, step: int | None = None, folder: Path | None = None) -> Solved:
    """Let a model solve the test's puzzles; `folder` is that of a checkpoint."""
    session = Session(run.config, run, progress)
    sampling = Sampling(0.0, 1.0, run.config.grpo.max_completion_length)
    relations = [one.relations for one in puzzles("test", 0)[:TESTED]]
    solved = solve_puzzles(session, model, relations, sampling, 1, folder)
    session.release()
    return Solved(model, step, "".join(str(int(one)) for (one,) in solved))


def collect(root: Path, folder: Path) -> None:
    """Write the audits of all iterations into one file, and what was solved into another, as "name/M2"."""
    audits, solved = [], []
    for path in sorted(root.glob("*/M*/audit.jsonl")):
        run, model = Run(path.parent.parent), path.parent.name
        name = f"{run.name}/{model}"
        audits += [{"run": name, **to_json(one)} for one in run.records(f"{model}/audit", StepAudit)]
        found = [*run.records("test/alarm", Solved), *run.records("test/ends", Solved)]
        solved += [{"run": name, **to_json(one)} for one in found]
    for name, lines in (("audits", audits), ("solved", solved)):
        text = "".join(json.dumps(one) + "\n" for one in lines)
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def main() -> None:
    """Train the runs that are asked for, or collect their audits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", choices=JUDGES, nargs="+", default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[])
    parser.add_argument("--draw", type=int, default=0, help="number of the draw of problems and answers")
    parser.add_argument("--m1", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--collect", type=Path, metavar="FOLDER")
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
