"""Early stopping of DPO by an external judge: select the snapshot that becomes the model.

In the paper (arXiv 2401.10020, section 3.1.3) a checkpoint answers 253 validation instructions every 200 steps, Claude
2 compares its answers with those of the checkpoint before, and training stops where they are no better. Here training
runs to its end and the judge follows, with the same choice: the learning-rate schedule is that of the whole training in
any case, and a local judge would not fit into memory during training. Steps after the selected one are wasted.

The first snapshot is compared with nothing, because without it there is no M_t+1. A snapshot is better if its mean
preference is above one half, over both orders of presentation and all instructions with a parsed verdict in both.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from pathlib import Path

from srlm.engines.open import public_name
from srlm.errors import EngineFailed
from srlm.judges.pairwise import Match, compare, load_pairwise
from srlm.seeding import derive_seed
from srlm.stats.intervals import mean_interval
from srlm.strip_reasoning import answer_of
from srlm.types import SCHEMA, Answer, Completion, Message, RankedPrompt, Request, Verdict
from trainer.finetune.checkpoints import complete_checkpoints, snapshot_dir
from trainer.session import Session


@dataclass(frozen=True)
class SnapshotComparison:
    """Result of comparing the answers of the snapshot at `step` with those of the snapshot at `before`.

    Attributes:
        win_rate: the judge's mean preference for the later snapshot, with its confidence interval.
        prompts: the number of instructions behind it.
        unread: instructions without a parsed verdict in both orders, or without an answer.
        length: mean difference of the answers' lengths in characters, later minus earlier.
    """

    step: int
    before: int
    judge: str
    win_rate: float
    low: float | None
    high: float | None
    prompts: int
    unread: int
    length: float
    schema: int = field(default=SCHEMA)

    @property
    def better(self) -> bool:
        """Return true if the later snapshot is better, so that training would continue after it."""
        return self.win_rate > 0.5


def select_snapshot(session: Session, model: str, folder: Path, last: int) -> None:
    """Put the snapshot at which the judge stops into `folder`, which holds the model of the `last` step.

    The comparisons are a stage of the run, and are read if they exist.

    Raises:
        EngineFailed: no verdict of the judge can be parsed.
    """
    snapshots = {step: path for step, path in complete_checkpoints(snapshot_dir(folder)).items() if step < last}
    places = {**snapshots, last: folder}
    found = session.run.stage(
        f"{model}/stopping", SnapshotComparison, lambda: _compare_snapshots(session, model, places)
    )
    session.release()
    step = stopping_step(list(places), found)
    session.progress.say(_summary(model, step, last, found))
    if step != last:
        shutil.rmtree(folder)
        shutil.copytree(places[step], folder)


def stopping_step(steps: Sequence[int], comparisons: Sequence[SnapshotComparison]) -> int:
    """Return the last step up to which each snapshot was better than the one before."""
    chosen = steps[0]
    for one in comparisons:
        if not one.better:
            break
        chosen = one.step
    return chosen


def _compare_snapshots(session: Session, model: str, places: dict[int, Path]) -> list[SnapshotComparison]:
    """Compare each snapshot with the one before, until one is no better."""
    config = session.config.dpo.stopping
    prompts = session.run.stage("seeds/validation", RankedPrompt, list)[: config.prompts]
    answers: dict[int, dict[str, Answer]] = {}
    verdicts: list[Verdict] = []
    found: list[SnapshotComparison] = []
    for before, step in pairwise(places):
        for one in (before, step):
            if one not in answers:
                answers[one] = _generate_answers(session, model, one, places[one], prompts)
        comparison, given = _compare_two(session, model, (before, step), prompts, answers)
        verdicts += given
        found.append(comparison)
        if not comparison.better:
            break
    session.run.write(f"{model}/stopping_answers", [one for each in answers.values() for one in each.values()])
    session.run.write(f"{model}/stopping_verdicts", verdicts)
    return found


def _generate_answers(
    session: Session, model: str, step: int, folder: Path, prompts: Sequence[RankedPrompt]
) -> dict[str, Answer]:
    """Sample a snapshot's answers, by prompt id. All snapshots use the same random seeds."""
    name = f"{model}@{step}"
    sampling = session.config.candidate_sampling.resolved()
    requests = [
        Request(
            (*one.context, Message("user", one.instruction)),
            sampling,
            seed=derive_seed(session.config.seed, "stopping", one.id),
        )
        for one in prompts
    ]
    replies = session.caller(name, f"{model}/stopping", folder).ask(
        requests, f"{model}: answers of step {step} to {len(prompts)} held-out instructions"
    )
    return {
        one.id: answer_of(f"{name}-{one.id}", one.id, name, key, reply)
        for one, (key, reply) in zip(prompts, replies, strict=True)
        if isinstance(reply, Completion)
    }


def _compare_two(
    session: Session,
    model: str,
    steps: tuple[int, int],
    prompts: Sequence[RankedPrompt],
    answers: dict[int, dict[str, Answer]],
) -> tuple[SnapshotComparison, list[Verdict]]:
    """Compare the answers of two snapshots with the judge; return the result and the verdicts.

    Raises:
        EngineFailed: no verdict can be parsed.
    """
    before, step = steps
    judge = str(session.config.dpo.stopping.judge)
    matches = [
        Match(answers[step][one.id].id, one.instruction, answers[step][one.id], answers[before][one.id], one.context)
        for one in prompts
        if one.id in answers[step] and one.id in answers[before]
    ]
    preferences = compare(
        session.caller(judge, f"{model}/stopping"),
        load_pairwise(),
        matches,
        label=f"{model}: {public_name(judge)} compares the answers of step {step} with those of step {before}",
    )
    read = [(one.value, len(one.match.first.text) - len(one.match.second.text)) for one in preferences]
    means = [mean for mean, _ in read if mean is not None]
    if not means:
        raise EngineFailed(
            f"{model}: {public_name(judge)} gave no verdict that can be parsed on any of {len(prompts)} instructions, "
            "so no checkpoint can be selected. Set another dpo.stopping.judge in a new run (--name)."
        )
    rate = mean_interval(means)
    comparison = SnapshotComparison(
        step=step,
        before=before,
        judge=preferences[0].verdicts[0].judge,
        win_rate=rate.value,
        low=rate.low if isfinite(rate.low) else None,
        high=rate.high if isfinite(rate.high) else None,
        prompts=len(means),
        unread=len(prompts) - len(means),
        length=round(sum(length for mean, length in read if mean is not None) / len(means), 1),
    )
    return comparison, [verdict for one in preferences for verdict in one.verdicts]


def _summary(model: str, step: int, last: int, comparisons: Sequence[SnapshotComparison]) -> str:
    """Return one line that names the selected step and the comparison that ended the selection."""
    if not comparisons:
        return f"{model}: step {last} is its only checkpoint; there is none to compare it with."
    end = comparisons[-1]
    interval = "" if end.low is None or end.high is None else f" [{end.low:.1%}, {end.high:.1%}]"
    unread = f", {end.unread} more without a parsed verdict" if end.unread else ""
    return (
        f"{model}: the checkpoint of step {step} of {last} is the model. By {end.judge}, step {end.step} wins "
        f"{end.win_rate:.1%}{interval} of {end.prompts} comparisons with step {end.before}{unread}; mean length "
        f"{end.length:+.0f} characters."
    )
