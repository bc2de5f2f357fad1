"""Supervised fine-tuning with TRL's SFTTrainer: M0 on IFT gives the SFT baseline, on IFT + EFT gives M1.

The loss counts the tokens of the answer alone (arXiv 2401.10020, section 3.1.3).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from srlm.config import SFTConfig
from srlm.display import Progress
from srlm.errors import NothingToTrain
from trainer.examples import Example
from trainer.tuning import fit, load_for_training, optimiser_steps, save, shared_arguments


def supervised(
    start: Path,
    examples: Sequence[Example],
    config: SFTConfig,
    folder: Path,
    *,
    device: str,
    seed: int,
    progress: Progress,
    label: str,
) -> None:
    """Tune the checkpoint `start` on examples and write the result to `folder`.

    Raises:
        NothingToTrain: no example fits into max_length.
    """
    model, tokenizer = load_for_training(start, device)
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig as Arguments
    from trl.trainer.sft_trainer import SFTTrainer

    rows = [
        {
            "prompt": [{"role": "user", "content": example.prompt}],
            "completion": [{"role": "assistant", "content": example.completion}],
        }
        for example in examples
    ]
    fitting = [row for row in rows if _tokens(tokenizer, [*row["prompt"], *row["completion"]]) <= config.max_length]
    if not fitting:
        raise NothingToTrain(
            f"{label}: none of {len(rows)} examples fits into max_length = {config.max_length} tokens."
        )
    if len(fitting) < len(rows):
        progress.say(
            f"{label}: {len(rows) - len(fitting)} of {len(rows)} examples are longer than {config.max_length} tokens "
            "and left out."
        )
    arguments = Arguments(
        **shared_arguments(config, folder, device, seed),
        completion_only_loss=True,
        train_sampling_strategy="group_by_length" if config.group_by_length else "random",
    )
    with progress.step(label, optimiser_steps(len(fitting), config)) as step:
        trainer = SFTTrainer(
            model=model, args=arguments, train_dataset=Dataset.from_list(fitting), processing_class=tokenizer
        )
        fit(trainer, step)
    save(trainer, tokenizer, folder, folder.parent / "training.jsonl")


def _tokens(tokenizer: Any, messages: list[dict[str, str]]) -> int:
    return len(tokenizer.encode(tokenizer.apply_chat_template(messages, tokenize=False), add_special_tokens=False))
