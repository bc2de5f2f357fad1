"""Direct preference optimisation with TRL's DPOTrainer: M_t on its own pairs gives M_t+1 (Rafailov et al. 2023).

The reference model is M_t. Its log-probabilities are a stage of the run, `trainer/finetune/reference.py`: they are
computed once, before the first step and without dropout, by the model that training then changes, so that no second
model is in memory. Terms of the loss that the paper does not have are in `trainer/finetune/dpo_loss.py`.
"""

from collections.abc import Iterable
from math import ceil
from typing import Any

from srlm.console import Progress
from srlm.errors import NothingToTrain
from trainer.finetune.job import DPOJob
from trainer.finetune.load_model import load_job_model
from trainer.finetune.lora import lora_config
from trainer.finetune.micro_batch import reference_batch_size
from trainer.finetune.release import release_trainer
from trainer.finetune.resource_errors import translate_resource_errors
from trainer.finetune.save import save_checkpoint
from trainer.finetune.tokenize import ExampleTokenizer, filter_by_length
from trainer.finetune.trl_common import fit, shared_arguments, shared_callbacks

COLUMNS = ("prompt_ids", "chosen_ids", "rejected_ids")
"""Columns of a tokenized pair in TRL."""


def train_dpo(job: DPOJob, progress: Progress) -> None:
    """Train M_t on preference pairs and write M_t+1.

    Raises:
        NothingToTrain: no pair, or no example to replay, fits into max_length.
    """
    config = job.config
    model, tokenizer = load_job_model(job)
    from datasets import Dataset
    from trl.trainer.dpo_config import DPOConfig as Arguments

    from trainer.finetune.dpo_loss import ExtendedDPOTrainer
    from trainer.finetune.reference import ReferenceCallback, stored_reference
    from trainer.finetune.snapshots import SnapshotCallback

    chat = ExampleTokenizer(tokenizer, job.thoughts)
    replay = _replay(chat, job, progress)
    pairs = _tokenized_pairs(chat, job, progress)
    smoothing = 1 - job.consistency if config.label_smoothing == "agreement" else config.label_smoothing
    shared = shared_arguments(job, model, _longest(pairs.values(), replay, job))
    arguments = Arguments(
        **shared,
        beta=config.beta,
        loss_type=[config.loss],
        label_smoothing=smoothing if config.loss != "sigmoid" else 0,
        precompute_ref_log_probs=True,
        precompute_ref_batch_size=reference_batch_size(job, shared["per_device_train_batch_size"]),
        disable_dropout=False,
    )
    with (
        translate_resource_errors(job, arguments),
        progress.step(job.label, job.steps) as step,
    ):
        trainer = ExtendedDPOTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_list(list(pairs.values())),
            processing_class=tokenizer,
            peft_config=lora_config(config),
            reference=stored_reference(job, list(pairs), progress),
            nll_coef=config.nll_coef,
            smoothing=smoothing if config.loss == "sigmoid" else 0,  # the others have theirs in TRL
            replay=replay,
            order_seed=job.seed,
        )
        snapshots = [SnapshotCallback(trainer, tokenizer, job)] if config.stopping.judge is not None else []
        reference = ReferenceCallback(trainer, job, list(pairs))
        fit(trainer, job, [reference, *snapshots, *shared_callbacks(job, step)], progress)
        save_checkpoint(trainer, tokenizer, job)
        release_trainer(trainer)


def _replay(chat: ExampleTokenizer, job: DPOJob, progress: Progress) -> Any:
    """Return the supervised examples to mix into the steps; None without `dpo.replay`.

    Raises:
        NothingToTrain: none fits into max_length.
    """
    from trainer.finetune.replay import Replay

    if not job.config.replay:
        return None
    kept = filter_by_length(chat, job.replay, job.config.max_length, progress, f"{job.label}, replay")
    return Replay([tokens for _, tokens in kept], job.config.replay, job.seed)


def _longest(pairs: Iterable[dict[str, list[int]]], replay: Any, job: DPOJob) -> int:
    """Return the most tokens that a pair adds to a micro-batch: both sides are padded, and replay has its share."""
    prompt, chosen, rejected = COLUMNS
    longest = max(len(one[prompt]) + max(len(one[chosen]), len(one[rejected])) for one in pairs)
    replayed = max(map(len, replay.examples)) * replay.count / job.config.batch_size if replay else 0
    return 2 * min(longest, job.config.max_length) + ceil(replayed)


def _tokenized_pairs(chat: ExampleTokenizer, job: DPOJob, progress: Progress) -> dict[str, dict[str, list[int]]]:
    """Tokenize the pairs as TRL takes them, by their ids, without those whose prompt alone fills max_length.

    Raises:
        NothingToTrain: no pair is left.
    """
    found: dict[str, dict[str, list[int]]] = {}
    for pair in job.pairs:
        chosen = chat.tokenize(pair.prompt, pair.chosen, job.written.get(pair.chosen_id), pair.context)
        rejected = chat.tokenize(pair.prompt, pair.rejected, job.written.get(pair.rejected_id), pair.context)
        if len(chosen.prompt) < job.config.max_length:
            sides = (chosen.prompt, chosen.completion, rejected.completion)
            found[pair.id] = dict(zip(COLUMNS, map(list, sides), strict=True))
    long = f"{len(job.pairs) - len(found)} of {len(job.pairs)} instructions"
    if not found:
        raise NothingToTrain(f"{job.label}: {long} leave no room for an answer in dpo.max_length tokens.")
    if len(found) < len(job.pairs):
        progress.say(
            f"{job.label}: {long} leave no room for an answer in {job.config.max_length} tokens; they are left out."
        )
    return found
