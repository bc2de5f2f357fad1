"""Pointwise LLM-as-a-judge: scores of single answers (arXiv 2401.10020, section 2.1, Figure 2).

`sampled`: the judge writes its reasons and then a score, several times; the reward is the mean. `expected`: one forward
pass gives the probabilities of the rubric's digits in place of the score; the reward is the expectation, so there are
no ties and nothing to parse.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

from srlm.config.preferences import JudgeConfig
from srlm.engines.engine import Engine
from srlm.errors import UsageError
from srlm.inference import Caller
from srlm.judges.combination import Combination, verdict_of
from srlm.judges.injection import find_injections
from srlm.judges.parse import LEAST_DIGITS, expectation, read_score
from srlm.judges.rubric import Rubric, Scale, load_rubric
from srlm.rewards.combine import combine
from srlm.rewards.source import RewardSource, kind_of, source_verdicts
from srlm.seeding import derive_seed
from srlm.strip_reasoning import mass_of, thoughts_of
from srlm.transcript import Asked
from srlm.types import Answer, Completion, Failed, Message, Request, Reward, Sampling, Scored, Unparsed, Verdict

ONE_DIGIT = 9
SCORE_LINE = "Score: "


@dataclass(frozen=True)
class PointwiseJudge:
    """A pointwise judge: its rubric, the kind of scoring, and the number of samples.

    `least_mass` is the minimum probability of all digits together, for `expected`.
    """

    rubric: Rubric
    scoring: Literal["sampled", "expected"]
    samples: int
    sampling: Sampling
    least_mass: float = LEAST_DIGITS

    def __post_init__(self) -> None:
        """Refuse `expected` scoring on a scale with values of two digits.

        Raises:
            UsageError: the scoring is `expected` and the scale goes beyond 9.
        """
        if self.scoring == "expected" and self.rubric.scale.highest > ONE_DIGIT:
            raise UsageError(
                f"The scoring 'expected' compares the probabilities of single digits, but the scale of the rubric "
                f"{self.rubric.name} is {self.rubric.scale}. Use scoring=sampled, or a scale within 0-{ONE_DIGIT}."
            )

    def requests(self, instruction: str, response: str, seed: int, context: Sequence[Message] = ()) -> list[Request]:
        """Return the calls that score one answer; the judge sees the messages of `context` before the instruction."""
        messages = (Message("user", self.rubric.fill(context, instruction=instruction, response=response)),)
        if self.scoring == "expected":
            return [Request(messages, prefill=SCORE_LINE, choices=tuple(map(str, self.rubric.scale.values)))]
        return [
            Request(messages, self.sampling, seed=derive_seed(seed, sample), sample=sample)
            for sample in range(self.samples)
        ]


@dataclass(frozen=True)
class Method:
    """The way in which answers are scored: the label of the rubric or of the source, the scoring, and the scale.

    `scale` is None for programs, reward models and combinations.
    """

    rubric: str
    scoring: str
    scale: Scale | None


def method_of(judge: PointwiseJudge, engine: Engine) -> Method:
    """Return the method of `score` with this engine: that of the judge, or of a source that needs none."""
    if isinstance(engine, RewardSource):
        return Method(engine.label, kind_of(engine.label) or "", None)
    return Method(judge.rubric.label, scoring_description(judge), judge.rubric.scale)


def scoring_description(judge: PointwiseJudge) -> str:
    """Return the scoring of a judge as text: "expected", or "sampled x 3"."""
    return f"{judge.scoring} x {judge.samples}" if judge.scoring == "sampled" else judge.scoring


def configured_judge(config: JudgeConfig) -> PointwiseJudge:
    """Build the judge of a configuration.

    Raises:
        UsageError: the rubric is missing or wrong, or does not fit the scoring.
    """
    return PointwiseJudge(
        load_rubric(config.rubric), config.scoring, config.samples, config.sampling.resolved(), config.least_mass
    )


def verdict_text(rationale: str, score: int) -> str:
    """Return the text that a judge should write: the target of EFT, in the format of `parse.read_score`."""
    return f"{rationale}\n{bare_verdict(score)}"


def bare_verdict(score: int) -> str:
    """Return the score line alone, for judges that are trained for `expected` scoring."""
    return f"{SCORE_LINE}{score}"


def score(
    judge: PointwiseJudge,
    caller: Caller,
    items: Sequence[tuple[Asked, Answer]],
    *,
    seed: int,
    label: str,
) -> list[Verdict]:
    """Judge answers, each with what was asked; return the verdicts in order, `samples` per answer.

    A program, a reward model or a combination scores them by itself, once: of `judge` nothing is used.
    """
    if isinstance(caller.engine, Combination):
        return _score_by_parts(caller.engine, caller, items, seed=seed, label=label)
    if isinstance(caller.engine, RewardSource):
        return source_verdicts(caller, items, label)
    requests: list[Request] = []
    owners: list[Answer] = []
    for asked, answer in items:
        own = derive_seed(seed, caller.stage, answer.id)
        calls = judge.requests(asked.instruction, answer.text, own, asked.context)
        requests += calls
        owners += [answer] * len(calls)
    replies = caller.ask(requests, label)
    flagged = {
        answer.id: find_injections(answer.id, answer.text, judge.rubric, asked.context) for asked, answer in items
    }
    return [
        Verdict(
            id=f"{answer.id}-v{request.sample}",
            judge=caller.engine.name,
            rubric=judge.rubric.label,
            answer_ids=(answer.id,),
            reading=_read(reply, judge.rubric.scale, judge.least_mass),
            sample=request.sample,
            call=key[:16],
            injection_suspected=flagged[answer.id],
            thoughts=thoughts_of(reply),
            mass=mass_of(reply),
        )
        for answer, request, (key, reply) in zip(owners, requests, replies, strict=True)
    ]


def _score_by_parts(
    combination: Combination, caller: Caller, items: Sequence[tuple[Asked, Answer]], *, seed: int, label: str
) -> list[Verdict]:
    """Score answers with each source of a combination, one in memory at a time; return one verdict for each answer."""
    judge, found = configured_judge(combination.judge), list[list[Reward]]()
    for part, source in zip(combination.parts, combination.sources, strict=True):
        own = replace(caller, engine=source)
        verdicts = score(judge, own, items, seed=seed, label=f"{label}, by {part.source}")
        found.append(rewards([answer for _, answer in items], verdicts))
        source.close()
    combined = combine(combination.parts, found)
    return [verdict_of(combination, of_answer, one) for *of_answer, one in zip(*found, combined, strict=True)]


def _read(reply: Completion | Failed, scale: Scale, least_mass: float) -> Scored | Unparsed | Failed:
    if isinstance(reply, Failed):
        return reply
    if reply.probabilities is None:
        return read_score(reply, scale)
    return expectation(reply, scale.values, least_mass)


def rewards(answers: Sequence[Answer], verdicts: Sequence[Verdict]) -> list[Reward]:
    """Average the parsed verdicts of each answer. An answer without one has no reward: None, not zero."""
    of: dict[str, list[Verdict]] = {answer.id: [] for answer in answers}
    for verdict in verdicts:
        of[verdict.answer_ids[0]].append(verdict)
    return [_reward(answer_id, given) for answer_id, given in of.items()]


def _reward(answer_id: str, given: list[Verdict]) -> Reward:
    readings = [verdict.reading for verdict in given if isinstance(verdict.reading, Scored)]
    return Reward(
        answer_id=answer_id,
        value=sum(reading.value for reading in readings) / len(readings) if readings else None,
        spread=_spread(readings),
        scored=len(readings),
        unparsed=sum(isinstance(verdict.reading, Unparsed) for verdict in given),
        failed=sum(isinstance(verdict.reading, Failed) for verdict in given),
        verdict_ids=tuple(verdict.id for verdict in given),
        vetoed_by=tuple(dict.fromkeys(source for verdict in given for source in verdict.vetoed_by)),
    )


def _spread(readings: Sequence[Scored]) -> float | None:
    """Return the range of the sampled scores, or the standard deviation of a single score's distribution."""
    if not readings:
        return None
    probabilities = readings[0].probabilities
    if len(readings) == 1 and probabilities is not None:
        steps = range(len(probabilities))  # a distance on the scale, wherever the scale begins
        mean = sum(step * p for step, p in zip(steps, probabilities, strict=True))
        return sqrt(sum((step - mean) ** 2 * p for step, p in zip(steps, probabilities, strict=True)))
    values = [reading.value for reading in readings]
    return max(values) - min(values)
