"""One run of the learning test (tools/learn.py): train model by model, and measure each when it is there."""

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from learn_audit import Audited, audited
from learn_controls import before_iteration, before_m1
from learn_measure import Measured, measure
from srlm.config import TrainConfig
from srlm.config_file import differences
from srlm.console import Progress
from srlm.errors import NothingToTrain, TrainingFailed, UsageError
from srlm.runs import Run, open_run, plan_run, settle_engine, start_run
from srlm.sentences.task import WORDS
from srlm.stats.intervals import Estimate, mean_interval
from srlm.types import Answer
from trainer.loop import train
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
    between their answers to each item of the test. `answers` counts what was written to learn from, and `audits` has
    the audit of each model that learned from rollouts.
    """

    seed: int
    control: str | None
    models: list[Measured]
    gain: float
    interval: Estimate
    seconds: float
    ended: str | None
    answers: int
    audits: list[Audited] = field(default_factory=list)


def learn(
    config: TrainConfig,
    run: Run,
    control: str | None,
    task: Task,
    tested: int,
    progress: Progress,
    first: Measured | None = None,
) -> Learned:
    """Run the loop of one seed model by model, and measure each; `first` is M1, where another run has measured it."""
    began = time.monotonic()
    session = Session(config, run, progress)
    before_m1(config, run, control)
    train(config.model_copy(update={"iterations": 0}), run, progress)
    models = [first or measure(session, "M1", tested)]
    ended = None if control or models[0].judges else NOT_LEARNED
    for number in range(1, config.iterations + 1):
        if ended:
            break
        before_iteration(session, number, control)
        session.release()
        try:
            train(config.model_copy(update={"iterations": number}), run, progress)
            models.append(measure(session, f"M{number + 1}", tested))
        except TrainingFailed as failed:
            # Without a pair, or without enough verdicts, there is nothing to learn from: a result of the test.
            if config.learn_from != "rollouts" and not isinstance(failed, NothingToTrain):
                raise
            ended = str(failed)
    session.release()
    gain = models[-1].quality - models[0].quality
    gained = [last - first for first, last in zip(models[0].items, models[-1].items, strict=True)]
    interval = mean_interval(gained, bounds=(-task.full, task.full))
    audits = [audited(run, model.model) for model in models[1:]] if config.learn_from == "rollouts" else []
    candidates = [run.records(f"{model.model}/candidates", Answer) for model in models[1:]]
    answers = sum(one.whole.answers for one in audits) + sum(map(len, candidates))
    seconds = round(time.monotonic() - began, 1)
    return Learned(config.seed, control, models, gain, interval, seconds, ended, answers, audits)


def one_run(
    root: Path,
    config: TrainConfig,
    control: str | None,
    m1: Path | None,
    task: Task,
    tested: int,
    progress: Progress,
    suffix: str | None = None,
    first: Measured | None = None,
) -> Learned:
    """Start a run, or go on with it; M1 is that of the seed's run in the folder `m1`, if one is given.

    The run's folder is named by the seed and, after it, by `suffix` or the control.
    """
    name = f"seed-{config.seed}"
    folder = "-".join([name, *filter(None, [suffix or control])])
    config = settle_engine(config, plan_run(root, folder, config), progress.say)
    run = start_run(root, folder, config)
    run.lock()
    if m1:
        for part in ("seeds", "M1"):
            if not (run.folder / part).exists():
                shutil.copytree(m1 / name / part, run.folder / part)
    try:
        return learn(config, run, control, task, tested, progress, first)
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
