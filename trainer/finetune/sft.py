"""Supervised fine-tuning with TRL's SFTTrainer: M0 on IFT gives the SFT baseline, on IFT + EFT gives M1.

The loss counts the tokens of the answer alone (arXiv 2401.10020, section 3.1.3).
"""

from typing import Any

from srlm.console import Progress
from trainer.finetune.job import Supervision
from trainer.finetune.output_head import score_counted_tokens
from trainer.finetune.resource_errors import explained
from trainer.finetune.tokenize import IGNORED, Rows, Tokens, fitting
from trainer.finetune.trl_common import (
    adapters,
    dataset,
    fit,
    load_for_training,
    optimiser_steps,
    save,
    shared_arguments,
)


def supervised(job: Supervision, progress: Progress) -> None:
    """Tune a checkpoint on examples.

    Raises:
        NothingToTrain: no example fits into max_length.
    """
    config = job.config
    model, tokenizer = load_for_training(job.start, job.device, config.dropout)
    from trl.trainer.sft_config import SFTConfig as Arguments
    from trl.trainer.sft_trainer import SFTTrainer

    from trainer.finetune.shuffling import Order

    kept = fitting(Rows(tokenizer, job.thoughts), job.examples, config.max_length, progress, job.label)
    arguments = Arguments(**shared_arguments(job), completion_only_loss=True)

    class Trainer(SFTTrainer):  # type: ignore[misc, unused-ignore]
        def _get_train_sampler(self, train_dataset: Any = None) -> Order:
            rows: Any = self.train_dataset
            lengths = [len(ids) for ids in rows["input_ids"]]
            alike = lengths if config.group_by_length else ()
            return Order(self, len(lengths), job.seed, lengths=alike, batch_size=config.batch_size)

    with (
        explained(job.label, "sft", config.per_device_train_batch_size, config.max_length),
        progress.step(job.label, optimiser_steps(len(kept), config)) as step,
    ):
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=dataset([_row(tokens) for _, tokens in kept], job.folder),
            processing_class=tokenizer,
            peft_config=adapters(config),
        )
        score_counted_tokens(trainer.model)
        fit(trainer, step, job)
        save(trainer, tokenizer, job)


def _row(tokens: Tokens) -> dict[str, list[int]]:
    """An example as TRL takes one that is tokens already; the loss counts no token of the prompt."""
    labels = [*[IGNORED] * len(tokens.prompt), *tokens.completion]
    return {"input_ids": [*tokens.prompt, *tokens.completion], "labels": labels}
