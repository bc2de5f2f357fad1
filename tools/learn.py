"""The learning test (docs/explain/puzzle.md): does the loop make a model better, by its own judgement alone?

For each seed the loop trains M1, M2 and M3 of the preset `puzzle`, and then the checker, which the loop never sees,
says how many of 1,000 puzzles each of them solves; no training of any seed has one of these. With `--preset sentences`
it is SmolLM2 and the words used of five (docs/explain/sentences.md). Before the first iteration
M1's judge is looked at: one that cannot tell good answers from bad ones has not learned, and the test ends there and
says so. With `--control` (tools/learn_controls.py) the loop is told something false, and should not gain.

Runs are thrown away, or kept in the folder that `--runs` names and gone on with there. `--m1` takes the M1 of kept runs
so that what is compared begins at one model. Prints a table, and ends with one JSON line. With `--check` the exit code
says whether the loop learned as it should: 1 where a seed, or their mean, gained too little, or a control too much.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from statistics import fmean
from typing import Any

# Products of so small a model's matrices as the puzzle's are slower on two threads than on one.
if "sentences" not in sys.argv:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from learn_controls import CONTROLS, before_iteration, before_m1
from learn_measure import Measured, measure
from learn_picture import svg
from srlm.config import TrainConfig
from srlm.config_file import differences, load_config
from srlm.console import Progress, stdout
from srlm.errors import NothingToTrain, SrlmError, UsageError
from srlm.jsonl import without_nan
from srlm.runs import Run, open_run, plan_run, settle_engine, start_run
from srlm.sentences.task import WORDS
from srlm.stats.intervals import Estimate, mean_interval
from trainer.loop import train
from trainer.preflight import preflight
from trainer.session import Session

NOT_LEARNED = "the judge has not learned"


@dataclass(frozen=True)
class Task:
    """A preset's test: its size, and what is expected of the gain from M1 to the last model.

    At least `each` is expected for each seed, `pooled` for their mean, and at most `control` for a control. No model
    can reach more than `full`.
    """

    preset: str
    title: str
    full: int
    tested: int
    each: float
    pooled: float
    control: float


TASKS = {
    one.preset: one
    for one in (
        Task("puzzle", "Solved of {} unseen puzzles", 1, 1000, 0.10, 0.15, 0.03),
        Task("sentences", "Words used of five, on {} unseen sets of words", WORDS, 200, 0.2, 0.5, 0.1),
    )
}


@dataclass(frozen=True)
class Learned:
    """One run: its models in order, the seconds that it took, and why the loop ended early, if it did.

    `gain` is the last model's quality minus M1's; `interval` is the same with its 95 % interval, from the differences
    between their answers to each item of the test.
    """

    seed: int
    control: str | None
    models: list[Measured]
    gain: float
    interval: Estimate
    seconds: float
    ended: str | None


def learn(config: TrainConfig, run: Run, control: str | None, task: Task, tested: int, progress: Progress) -> Learned:
    """Run the loop of one seed model by model, and measure each when it is there."""
    began = time.monotonic()
    session = Session(config, run, progress)
    before_m1(config, run, control)
    train(config.model_copy(update={"iterations": 0}), run, progress)
    models = [measure(session, "M1", tested)]
    ended = None if control or models[0].judges else NOT_LEARNED
    for number in range(1, config.iterations + 1):
        if ended:
            break
        before_iteration(session, number, control)
        session.release()
        try:
            train(config.model_copy(update={"iterations": number}), run, progress)
            models.append(measure(session, f"M{number + 1}", tested))
        except NothingToTrain as nothing:  # at this place it can only be that no pair was left
            ended = str(nothing)
    session.release()
    gain = models[-1].quality - models[0].quality
    gained = [last - first for first, last in zip(models[0].items, models[-1].items, strict=True)]
    interval = mean_interval(gained, bounds=(-task.full, task.full))
    return Learned(config.seed, control, models, gain, interval, round(time.monotonic() - began, 1), ended)


def one_run(
    root: Path, config: TrainConfig, control: str | None, m1: Path | None, task: Task, tested: int, progress: Progress
) -> Learned:
    """Start a run, or go on with it; M1 is that of the seed's run in the folder `m1`, if one is given."""
    name = f"seed-{config.seed}"
    folder = f"{name}-{control}" if control else name
    config = settle_engine(config, plan_run(root, folder, config), progress.say)
    run = start_run(root, folder, config)
    run.lock()
    if m1:
        for part in ("seeds", "M1"):
            if not (run.folder / part).exists():
                shutil.copytree(m1 / name / part, run.folder / part)
    try:
        return learn(config, run, control, task, tested, progress)
    finally:
        run.close()


def same_m1(m1: Path, configs: list[TrainConfig]) -> None:
    """Refuse runs whose M1 would have been another one.

    Raises:
        UsageError: one of them is not there, or has other settings on the way to M1.
    """
    for config in configs:
        run = open_run(m1, f"seed-{config.seed}")
        changed = [
            change
            for change in differences(run.config.model_dump(mode="json"), config.model_dump(mode="json"))
            if change.startswith(("model", "seeds.", "sft.", "judge.rubric"))
        ]
        if changed or "M1" not in run.models():
            raise UsageError(f"--m1: {run.folder} has no M1 of these settings ({', '.join(changed) or 'no M1'}).")


def table(found: list[Learned], task: Task) -> Any:
    """For people: a row a run, solved shares or words used with their intervals."""
    from rich.table import Table

    title = task.title.format(found[0].models[0].solved.n)
    shown = Table(title=f"{title}, 95 % intervals", title_justify="left")
    whole = "solved" if task.preset == "sentences" else "pass@4"
    steps = max(len(one.models) for one in found)
    shown.add_column("seed", justify="right")
    for step in range(steps):
        shown.add_column(f"M{step + 1}", justify="right", no_wrap=True)
    shown.add_column("gain", justify="right", no_wrap=True)
    for column in (whole, "judge", "read", "s"):
        shown.add_column(column, justify="right")
    for one in found:
        rest = [""] * (steps - len(one.models))
        shown.add_row(
            f"{one.seed}" + (f" {one.control}" if one.control else ""),
            *[*map(_interval, (model.words or model.solved for model in one.models)), *rest],
            f"{one.gain:+.3f} [{one.interval.low:+.3f}, {one.interval.high:+.3f}]",
            " ".join(f"{(model.pass_at_4 or model.solved).value:.3f}" for model in one.models),
            " ".join("-" if isnan(model.judge.value) else f"{model.judge.value:.3f}" for model in one.models),
            f"{min(model.read for model in one.models):.2f}",
            f"{one.seconds:.0f}",
        )
    return shown


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


def _interval(share: Estimate) -> str:
    return f"{share.value:.3f} [{share.low:.3f}, {share.high:.3f}]"


def main() -> None:
    """Learn, measure, print the table, end with the JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--preset", choices=TASKS, default="puzzle", help="the task; puzzle, if not given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds of the runs; 0, if not given")
    parser.add_argument("--control", choices=CONTROLS, help="what the loop is told instead of the truth")
    parser.add_argument("--runs", type=Path, help="folder that keeps the runs; they are thrown away, if not given")
    parser.add_argument("--m1", type=Path, help="folder of kept runs whose M1 is the start, seed by seed")
    parser.add_argument("--set", dest="changes", action="append", default=[], help="change a setting of the preset")
    parser.add_argument("--tested", type=int, help="size of the test; 1000 puzzles or 200 sets of words, if not given")
    parser.add_argument("--picture", type=Path, help="write the curves to this file, as SVG")
    parser.add_argument("--check", action="store_true", help="exit with 1 where the gains are not as they should be")
    options = parser.parse_args()
    task = TASKS[options.preset]
    tested = options.tested or task.tested
    try:
        configs = [load_config(task.preset, [f"seed={seed}", *options.changes]) for seed in options.seeds]
        preflight(configs[0])
        with tempfile.TemporaryDirectory() as passing:
            root = options.runs or Path(passing)
            if options.m1:
                same_m1(options.m1, configs)
            found = [one_run(root, one, options.control, options.m1, task, tested, Progress()) for one in configs]
    except SrlmError as error:
        sys.exit(f"Error: {error}")
    stdout().print(table(found, task))
    for one in found:
        if one.ended:
            print(f"seed {one.seed}: {one.ended}")
    gains = mean_interval([one.gain for one in found], bounds=(-task.full, task.full))
    if gains.n > 1:
        print(f"Mean gain of {gains.n} seeds {gains.value:+.3f} [{gains.low:+.3f}, {gains.high:+.3f}]")
    short = shortfalls(found, task) if options.check else []
    print("\n".join(short), end="\n" if short else "")
    records = [{"changes": options.changes, **asdict(one)} for one in found]
    for model in (model for record in records for model in record["models"]):
        del model["items"]  # hundreds of numbers, of which the intervals are made
    if options.picture:
        options.picture.write_text(svg(records, task.title.format(tested)), encoding="utf-8")
    print(json.dumps(without_nan(records)))
    sys.exit(1 if short else 0)


if __name__ == "__main__":
    main()
