"""Validation of learning from rollouts before a run starts: a part of `trainer/preflight.py`.

The task is opened and the problems of all iterations are drawn; the launcher, the judge, its scale and the room in the
model's context fit the settings.
"""

import re
import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from srlm.checkpoint_files import read_config
from srlm.config import TrainConfig
from srlm.config.rewards import JUDGE
from srlm.config.rollouts import RolloutsConfig
from srlm.engines.architectures import context_length
from srlm.engines.chat_template import ChatTokenizer
from srlm.engines.device import pick_device
from srlm.errors import MissingDependency, UsageError
from srlm.judges.pointwise import PointwiseJudge
from srlm.judges.rubric import Scale
from srlm.tasks.open import open_task
from srlm.tasks.task import Problem
from srlm.types import Message, Request
from trainer.rollouts.problems import draw_all
from trainer.rollouts.settings import CURRENT, START

SHARDING = ("fsdp", "deepspeed", "--use_fsdp", "--use_deepspeed")
"""Launchers, and options of accelerate's, that spread the weights over processes."""

OF_THE_RUN = (CURRENT, START, "M0", "SFT", "M1")
"""Values of `rollouts.judged_by` that have the context of M0."""

TRL_VLLM = ((0, 22), (0, 31))
"""First and last version of vLLM that TRL supports. srlm's own engine needs a later one."""


def check_rollouts(
    config: TrainConfig, tokenizer: Any, folder: Path, judge: PointwiseJudge, scale: Scale | None
) -> None:
    """Check everything about rollouts that can be wrong before a run starts, but whether the judge exists.

    Args:
        config: of the run.
        tokenizer: of M0.
        folder: of M0.
        judge: by the settings `judge`.
        scale: of the rewards; None for those without one.

    Raises:
        UsageError: a setting does not fit.
        UnknownName: there is no such task.
        MissingDependency: vLLM is wanted and is not there, in a version that TRL supports.
        SrlmError: the task cannot be opened.
    """
    _check_launcher(config.launcher)
    _check_vllm(config)
    _check_judge(config, scale)
    task = open_task(config.rollouts)
    problems = [one for number in range(config.iterations) for one in draw_all(task, config, f"M{number + 2}")]
    groups = config.grpo.batch_size // config.grpo.num_generations
    if config.rollouts.problems < groups:
        raise UsageError(
            f"A step has {groups} groups (grpo.batch_size / grpo.num_generations), each of one problem, and "
            f"rollouts.problems is {config.rollouts.problems}: set at least {groups}."
        )
    own = any(part.source == JUDGE for part in config.reward) and config.rollouts.judged_by in OF_THE_RUN
    chat = ChatTokenizer(tokenizer, name=config.model)
    if problems:
        _check_lengths(config, chat, context_length(read_config(folder)), problems, judge if own else None)


def _check_launcher(launcher: str | None) -> None:
    """Refuse a launcher that shards the weights.

    Raises:
        UsageError: it does.
    """
    words = shlex.split(launcher or "")
    if any(word in SHARDING for word in words):
        raise UsageError(
            f"launcher is {launcher}, which spreads the weights over processes, and learn_from=rollouts writes and "
            "judges with whole ones. Set launcher=null or launcher=ddp; grpo.lora.rank trains with less memory."
        )


def _check_vllm(config: TrainConfig) -> None:
    """Check that TRL can use vLLM, if it is to write the answers.

    Raises:
        UsageError: there is no CUDA, or vLLM is of a version that TRL does not support.
        MissingDependency: vLLM is not installed.
    """
    if config.grpo.use_vllm is None:
        return
    if not pick_device(config.device).startswith("cuda"):
        raise UsageError(
            f"grpo.use_vllm is {config.grpo.use_vllm}, and TRL uses vLLM on CUDA alone. Leave it out on this machine."
        )
    low, high = (".".join(map(str, one)) for one in TRL_VLLM)
    try:
        found = version("vllm")
    except PackageNotFoundError:
        raise MissingDependency("vllm", "grpo.use_vllm", "train", f">={low},<={high}.0") from None
    if not TRL_VLLM[0] <= tuple(map(int, re.findall(r"\d+", found)[:2])) <= TRL_VLLM[1]:
        raise UsageError(
            f"grpo.use_vllm needs vLLM {low} to {high}, which TRL supports, and {found} is installed. The versions "
            "that TRL and srlm's own engine need exclude each other: install trl[vllm] in an environment of its own "
            "and set engine=hf there, or leave grpo.use_vllm out."
        )


def _check_judge(config: TrainConfig, scale: Scale | None) -> None:
    """Check that the settings of judge, vote and bounds fit each other and the scale.

    Raises:
        UsageError: one has no effect, or nothing could be right or left.
    """
    settings, judge = config.rollouts, config.judge
    if all(part.source != JUDGE for part in config.reward):
        defaults = RolloutsConfig()
        for name in ("judged_by", "shows", "vote"):
            if getattr(settings, name) != getattr(defaults, name):
                raise UsageError(
                    f"rollouts.{name} is about the judge, and reward does not have it: it would have no effect. Leave "
                    "it out, or add judge to reward."
                )
    verdicts = judge.samples if judge.scoring == "sampled" else 1
    if settings.vote == "majority" and verdicts < 3:
        raise UsageError(
            f"rollouts.vote is majority, and an answer gets {verdicts} verdict{'s' if verdicts > 1 else ''}: set "
            "judge.scoring=sampled and judge.samples=3 or more, or rollouts.vote=mean."
        )
    if scale is None:
        return
    right = settings.right_from
    if right is not None and not scale.lowest < right <= scale.highest:
        raise UsageError(
            f"rollouts.right_from is {right:g}, and the rubric {judge.rubric} scores on the scale {scale}: set one "
            f"above {scale.lowest} and up to {scale.highest}."
        )
    if settings.difficulty and not (settings.difficulty[0] < scale.highest and settings.difficulty[1] > scale.lowest):
        low, high = settings.difficulty
        raise UsageError(
            f"rollouts.difficulty keeps mean rewards between {low:g} and {high:g}, and the rubric {judge.rubric} "
            f"scores on the scale {scale}: no problem would be left."
        )


def _check_lengths(
    config: TrainConfig, chat: ChatTokenizer, limit: int, problems: list[Problem], judge: PointwiseJudge | None
) -> None:
    """Check that the longest problem leaves room for an answer, and the judge's prompt with both for a verdict.

    Raises:
        UsageError: it does not.
    """
    most = config.grpo.max_completion_length
    longest = max(problems, key=lambda one: len(chat.tokens(Request((Message("user", one.prompt),)))))
    prompt = len(chat.tokens(Request((Message("user", longest.prompt),))))
    needed, what = prompt + most, "an answer"
    if judge is not None:
        asked = judge.requests(longest.prompt, "", 0)[0]
        verdict = len(chat.tokens(asked)) + most + asked.sampling.max_tokens
        if verdict > needed:
            needed, what = verdict, "an answer, and the judge's prompt with both for a verdict"
    if needed > limit:
        raise UsageError(
            f"The problem {longest.id} of {prompt:,} tokens leaves no room for {what}: that takes up to {needed:,} "
            f"tokens, and {config.model} has {limit:,}. Set a smaller grpo.max_completion_length or "
            "judge.sampling.max_tokens, or leave long problems out."
        )
