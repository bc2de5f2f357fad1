"""Which checkpoint of a preference tuning becomes the model: early stopping by a judge from outside.

In the paper (arXiv 2401.10020, section 3.1.3) every 200 steps a checkpoint answers 253 validation instructions,
Claude 2 compares its answers with those of the checkpoint before, and training stops where they are no better. Here
training goes on to its end and the judge follows, with the same choice: the schedule of the learning rate is that of
the whole training in any case, and a judge on this machine would not fit beside one. What is trained beyond the
choice is lost.

The first checkpoint is compared with nothing: were M_t the better one, there would be no M_t+1. Better is a mean
preference above one half, over both orders of presentation and all instructions with a readable verdict in both.
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
from trainer.finetune.trl_common import kept, whole
from trainer.session import Session


@dataclass(frozen=True)
class Comparison:
    """The answers of the checkpoint at an optimiser step against those at the step `before`.

    `win_rate` is the judge's mean preference for the later one, with its interval, over `prompts` instructions;
    `unread` others have no readable verdict in one of the orders, or no answer. `length` is the mean difference in
    characters, later less before.
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
        """Whether training would go on after it."""
        return self.win_rate > 0.5


def take_best(session: Session, model: str, folder: Path, last: int) -> None:
    """Put the checkpoint that the judge stops at into `folder`, which holds that of the `last` step.

    The comparisons are a stage of the run: they are read where they have been made.

    Raises:
        EngineFailed: the judge cannot be read.
    """
    places = {**{step: path for step, path in whole(kept(folder)).items() if step < last}, last: folder}
    found = session.run.stage(f"{model}/stopping", Comparison, lambda: _compared(session, model, places))
    session.release()
    step = stopped_at(list(places), found)
    session.progress.say(_in_words(model, step, last, found))
    if step != last:
        shutil.rmtree(folder)
        shutil.copytree(places[step], folder)


def stopped_at(steps: Sequence[int], comparisons: Sequence[Comparison]) -> int:
    """The last step up to which each checkpoint was better than the one before."""
    chosen = steps[0]
    for one in comparisons:
        if not one.better:
            break
        chosen = one.step
    return chosen


def _compared(session: Session, model: str, places: dict[int, Path]) -> list[Comparison]:
    """Each checkpoint against the one before, until one is no better."""
    config = session.config.dpo.stopping
    prompts = session.run.stage("seeds/validation", RankedPrompt, list)[: config.prompts]
    answers: dict[int, dict[str, Answer]] = {}
    verdicts: list[Verdict] = []
    found: list[Comparison] = []
    for before, step in pairwise(places):
        for one in (before, step):
            if one not in answers:
                answers[one] = _answers(session, model, one, places[one], prompts)
        comparison, given = _comparison(session, model, (before, step), prompts, answers)
        verdicts += given
        found.append(comparison)
        if not comparison.better:
            break
    session.run.write(f"{model}/stopping_answers", [one for each in answers.values() for one in each.values()])
    session.run.write(f"{model}/stopping_verdicts", verdicts)
    return found


def _answers(
    session: Session, model: str, step: int, folder: Path, prompts: Sequence[RankedPrompt]
) -> dict[str, Answer]:
    """A checkpoint's answers by the instruction's id, drawn like candidates; all checkpoints by the same chance."""
    name = f"{model}@{step}"
    sampling = session.config.candidate_sampling.resolved()
    requests = [
        Request(
            (Message("user", one.instruction),), sampling, seed=derive_seed(session.config.seed, "stopping", one.id)
        )
        for one in prompts
    ]
    replies = session.caller(name, f"{model}/stopping", folder).ask(
        requests,
        f"{model}: answers of step {step} to {len(prompts)} held-out instructions",
    )
    return {
        one.id: answer_of(f"{name}-{one.id}", one.id, name, key, reply)
        for one, (key, reply) in zip(prompts, replies, strict=True)
        if isinstance(reply, Completion)
    }


def _comparison(
    session: Session,
    model: str,
    steps: tuple[int, int],
    prompts: Sequence[RankedPrompt],
    answers: dict[int, dict[str, Answer]],
) -> tuple[Comparison, list[Verdict]]:
    """What the judge says of the answers of two checkpoints, and its verdicts."""
    before, step = steps
    judge = str(session.config.dpo.stopping.judge)
    matches = [
        Match(answers[step][one.id].id, one.instruction, answers[step][one.id], answers[before][one.id])
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
            f"{model}: {public_name(judge)} gave no readable preference on any of {len(prompts)} instructions, so it "
            "cannot choose a checkpoint. Take another dpo.stopping.judge, under another --name."
        )
    rate = mean_interval(means)
    comparison = Comparison(
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


def _in_words(model: str, step: int, last: int, comparisons: Sequence[Comparison]) -> str:
    """Which step is the model, and why."""
    if not comparisons:
        return f"{model}: step {last} is its only checkpoint; there is none to compare it with."
    end = comparisons[-1]
    interval = "" if end.low is None or end.high is None else f" [{end.low:.1%}, {end.high:.1%}]"
    unread = f", {end.unread} more could not be read" if end.unread else ""
    return (
        f"{model}: the checkpoint of step {step} of {last} is the model. By {end.judge}, step {end.step} wins "
        f"{end.win_rate:.1%}{interval} of {end.prompts} comparisons with step {end.before}{unread}; mean length "
        f"{end.length:+.0f} characters."
    )
