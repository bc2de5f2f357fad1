"""The reward function that TRL calls with the answers of a step, in every process.

Each process judges its own answers. Then all share them: rewards of a group may depend on each other (vetoes). The
first process alone asks the checker, writes rollouts and audit, and looks for alarms; nothing of that is an input of a
reward. An error of any process ends all of them. Imported late: it needs accelerate.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

from srlm.console import Progress
from srlm.engines.chat_template import ChatTokenizer
from srlm.errors import SrlmError, StoppedByStrict, TrainingFailed, error_of_process
from srlm.rollouts import Rollout
from srlm.tasks.task import Problem, Task
from srlm.types import Message, Request
from trainer.rollouts.alarms import find_alarms
from trainer.rollouts.audit import check_answers, log_values
from trainer.rollouts.policy import PolicyEngine
from trainer.rollouts.rewards import Judged, Rewarder, Written, final_rewards
from trainer.rollouts.rollout_file import RolloutFile

ADAPTERS = "adapter_config.json"
"""File of a checkpoint that has low-rank adapters and no whole weights."""
SHOWN_REASON = 200
"""Characters of the reason in a message."""


class RewardFunction:
    """From the answers of a step to their rewards, with the audit on the way."""

    __name__ = "reward"
    """The name in TRL's log: "rewards/reward/mean"."""

    def __init__(
        self,
        rewarder: Rewarder,
        task: Task,
        problems: Sequence[Problem],
        chat: ChatTokenizer,
        policy: PolicyEngine | None,
        *,
        folder: Path,
        num_generations: int,
        num_iterations: int,
        progress: Progress,
        last_checkpoint: Callable[[], Path | None],
    ) -> None:
        """Prepare the function; nothing is read or asked yet.

        Args:
            rewarder: of the answers.
            task: with the checker.
            problems: the column `problem` of the training's rows has indices of these.
            chat: decodes the answers.
            policy: told of each step, if it judges.
            folder: of the model, for its files.
            num_generations: answers of a group.
            num_iterations: optimiser steps on the same answers.
            progress: gets alarms.
            last_checkpoint: finds the newest complete checkpoint, for the message of `--strict`.
        """
        self._rewarder, self._task, self._problems, self._chat, self._policy = rewarder, task, problems, chat, policy
        self._folder, self._num_generations, self._num_iterations = folder, num_generations, num_iterations
        self._progress, self._last_checkpoint = progress, last_checkpoint
        self._ends: frozenset[int] = frozenset()
        self._file: RolloutFile | None = None

    def attach(self, trainer: Any) -> None:
        """Take the policy and its end tokens from a trainer."""
        self._ends = frozenset(trainer.eos_token_ids)
        if self._policy is not None:
            self._policy.attach(trainer)

    def __call__(
        self,
        *,
        completion_ids: Sequence[Sequence[int]],
        problem: Sequence[int],
        trainer_state: Any,
        log_metric: Callable[[str, float], None],
        **others: Any,
    ) -> list[float | None]:
        """Return the rewards of this process's answers; None for those without one.

        Raises:
            TrainingFailed: too many answers of the step have no reward.
            StoppedByStrict: an alarm, and `strict` is set.
            SrlmError: a source of the rewards failed.
        """
        step, state = trainer_state.global_step + 1, PartialState()
        first = state.process_index * len(completion_ids)
        if self._policy is not None:
            self._policy.begin_step(step)
        own, error = self._judge(step, first, completion_ids, problem)
        every: list[Judged] = gather_object(own)
        _raise_together(error, gather_object([_reported(error)]))
        rewards = final_rewards(every, self._num_generations)
        error = None
        if state.is_main_process:
            try:
                for name, value in self._audit(step, every, rewards).items():
                    log_metric(name, value)
            except SrlmError as failure:
                error = failure
        _raise_together(error, broadcast_object_list([_reported(error)]))
        return rewards[first : first + len(completion_ids)]

    def finish(self) -> None:
        """Write rollouts and audits of the finished training, in the first process."""
        if self._file is not None:
            self._file.finish()

    def _judge(
        self, step: int, first: int, completion_ids: Sequence[Sequence[int]], problems: Sequence[int]
    ) -> tuple[list[Judged], SrlmError | None]:
        """Judge the answers of this process, the `first` of which has this number in the step; or return the error."""
        model = self._rewarder.settings.model
        written = [
            self._written(f"{model}-s{step:05d}-{first + place:04d}", self._problems[problem], ids)
            for place, (ids, problem) in enumerate(zip(completion_ids, problems, strict=True))
        ]
        try:
            return self._rewarder.judge(written), None
        except SrlmError as error:
            return [], error

    def _written(self, identifier: str, problem: Problem, ids: Sequence[int]) -> Written:
        ended = bool(ids) and ids[-1] in self._ends
        tokens = ids[:-1] if ended else ids
        request = Request((Message("user", problem.prompt),))
        text = self._chat.completion(request, list(tokens), 0, ended=ended).text.strip()
        return Written(identifier, problem, text, len(tokens), not ended)

    def _audit(self, step: int, judged: Sequence[Judged], rewards: Sequence[float | None]) -> Mapping[str, float]:
        """Check, write and audit all answers of a step; return the audit's values for the training log.

        Raises:
            TrainingFailed: too many answers have no reward.
            StoppedByStrict: an alarm, and `strict` is set.
        """
        if self._file is None:
            generated = -(-(step - 1) // self._num_iterations)
            self._file = RolloutFile(self._folder, self._num_generations, step - 1, generated * len(judged))
        written = [one.written for one in judged]
        checked = check_answers(self._task, [one.problem for one in written], [one.text for one in written])
        audit = self._file.add(
            [
                self._rollout(step, one, reward, *answer)
                for one, reward, answer in zip(judged, rewards, checked, strict=True)
            ]
        )
        self._require_rewards(step, judged, rewards)
        self._alarm()
        return log_values(audit)

    def _rollout(
        self, step: int, judged: Judged, reward: float | None, answer: str | None, right: bool | None
    ) -> Rollout:
        limit, given = self._rewarder.right_from, judged.reward
        above = None if limit is None or given.value is None else given.value >= limit and not given.vetoed_by
        return Rollout(
            id=judged.written.id,
            step=step,
            problem_id=judged.written.problem.id,
            text=judged.written.text,
            answer=answer,
            reward=reward,
            scored=given.scored,
            unread=given.unparsed + given.failed,
            judged_right=above,
            right=right,
            tokens=judged.written.tokens,
            cut=judged.written.cut,
            calls=judged.calls,
        )

    def _require_rewards(self, step: int, judged: Sequence[Judged], rewards: Sequence[float | None]) -> None:
        """End the training if too many answers have no reward.

        Raises:
            TrainingFailed: with the most frequent reason.
        """
        limit = self._rewarder.settings.rollouts.max_unread
        unread = [one for one, reward in zip(judged, rewards, strict=True) if reward is None]
        if not unread or len(unread) < limit * len(judged):
            return
        reason, count = Counter(one.unread[:SHOWN_REASON] for one in unread).most_common(1)[0]
        raise TrainingFailed(
            f"{self._rewarder.settings.model}: at step {step} {len(unread)} of {len(judged)} answers have no reward, "
            f"rollouts.max_unread = {limit:g} or more. The most frequent reason ({count} times): {reason}. A judge "
            "that has not learned to write a score needs more EFT examples or a higher sft.learning_rate (an instruct "
            "model gets them with start=judge), one whose replies are cut needs more judge.sampling.max_tokens; "
            "judge.scoring=expected has nothing to parse, and rollouts.judged_by names another judge."
        )

    def _alarm(self) -> None:
        """Print the alarms that the last step sets off.

        Raises:
            StoppedByStrict: there is one, and `strict` is set.
        """
        settings, file = self._rewarder.settings, self._file
        alarms = find_alarms(file.audits if file else [], settings.monitor)
        for alarm in alarms:
            self._progress.say(f"{settings.model}: warning: {alarm}")
        if not (alarms and settings.strict):
            return
        found = self._last_checkpoint()
        if found is None:
            offer = (
                f"No checkpoint was written before it (grpo.save_steps), so the model before it is the one that "
                f"{settings.model} started from"
            )
        elif (found / ADAPTERS).exists():
            offer = (
                f"The last checkpoint before it is {found}: low-rank adapters (grpo.lora), which PEFT merges into the "
                f"model that {settings.model} started from"
            )
        else:
            offer = (
                f"The last checkpoint before it is {found}: measure it with srlm eval {found}, or begin a new run with "
                f"--set model={found} --set start=instruct"
            )
        raise StoppedByStrict(
            f"{settings.model}: {alarms[0]} --strict stops here. {offer}. The same command without --strict goes on."
        )


def _reported(error: SrlmError | None) -> tuple[str, str] | None:
    """Return the class and the message of an error, for the other processes."""
    return None if error is None else (type(error).__name__, str(error))


def _raise_together(own: SrlmError | None, reported: Sequence[tuple[str, str] | None]) -> None:
    """End all processes if one has an error: the others would wait for it.

    Raises:
        SrlmError: the own one, or the first of another process.
    """
    if own is not None:
        raise own
    other = next((one for one in reported if one is not None), None)
    if other is not None:
        raise error_of_process(*other)
