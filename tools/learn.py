"""The learning test (docs/explain/puzzle.md): does the loop make a model better, by its own judgement alone?

For each seed the loop trains M1, M2 and M3 of the preset `puzzle`, and then the checker, which the loop never sees,
says how many of 1,000 puzzles each of them solves; no training of any seed has one of these. With `--preset sentences`
it is SmolLM2 and the words used of five (docs/explain/sentences.md). Before the first iteration
M1's judge is looked at: one that cannot tell good answers from bad ones has not learned, and the test ends there and
says so. With `--control` (tools/learn_controls.py) the loop is told something false, and should not gain.
With `--learn rollouts` the ways to learn are compared: DPO on pairs, GRPO on rollouts, and the controls of the latter
(tools/learn_ways.py, docs/explain/rlsr.md).

Runs are thrown away, or kept in the folder that `--runs` names and gone on with there. `--m1` takes the M1 of kept runs
so that what is compared begins at one model. Prints a table, and ends with one JSON line. With `--check` the exit code
says whether the loop learned as it should: 1 where a seed, or their mean, gained too little, or a control too much.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

# Products of so small a model's matrices as the puzzle's are slower on two threads than on one.
if "sentences" not in sys.argv:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from learn_controls import CONTROLS
from learn_picture import curves, svg
from learn_run import TASKS, Learned, Task, one_run, same_m1
from learn_tables import gain_of, records, signed, table
from learn_ways import ARMS, compare_ways, shortfalls_of_ways
from learn_ways_tables import audit_lines, audit_markdown, gain_curves, markdown, seeds_markdown
from srlm.config_file import load_config
from srlm.console import Progress, stdout
from srlm.errors import SrlmError
from srlm.jsonl import without_nan
from trainer.preflight import preflight


def shortfalls(found: list[Learned], task: Task) -> list[str]:
    """What is not as it should be."""
    control = found[0].control
    if control:
        return [
            f"seed {one.seed}: gained {one.gain:+.3f} by {control}, more than {task.control}"
            for one in found
            if one.gain > task.control
        ]
    mean = fmean(one.gain for one in found)
    short = [f"seed {one.seed}: gained {one.gain:+.3f}, less than {task.each}" for one in found if one.gain < task.each]
    return short + ([f"the mean gain is {mean:+.3f}, less than {task.pooled}"] if mean < task.pooled else [])


def main() -> None:
    """Learn, measure, print the table, end with the JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--preset", choices=TASKS, default="puzzle", help="the task; puzzle, if not given")
    parser.add_argument(
        "--learn",
        choices=("pairs", "rollouts"),
        default="pairs",
        help="rollouts: compare the ways to learn; puzzle only",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds of the runs; 0, if not given")
    parser.add_argument("--control", choices=CONTROLS, help="what the loop is told instead of the truth")
    parser.add_argument(
        "--arms", choices=ARMS, nargs="+", help="with --learn rollouts, the ways to learn; all, if not given"
    )
    parser.add_argument("--runs", type=Path, help="folder that keeps the runs; they are thrown away, if not given")
    parser.add_argument("--m1", type=Path, help="folder of kept runs whose M1 is the start, seed by seed")
    parser.add_argument("--set", dest="changes", action="append", default=[], help="change a setting of the preset")
    parser.add_argument("--tested", type=int, help="size of the test; 1000 puzzles or 200 sets of words, if not given")
    parser.add_argument("--picture", type=Path, help="write the curves to this file, as SVG")
    parser.add_argument("--check", action="store_true", help="exit with 1 where the gains are not as they should be")
    options = parser.parse_args()
    rollouts = options.learn == "rollouts"
    if rollouts and (options.control or options.preset != "puzzle"):
        parser.error("--learn rollouts is for the puzzle, and its controls are arms: --arms random-reward")
    if options.arms and not rollouts:
        parser.error("--arms needs --learn rollouts")
    task = TASKS[options.preset]
    tested = options.tested or task.tested
    with tempfile.TemporaryDirectory() as passing:
        root = options.runs or Path(passing)
        try:
            found, short = (_ways if rollouts else _loop)(root, options, task, tested)
        except SrlmError as error:
            sys.exit(f"Error: {error}")
    if options.check and short:
        print("\n".join(short))
    print(json.dumps(without_nan(records(found, options.changes))))
    sys.exit(1 if options.check and short else 0)


def _loop(root: Path, options: Any, task: Task, tested: int) -> tuple[list[Learned], list[str]]:
    """Run the loop of each seed, print the table, and return the runs and what is not as it should be."""
    configs = [load_config(task.preset, [f"seed={seed}", *options.changes]) for seed in options.seeds]
    preflight(configs[0])
    if options.m1:
        same_m1(options.m1, configs)
    found = [one_run(root, one, options.control, options.m1, task, tested, Progress()) for one in configs]
    _print_runs(found, task)
    if len(found) > 1:
        print(f"Mean gain of {len(found)} seeds {signed(gain_of(found, task.full))}")
    if options.picture:
        text = svg(records(found, options.changes), task.title.format(tested))
        options.picture.write_text(text, encoding="utf-8")
    return found, shortfalls(found, task)


def _ways(root: Path, options: Any, task: Task, tested: int) -> tuple[list[Learned], list[str]]:
    """Run each way to learn on each seed, print the tables, and return the runs and what is not as it should be."""
    arms = [ARMS[name] for name in options.arms or ARMS]
    by_arm = compare_ways(root, arms, options.seeds, options.changes, options.m1, task, tested, Progress())
    found = [one for runs in by_arm.values() for one in runs]
    _print_runs(found, task)
    tables = (markdown(by_arm), seeds_markdown(by_arm), audit_markdown(by_arm))
    print("\n".join(line for lines in tables for line in ("", *lines)))
    if options.picture:
        options.picture.write_text(svg(gain_curves(by_arm), task.title.format(tested)), encoding="utf-8")
        if lines := audit_lines(by_arm):
            steps = max(sum(len(audit.right) for audit in one.audits) for one in found)
            text = curves(lines, "Answers written in training, by the checker and by the judge", steps)
            options.picture.with_stem(f"{options.picture.stem}-audit").write_text(text, encoding="utf-8")
    return found, shortfalls_of_ways(by_arm, task)


def _print_runs(found: list[Learned], task: Task) -> None:
    stdout().print(table(found, task))
    for one in found:
        if one.ended:
            print(f"seed {one.seed}{f' {one.control}' if one.control else ''}: {one.ended}")


if __name__ == "__main__":
    main()
