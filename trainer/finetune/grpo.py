"""Group-relative policy optimisation with TRL's GRPOTrainer: M_t on answers that it writes gives M_t+1.

GRPO (arXiv 2402.03300) compares the rewards of several answers to one problem. Here the rewards come from the run's
judge, which may be the policy itself (RLSR, arXiv 2505.08827): `trainer/rollouts`. The order of the problems is drawn
once for the whole training, so that a training that goes on from a checkpoint has the same.
"""

import json
import os
import random
from hashlib import sha256
from math import ceil
from typing import Any

from srlm.checkpoint_files import read_config
from srlm.config.rewards import program_of
from srlm.console import Progress
from srlm.digest import digest_of
from srlm.engines.architectures import context_length
from srlm.engines.chat_template import ChatTokenizer
from srlm.engines.fingerprint import fingerprint
from srlm.engines.load import eos_tokens
from srlm.errors import NothingToTrain, UsageError
from srlm.jsonl import to_json
from srlm.seeding import derive_seed
from srlm.tasks.open import open_task
from srlm.types import Message, Request
from trainer.finetune.checkpoints import complete_checkpoints, trainer_state_dir
from trainer.finetune.distributed import own_device, world_size
from trainer.finetune.job import GRPOJob
from trainer.finetune.launcher_settings import uses_deepspeed, uses_fsdp
from trainer.finetune.load_model import load_job_model
from trainer.finetune.lora import lora_config
from trainer.finetune.release import release_trainer
from trainer.finetune.resource_errors import translate_resource_errors
from trainer.finetune.save import save_checkpoint
from trainer.finetune.trl_common import fit, shared_arguments, shared_callbacks
from trainer.rollouts.policy import PolicyEngine
from trainer.rollouts.rewards import Rewarder
from trainer.rollouts.settings import CURRENT


def train_grpo(job: GRPOJob, progress: Progress) -> None:
    """Train M_t on its own answers and write M_t+1.

    Raises:
        UsageError: the weights are sharded.
        NothingToTrain: there are fewer problems than groups in a step, or none leaves room for an answer.
        TrainingFailed: too many answers of a step have no reward.
        StoppedByStrict: an alarm, and `--strict` is set.
    """
    if uses_fsdp() or uses_deepspeed():
        raise UsageError(
            "learn_from=rollouts trains in one process or by DDP: FSDP and DeepSpeed shard the weights, with which the "
            "policy writes and judges. Set launcher=null or launcher=ddp; grpo.lora.rank trains with less memory."
        )
    config = job.config
    model, tokenizer = load_job_model(job)
    from datasets import Dataset
    from trl.trainer.grpo_config import GRPOConfig as Arguments

    from trainer.finetune.grpo_trainer import RolloutTrainer
    from trainer.rollouts.reward_function import RewardFunction

    chat = ChatTokenizer(
        tokenizer,
        name=job.label,
        context=context_length(read_config(job.start)),
        thoughts="open" if job.thoughts == "keep" else "closed",
    )
    prompt_ids = _prompt_ids(job, chat)
    generation = model.generation_config
    generation.eos_token_id = sorted(chat.with_end_of_turn(eos_tokens(generation.eos_token_id, tokenizer)))
    shared = shared_arguments(job, model, max(map(len, prompt_ids.values())) + config.max_completion_length)
    arguments = Arguments(**shared | _own_arguments(job))
    task = open_task(job.rewards.rollouts)
    device = own_device(job.device)
    policy = _policy(job, device, task.label)
    rewarder = Rewarder(
        job.rewards,
        task,
        policy,
        progress,
        stage=f"{job.rewards.model}/rollouts",
        device=device,
        dtype=job.dtype,
        thoughts_open=job.thoughts == "keep",
        processes=world_size(),
    )
    reward = RewardFunction(
        rewarder,
        task,
        job.problems,
        chat,
        policy,
        folder=job.folder.parent,
        num_generations=config.num_generations,
        num_iterations=config.num_iterations,
        progress=progress,
        last_checkpoint=lambda: next(reversed(complete_checkpoints(trainer_state_dir(job.folder)).values()), None),
    )
    try:
        with translate_resource_errors(job, arguments), progress.step(job.label, job.steps) as step:
            trainer = RolloutTrainer(
                start=job.start,
                device=job.device,
                prompt_ids=prompt_ids,
                order_seed=job.seed,
                model=model,
                args=arguments,
                reward_funcs=reward,
                train_dataset=Dataset.from_list(_rows(job, prompt_ids)),
                processing_class=tokenizer,
                peft_config=lora_config(config),
            )
            reward.attach(trainer)
            fit(trainer, job, shared_callbacks(job, step), progress)
            save_checkpoint(trainer, tokenizer, job)
            reward.finish()
            release_trainer(trainer)
    finally:
        rewarder.close()


def _own_arguments(job: GRPOJob) -> dict[str, Any]:
    """Return TRL's arguments of GRPO alone."""
    config = job.config
    every = config.num_iterations  # answers are not in a checkpoint: one between two uses of them would lose them
    return {
        "save_steps": every * ceil(config.save_steps / every) if config.save_steps else None,
        "num_generations": config.num_generations,
        "max_completion_length": config.max_completion_length,
        "temperature": config.temperature,
        "top_p": config.top_p,
        "num_iterations": config.num_iterations,
        "epsilon": config.epsilon,
        "beta": config.beta,
        "loss_type": config.loss_type,
        "scale_rewards": config.scale_rewards,
        "mask_truncated_completions": config.mask_truncated_completions,
        "shuffle_dataset": False,  # `_rows` has the order
        "use_vllm": config.use_vllm is not None,
        "vllm_mode": config.use_vllm or "colocate",
    }


def _prompt_ids(job: GRPOJob, chat: ChatTokenizer) -> dict[str, list[int]]:
    """Tokenize the prompts of the problems.

    Raises:
        NothingToTrain: one leaves no room for an answer.
    """
    found = {one.prompt: chat.tokens(Request((Message("user", one.prompt),))) for one in job.problems}
    longest = max(map(len, found.values()))
    if longest + job.config.max_completion_length > chat.context:
        raise NothingToTrain(
            f"{job.label}: a problem of {longest} tokens and an answer of grpo.max_completion_length = "
            f"{job.config.max_completion_length} do not fit into the {chat.context} tokens of the model. Set a smaller "
            "one, or leave long problems out."
        )
    return found


def _rows(job: GRPOJob, prompt_ids: dict[str, list[int]]) -> list[dict[str, Any]]:
    """Return a row for each group of the whole training, in order: the problems are shuffled again when all were drawn.

    Raises:
        NothingToTrain: there are fewer problems than groups in a step.
    """
    config, problems = job.config, job.problems
    groups = config.batch_size // config.num_generations
    if len(problems) < groups:
        raise NothingToTrain(
            f"{job.label}: {len(problems)} problems for {groups} groups of {config.num_generations} answers in a step. "
            "Set a larger rollouts.problems, wider bounds rollouts.difficulty, or a smaller grpo.batch_size."
        )
    wanted = groups * ceil(config.steps / config.num_iterations)
    order: list[int] = []
    while len(order) < wanted:
        again = list(range(len(problems)))
        random.Random(derive_seed(job.seed, "order", len(order))).shuffle(again)
        order += again
    return [
        {
            "prompt": [{"role": "user", "content": problems[place].prompt}],
            "input_ids": prompt_ids[problems[place].prompt],  # of which the test of a finished model takes some
            "problem": place,
        }
        for place in order[:wanted]
    ]


def _policy(job: GRPOJob, device: str, task: str) -> PolicyEngine | None:
    """Return the engine of the policy; None if another model judges.

    Args:
        job: of the training.
        device: of this process.
        task: label of the task, with the digest of a file.
    """
    if job.rewards.judge_model != CURRENT:
        return None
    # All from which the weights of a step follow; micro-batches change only their rounding. Each process draws answers
    # of its own, and so do two attempts with vLLM, which are not seeded by step.
    settings = {
        "start": fingerprint(job.start),
        "config": job.config.model_dump(mode="json", exclude={"per_device_train_batch_size", "save_steps"}),
        "rollouts": job.rewards.rollouts.model_dump(mode="json"),
        "reward": [part.model_dump(mode="json") for part in job.rewards.parts],
        "judge": job.rewards.judge.model_dump(mode="json"),
        "problems": [to_json(one) for one in job.problems],
        "seeds": [job.seed, job.rewards.seed],
        "task": task,
        "programs": [_program_digest(part.source) for part in job.rewards.parts],
        "processes": world_size(),
        "attempt": os.urandom(8).hex() if job.config.use_vllm else "",
    }
    return PolicyEngine(
        job.start,
        name=f"{job.rewards.model} in training",
        device=device,
        dtype=job.dtype,
        batch_tokens=job.rewards.batch_tokens,
        thoughts="open" if job.thoughts == "keep" else "closed",
        training=digest_of(json.dumps(settings, sort_keys=True)),
    )


def _program_digest(source: str) -> str:
    """Return the digest of a reward program's file; "" for another source."""
    program = program_of(source)
    return "" if program is None else sha256(program[0].read_bytes()).hexdigest()
