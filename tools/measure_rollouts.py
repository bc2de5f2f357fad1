"""What learning from rollouts changed: each model of a run as answerer and as judge, on problems that it never saw.

    python tools/measure_rollouts.py RUN [--runs FOLDER] [--models M1 M2] [--problems 100] [--samples 4]

Each model answers the first problems of the task's test split `--samples` times, as in training (grpo.temperature),
and judges these answers as in training (judge, rollouts.shows); it judges the first model's answers too, so that two
judges are compared on the same answers. The task's checker says what is right. Precision: of the answers that a judge
calls right, the share that is. Recall: of the right answers, the share that it calls right. Intervals of 95 % are
clustered by problem. Prints a table, and ends with one JSON line. Everything is a call in the run's ledger.
"""

import argparse
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.table import Table

from srlm.console import Progress, stdout
from srlm.jsonl import without_nan
from srlm.runs import open_run
from srlm.stats.intervals import Estimate, mean_interval
from srlm.tasks.open import open_task
from srlm.tasks.task import Problem, Task
from trainer.rollouts.audit import check_answers
from trainer.rollouts.reward_settings import reward_settings
from trainer.rollouts.rewards import Judged, Written, final_rewards
from trainer.rollouts.sampling import open_rewarder, write_answers
from trainer.session import Session

STAGE = "test"


@dataclass(frozen=True)
class Measured:
    """A judge on the answers of a writer.

    Attributes:
        right: share of the answers that are.
        form: share of the answers from which the task extracts one.
        judged_right: share of the answers.
        precision: None if the judge calls none right.
        recall: None if none is right.
        read: share of the answers with a reward.
    """

    judge: str
    writer: str
    answers: int
    right: Estimate
    form: Estimate
    judged_right: Estimate
    precision: Estimate | None
    recall: Estimate | None
    read: Estimate


def written_by(session: Session, model: str, problems: Sequence[Problem], samples: int) -> list[Written]:
    """Let a model answer each problem several times, as in training."""
    label = f"{model}: {len(problems) * samples} answers"
    seed = (STAGE,)
    found = write_answers(session, model, problems, samples, stage=STAGE, seed=seed, prefix=model, label=label)
    return [one for group in found for one in group]


def judged_by(session: Session, model: str, answers: Sequence[Written]) -> tuple[list[Judged], float]:
    """Let a model judge answers as in training; return them with the reward from which one is called right.

    Raises:
        ValueError: the rewards have no such limit.
    """
    settings = replace(reward_settings(session, 1, strict=False), model=f"{STAGE}-{model}", judge_name=model)
    with closing(open_rewarder(session, settings, session.engine(model), STAGE)) as rewarder:
        if rewarder.right_from is None:
            raise ValueError("rollouts.right_from is not set, and the rewards have no scale")
        return rewarder.judge(answers), rewarder.right_from


def measure(judge: str, writer: str, task: Task, judged: Sequence[Judged], limit: float) -> Measured:
    """Compare a judge's word with the checker's."""
    answers = [one.written for one in judged]
    rewards = final_rewards(judged, len(judged))
    checked = check_answers(task, [one.problem for one in answers], [one.text for one in answers])
    rows = [
        (one.problem.id, answer is not None, right, None if reward is None else reward >= limit)
        for one, reward, (answer, right) in zip(answers, rewards, checked, strict=True)
    ]

    def share(values: Sequence[tuple[str, bool]]) -> Estimate | None:
        if not values:
            return None
        return mean_interval([float(one) for _, one in values], [name for name, _ in values], bounds=(0, 1))

    def known(values: Sequence[tuple[str, bool]]) -> Estimate:
        found = share(values)
        if found is None:
            raise ValueError("there is no answer")
        return found

    return Measured(
        judge,
        writer,
        len(rows),
        right=known([(name, right is True) for name, _, right, _ in rows]),
        form=known([(name, form) for name, form, _, _ in rows]),
        judged_right=known([(name, said is True) for name, _, _, said in rows]),
        precision=share([(name, right) for name, _, right, said in rows if said and right is not None]),
        recall=share([(name, said) for name, _, right, said in rows if right and said is not None]),
        read=known([(name, said is not None) for name, _, _, said in rows]),
    )


def main() -> None:
    """Measure the models that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--runs", type=Path, default=Path("results/runs"))
    parser.add_argument("--models", nargs="+", default=["M1", "M2"])
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--samples", type=int, default=4)
    options = parser.parse_args()
    run = open_run(options.runs, options.run)
    run.lock()
    session = Session(run.config, run, Progress())
    task = open_task(run.config.rollouts)
    problems = task.problems(options.problems, 0, "test")
    first, *later = options.models
    found = []
    answers = {model: written_by(session, model, problems, options.samples) for model in options.models}
    for judge, writer in [(first, first), *((model, first) for model in later), *((model, model) for model in later)]:
        judged, limit = judged_by(session, judge, answers[writer])
        found.append(measure(judge, writer, task, judged, limit))
    session.release()
    run.close()
    table = Table(title=f"{task.label}: {len(problems)} unseen problems, {options.samples} answers to each")
    for name in ("judge", "answers of", "right", "in the form", "judged right", "precision", "recall", "read"):
        table.add_column(name)
    for one in found:
        figures = (one.right, one.form, one.judged_right, one.precision, one.recall, one.read)
        table.add_row(one.judge, one.writer, *map(_shown, figures))
    stdout().print(table)
    print(json.dumps(without_nan([asdict(one) for one in found])))


def _shown(one: Estimate | None) -> str:
    return "-" if one is None else f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"


if __name__ == "__main__":
    main()
