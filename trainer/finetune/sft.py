"""Supervised fine-tuning with TRL's SFTTrainer: M0 on IFT gives the SFT baseline, on IFT + EFT it gives M1.

The loss is on the tokens of the answer alone (arXiv 2401.10020, section 3.1.3).
"""

from typing import Any

from srlm.console import Progress
from trainer.finetune.distributed import shared_dataset
from trainer.finetune.job import SFTJob, optimiser_steps
from trainer.finetune.load_model import load_job_model
from trainer.finetune.lora import lora_config
from trainer.finetune.output_head import score_labelled_tokens
from trainer.finetune.release import release_trainer
from trainer.finetune.resource_errors import translate_resource_errors
from trainer.finetune.save import save_checkpoint
from trainer.finetune.tokenize import IGNORE_INDEX, ExampleTokenizer, Tokens, filter_by_length
from trainer.finetune.trl_common import fit, shared_arguments, shared_callbacks


def train_sft(job: SFTJob, progress: Progress) -> None:
    """Fine-tune a checkpoint on supervised examples and write the result.

    Raises:
        NothingToTrain: no example fits into max_length.
    """
    config = job.config
    model, tokenizer = load_job_model(job)
    from trl.trainer.sft_config import SFTConfig as Arguments
    from trl.trainer.sft_trainer import SFTTrainer

    from trainer.finetune.precision import PreciseTrainer
    from trainer.finetune.shuffling import EpochSampler

    kept = filter_by_length(
        ExampleTokenizer(tokenizer, job.thoughts), job.examples, config.max_length, progress, job.label
    )
    longest = max(len(tokens) for _, tokens in kept)
    arguments = Arguments(**shared_arguments(job, model, longest), completion_only_loss=True)

    class Trainer(PreciseTrainer, SFTTrainer):  # type: ignore[misc, unused-ignore]
        def _get_train_sampler(self, train_dataset: Any = None) -> EpochSampler:
            rows: Any = self.train_dataset
            lengths = [len(ids) for ids in rows["input_ids"]]
            grouped = lengths if config.group_by_length else ()
            return EpochSampler(self, len(lengths), job.seed, lengths=grouped, batch_size=config.batch_size)

    with (
        translate_resource_errors(job, arguments),
        progress.step(job.label, optimiser_steps(len(kept), config)) as step,
    ):
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=shared_dataset([_row(tokens) for _, tokens in kept], job.folder),
            processing_class=tokenizer,
            peft_config=lora_config(config),
        )
        score_labelled_tokens(trainer.model)
        fit(trainer, job, shared_callbacks(job, step), progress)
        save_checkpoint(trainer, tokenizer, job)
        release_trainer(trainer)


def _row(tokens: Tokens) -> dict[str, list[int]]:
    """Return an example in the form that TRL takes for tokenized data, with the prompt's labels ignored."""
    labels = [*[IGNORE_INDEX] * len(tokens.prompt), *tokens.completion]
    return {"input_ids": [*tokens.prompt, *tokens.completion], "labels": labels}
