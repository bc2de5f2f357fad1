"""Scores 0-5 for single answers: the LLM-as-a-Judge of the paper (arXiv 2401.10020, section 2.1, Figure 2).

`sampled` lets the judge write its reasons and then a score, several times; the mean counts. `expected` reads one
forward pass: the mean over the probabilities of the digits 0-5 where the score would stand, so there are no ties and
nothing to parse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from srlm.calls import ask
from srlm.config import JudgeConfig
from srlm.display import Progress
from srlm.engines.engine import Engine
from srlm.judges.parse import HIGHEST, LOWEST, read_score
from srlm.judges.template import Template, load_template
from srlm.ledger import Ledger
from srlm.randomness import derive
from srlm.types import Answer, Completion, Failed, Message, Request, Reward, Sampling, Scored, Unparsed, Verdict

SLOTS = ("instruction", "response")
DIGITS = tuple(str(value) for value in range(LOWEST, HIGHEST + 1))


@dataclass(frozen=True)
class PointwiseJudge:
    """How answers are scored: by which rubric, in which of the two ways, how often."""

    rubric: Template
    scoring: Literal["sampled", "expected"]
    samples: int
    sampling: Sampling

    def requests(self, instruction: str, response: str, seed: int) -> list[Request]:
        """The calls that score one answer."""
        messages = (Message("user", self.rubric.fill(instruction=instruction, response=response)),)
        if self.scoring == "expected":
            return [Request(messages, prefill="Score: ", choices=DIGITS)]
        return [
            Request(messages, self.sampling, seed=derive(seed, sample), sample=sample) for sample in range(self.samples)
        ]


def configured_judge(config: JudgeConfig) -> PointwiseJudge:
    """The judge that a configuration describes."""
    return PointwiseJudge(load_rubric(config.rubric), config.scoring, config.samples, config.sampling.resolved())


def load_rubric(name: str) -> Template:
    """A rubric by its name or path."""
    return load_template(name, SLOTS)


def verdict_text(rationale: str, score: int) -> str:
    """What a judge should write: the target of EFT, and the form that `parse.read_score` reads."""
    return f"{rationale}\nScore: {score}"


def score(
    judge: PointwiseJudge,
    engine: Engine,
    items: Sequence[tuple[str, Answer]],
    ledger: Ledger,
    *,
    seed: int,
    stage: str,
    progress: Progress,
    label: str,
) -> list[Verdict]:
    """Judge (instruction, answer) pairs; the verdicts come in order, `samples` for each answer."""
    requests: list[Request] = []
    owners: list[Answer] = []
    for instruction, answer in items:
        calls = judge.requests(instruction, answer.text, derive(seed, stage, answer.id))
        requests += calls
        owners += [answer] * len(calls)
    replies = ask(engine, requests, ledger, stage=stage, progress=progress, label=label)
    return [
        Verdict(
            id=f"{answer.id}-v{request.sample}",
            judge=engine.name,
            rubric=f"{judge.rubric.name}:{judge.rubric.digest}",
            answer_ids=(answer.id,),
            reading=_read(reply),
            sample=request.sample,
            call=key[:16],
        )
        for answer, request, (key, reply) in zip(owners, requests, replies, strict=True)
    ]


def _read(reply: Completion | Failed) -> Scored | Unparsed | Failed:
    if isinstance(reply, Failed):
        return reply
    if reply.probabilities is None:
        return read_score(reply)
    expectation = sum(value * p for value, p in zip(range(LOWEST, HIGHEST + 1), reply.probabilities, strict=True))
    return Scored(expectation, reply.text, reply.probabilities)


def rewards(answers: Sequence[Answer], verdicts: Sequence[Verdict]) -> list[Reward]:
    """The mean of each answer's readable verdicts. An answer without one has no reward: None, not zero."""
    of: dict[str, list[Verdict]] = {answer.id: [] for answer in answers}
    for verdict in verdicts:
        of[verdict.answer_ids[0]].append(verdict)
    return [_reward(answer_id, given) for answer_id, given in of.items()]


def _reward(answer_id: str, given: list[Verdict]) -> Reward:
    values = [verdict.reading.value for verdict in given if isinstance(verdict.reading, Scored)]
    return Reward(
        answer_id=answer_id,
        value=sum(values) / len(values) if values else None,
        spread=max(values) - min(values) if values else None,
        scored=len(values),
        unparsed=sum(isinstance(verdict.reading, Unparsed) for verdict in given),
        failed=sum(isinstance(verdict.reading, Failed) for verdict in given),
        verdict_ids=tuple(verdict.id for verdict in given),
    )
