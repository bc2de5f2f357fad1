"""Supervised fine-tuning with TRL's SFTTrainer: M0 on IFT gives the SFT baseline, on IFT + EFT gives M1.

The loss counts the tokens of the answer alone (arXiv 2401.10020, section 3.1.3).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from srlm.config import SFTConfig
from srlm.display import Progress
from trainer.examples import Example
from trainer.mishaps import explained
from trainer.tokens import fitting, turns
from trainer.tuning import adapters, dataset, fit, load_for_training, optimiser_steps, save, shared_arguments


def supervised(
    start: Path,
    examples: Sequence[Example],
    config: SFTConfig,
    folder: Path,
    *,
    device: str,
    dtype: str,
    seed: int,
    progress: Progress,
    label: str,
) -> None:
    """Tune the checkpoint `start` on examples and write the result to `folder`.

    Raises:
        NothingToTrain: no example fits into max_length.
    """
    model, tokenizer = load_for_training(start, device, config.dropout)
    from trl.trainer.sft_config import SFTConfig as Arguments
    from trl.trainer.sft_trainer import SFTTrainer

    from trainer.order import Order

    kept = fitting(tokenizer, examples, config.max_length, progress, label)
    arguments = Arguments(
        **shared_arguments(config, folder, device, dtype, seed),
        completion_only_loss=True,
    )

    class Trainer(SFTTrainer):  # type: ignore[misc, unused-ignore]
        def _get_train_sampler(self, train_dataset: Any = None) -> Order:
            rows: Any = self.train_dataset
            lengths = [len(ids) for ids in rows["input_ids"]]
            alike = lengths if config.group_by_length else ()
            return Order(self, len(lengths), seed, lengths=alike, batch_size=config.batch_size)

    with (
        explained(label, "sft", config.micro_batch_size, config.max_length),
        progress.step(label, optimiser_steps(len(kept), config)) as step,
    ):
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=dataset([turns(one.prompt, one.completion) for one, _ in kept], folder),
            processing_class=tokenizer,
            peft_config=adapters(config),
        )
        fit(trainer, step)
        save(trainer, tokenizer, start, folder)
