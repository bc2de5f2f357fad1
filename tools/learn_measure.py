"""What a model of the puzzle world can do, by the checker: answering the test's puzzles, judging held-out answers.

A puzzle is of the test set by its relations alone, so no run of any seed has learned from one. All models of
all runs get the same puzzles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from srlm.judges.pointwise import rewards, score
from srlm.puzzle.task import FULL_SCORE, Puzzle, puzzles
from srlm.seeding import derive_seed
from srlm.stats.intervals import Estimate, wilson
from srlm.stats.reward_model import Ranked, reward_model_metrics
from srlm.types import Answer, Completion, Message, RankedPrompt, Request, Sampling
from trainer.session import Session

SAMPLES = 4
"""Answers at temperature 1 to each puzzle, for pass@4."""
LEARNED = 0.66
"""Pairwise accuracy, and share of answers with a score, below which a judge has not learned; a coin gets 0.5."""


@dataclass(frozen=True)
class Measured:
    """One model by the checker.

    `solved` is greedy; `pass_at_4` wants one solution in four answers at temperature 1. `judge` is the model's accuracy
    on pairs of held-out answers with different scores, ties half; `read` the share of these answers that it scored.
    """

    model: str
    solved: Estimate
    pass_at_4: Estimate
    judge: Estimate
    read: float

    @property
    def judges(self) -> bool:
        """Whether it has learned to judge."""
        return self.judge.value >= LEARNED and self.read >= LEARNED


def measure(session: Session, model: str, tested: int) -> Measured:
    """Measure a model of a run on so many puzzles of the test."""
    relations = [puzzle.relations for puzzle in puzzles("test", 0)[:tested]]
    limit = session.config.candidate_sampling.max_tokens
    first = _solved(session, model, relations, Sampling(0.0, 1.0, limit), 1)
    several = _solved(session, model, relations, Sampling(1.0, 1.0, limit), SAMPLES)
    judge, read = _judging(session, model)
    return Measured(
        model, wilson(sum(map(any, first)), len(first)), wilson(sum(map(any, several)), len(several)), judge, read
    )


def _solved(
    session: Session, model: str, relations: Sequence[str], sampling: Sampling, samples: int
) -> list[list[bool]]:
    """For each puzzle, which of the model's answers solve it."""
    requests = [
        Request((Message("user", one),), sampling, seed=derive_seed("test", one, sample), sample=sample)
        for one in relations
        for sample in range(samples)
    ]
    replies = session.caller(model, "test").ask(requests, f"{model}: {len(requests)} answers to the test's puzzles")
    solved = [
        isinstance(reply, Completion) and Puzzle(request.messages[0].content).score(reply.text.strip()) == FULL_SCORE
        for request, (_, reply) in zip(requests, replies, strict=True)
    ]
    return [solved[start : start + samples] for start in range(0, len(solved), samples)]


def _judging(session: Session, model: str) -> tuple[Estimate, float]:
    """Pairwise accuracy on the run's held-out answers, whose scores are known, and the share that got a score."""
    ranked = session.run.stage("seeds/validation", RankedPrompt, list)
    answers = [
        (prompt, Answer(f"{prompt.id}-a{number}", prompt.id, "checker", answer.text, "stop"))
        for prompt in ranked
        for number, answer in enumerate(prompt.answers)
    ]
    verdicts = score(
        session.judge(),
        session.caller(model, "test"),
        answers,
        seed=0,
        label=f"{model} judges {len(answers)} held-out answers",
    )
    given = {reward.answer_id: reward.value for reward in rewards([answer for _, answer in answers], verdicts)}
    groups = [
        Ranked(
            tuple(answer.rank for answer in prompt.answers),
            tuple(given[f"{prompt.id}-a{number}"] for number in range(len(prompt.answers))),
            tuple(len(answer.text) for answer in prompt.answers),
        )
        for prompt in ranked
    ]
    metrics = reward_model_metrics(groups, ties="half", resamples=1000)
    return metrics.pairwise_accuracy, 1 - metrics.unread / metrics.replies
