"""Rewards of the policy's answers: those of the setting `reward`, with the judge that `rollouts.judged_by` names.

    judge       reads the rubric with the problem and the answer, which is between tags and sanitised as wherever srlm
                judges. The reward is the mean of its verdicts, or the most frequent score
    others      programs and reward models read the problem and the whole answer
    several     weighted mean and vetoes, as in `srlm.rewards.combine`

An answer without a verdict that could be read has no reward: None, which TRL leaves out of its group. A vetoed answer
gets one point less than the lowest reward in its group. With `rollouts.shows: answer`, a text in which the task finds
no answer is not judged: there is nothing to show, and it has the lowest score of the scale. The checker's word is no
input of anything here.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from srlm.config.rewards import JUDGE, RewardPart, only_judge
from srlm.console import Progress, Step
from srlm.engines.budget import Budget
from srlm.engines.client_config import ClientConfig
from srlm.engines.engine import Engine
from srlm.engines.open import open_engine
from srlm.inference import Caller
from srlm.judges.pointwise import configured_judge, score
from srlm.judges.pointwise import rewards as mean_rewards
from srlm.judges.rubric import Scale
from srlm.ledger import Ledger
from srlm.rewards.combine import combine, values_for_order
from srlm.rewards.source import open_source, source_verdicts
from srlm.tasks.task import Problem, Task
from srlm.types import Answer, Prompt, Reward, Scored, Verdict
from trainer.rollouts.settings import RewardSettings

RIGHT_BELOW_HIGHEST = 0.5
"""Points below the highest score from which an answer counts as judged right, if `rollouts.right_from` is null."""


@dataclass(frozen=True)
class Written:
    """An answer of the policy, decoded.

    Attributes:
        id: of the rollout.
        text: the answer, without reasoning before it.
        tokens: that were generated.
        cut: it ended at its length.
    """

    id: str
    problem: Problem
    text: str
    tokens: int
    cut: bool


@dataclass(frozen=True)
class Judged:
    """An answer with its reward before vetoes.

    Attributes:
        calls: beginnings of the keys of its calls in the ledger.
        unread: why the first verdict that could not be read could not be; "" if all could.
    """

    written: Written
    reward: Reward
    calls: tuple[str, ...]
    unread: str


class Rewarder:
    """The sources of the rewards, opened at their first use, and the ledger of their calls."""

    def __init__(
        self,
        settings: RewardSettings,
        task: Task,
        policy: Engine | None,
        progress: Progress,
        *,
        stage: str,
        device: str,
        dtype: str,
        thoughts_open: bool,
        processes: int = 1,
    ) -> None:
        """Read the judge's rubric and open the ledger.

        Args:
            settings: of the rewards.
            task: extracts answers.
            policy: the engine of the policy; None if another model judges.
            progress: gets messages, and no progress of single steps.
            stage: under which calls are counted in the ledger, and by which their seeds are derived.
            device: of local sources.
            dtype: likewise.
            thoughts_open: models of the run reason before they answer.
            processes: among which the budget is divided.

        Raises:
            UsageError: the rubric is missing or wrong.
            DataError: the ledger cannot be read.
        """
        self.settings, self._task, self._policy, self._stage = settings, task, policy, stage
        self._judge = configured_judge(settings.judge)
        self._progress = _MessagesAlone(progress)
        self._local: dict[str, Any] = {"device": device, "dtype": dtype, "batch_tokens": settings.batch_tokens}
        self._thoughts_open = thoughts_open
        self._client = ClientConfig(settings.max_connections, settings.timeout, warn=progress.say)
        self._budget = None if settings.max_cost is None else Budget(settings.max_cost)
        if self._budget is not None:  # each process has its part of what is left
            self._budget.spent = self._budget.limit - (self._budget.limit - settings.spent) / processes
        self._ledger = Ledger(settings.ledger)
        self._opened: dict[str, Engine] = {}

    @property
    def scale(self) -> Scale | None:
        """Return the scale of the rewards: that of the rubric, None where another source has a weight."""
        return self._judge.rubric.scale if only_judge(self.settings.parts) else None

    @property
    def right_from(self) -> float | None:
        """Return the reward from which an answer counts as judged right; None without a scale and a setting."""
        given, scale = self.settings.rollouts.right_from, self.scale
        return given if given is not None or scale is None else scale.highest - RIGHT_BELOW_HIGHEST

    def judge(self, answers: Sequence[Written]) -> list[Judged]:
        """Reward answers, in order.

        Raises:
            SrlmError: a source cannot be opened, or none of its calls was answered.
        """
        found = [self._verdicts(place, part, answers) for place, part in enumerate(self.settings.parts)]
        values = [
            self._values(part, answers, verdicts) for part, verdicts in zip(self.settings.parts, found, strict=True)
        ]
        of: dict[str, list[Verdict]] = {one.id: [] for one in answers}
        for verdict in (one for verdicts in found for one in verdicts):
            of[verdict.answer_ids[0]].append(verdict)
        return [
            Judged(one, reward, tuple(v.call for v in of[one.id] if v.call), _why_unread(of[one.id]))
            for one, reward in zip(answers, combine(self.settings.parts, values), strict=True)
        ]

    def close(self) -> None:
        """Close the sources and the ledger."""
        for engine in self._opened.values():
            engine.close()
        self._ledger.close()

    def _verdicts(self, place: int, part: RewardPart, answers: Sequence[Written]) -> list[Verdict]:
        """Return the verdicts of a source: none on an answer of which it has nothing to see."""
        by_judge = part.source == JUDGE
        items = [
            (_prompt(one.problem), Answer(one.id, one.problem.id, self.settings.model, shown, "stop"))
            for one in answers
            if (shown := self._shown(one) if by_judge else one.text) is not None
        ]
        if not items:
            return []
        caller = Caller(self._engine(part), self._ledger, self._stage, self._progress)
        if by_judge:
            return score(self._judge, caller, items, seed=self.settings.seed, label="")
        return source_verdicts(caller, items, "", f"r{place}")

    def _shown(self, answer: Written) -> str | None:
        """Return the text that the judge sees; None if there is none."""
        return self._task.extract(answer.text) if self.settings.rollouts.shows == "answer" else answer.text

    def _values(self, part: RewardPart, answers: Sequence[Written], verdicts: Sequence[Verdict]) -> list[Reward]:
        """Return the reward of each answer by one source."""
        plain = [Answer(one.id, one.problem.id, self.settings.model, one.text, "stop") for one in answers]
        found = mean_rewards(plain, verdicts)
        if part.source != JUDGE:
            return found
        lowest = float(self._judge.rubric.scale.lowest)
        found = [one if one.verdict_ids else replace(one, value=lowest) for one in found]
        return [_majority(one, verdicts) for one in found] if self.settings.rollouts.vote == "majority" else found

    def _engine(self, part: RewardPart) -> Engine:
        """Return the engine of a source, opened at its first use."""
        settings = self.settings
        if part.source == JUDGE and self._policy is not None:
            return self._policy
        if part.source not in self._opened:
            self._opened[part.source] = (
                open_engine(
                    settings.judge_model,
                    name=settings.judge_name,
                    engine="hf",  # vLLM would take the memory that the training needs, unless the name begins with it
                    thoughts="open" if settings.external or self._thoughts_open else "closed",
                    client=self._client,
                    budget=self._budget,
                    **self._local,
                )
                if part.source == JUDGE
                else open_source(part.source, **self._local)
            )
        return self._opened[part.source]


def final_rewards(judged: Sequence[Judged], num_generations: int) -> list[float | None]:
    """Return the rewards to learn from, in order: a vetoed answer's is below all others of its group.

    Args:
        judged: answers of all processes. Those of a group stand next to each other.
        num_generations: answers of a group.
    """
    found: list[float | None] = []
    for start in range(0, len(judged), num_generations):
        group = [one.reward for one in judged[start : start + num_generations]]
        values = values_for_order(group)
        found += [values[one.answer_id] for one in group]
    return found


def _majority(reward: Reward, verdicts: Sequence[Verdict]) -> Reward:
    """Return the reward with the most frequent score in place of the mean; of several such, their mean."""
    own = set(reward.verdict_ids)
    counts = Counter(one.reading.value for one in verdicts if one.id in own and isinstance(one.reading, Scored))
    if not counts:
        return reward
    most = max(counts.values())
    tied = [value for value, count in counts.items() if count == most]
    return replace(reward, value=sum(tied) / len(tied))


def _prompt(problem: Problem) -> Prompt:
    return Prompt(problem.id, problem.prompt, "generated")


def _why_unread(verdicts: Sequence[Verdict]) -> str:
    """Return why the first of the verdicts that could not be read could not be; "" if all could."""
    return next((one.reading.reason for one in verdicts if not isinstance(one.reading, Scored)), "")


class _MessagesAlone(Progress):
    """Progress without bars: each step of a training asks several times, and the training has a bar of its own."""

    def __init__(self, outer: Progress) -> None:
        super().__init__(quiet=True)
        self._outer = outer

    def say(self, text: str) -> None:
        """Pass a message on."""
        self._outer.say(text)

    @contextmanager
    def step(self, label: str, total: float | None) -> Iterator[Step]:
        """Yield a step that is not shown."""
        yield Step()
