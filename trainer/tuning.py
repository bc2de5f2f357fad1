"""What both of TRL's trainers are told: float32 master weights under bfloat16 autocast, schedule, seeds, quiet logs."""

import logging
import os
import warnings
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srlm.display import Step
from srlm.engines.checkpoint import load_model, load_tokenizer, pick_device, pick_dtype
from srlm.errors import UsageError
from srlm.optional import require
from srlm.records import write_records

if TYPE_CHECKING:
    from srlm.config import DPOConfig, SFTConfig


LIBRARIES = ("torch", "transformers", "trl", "accelerate", "datasets")


def require_libraries() -> None:
    """Say which library training lacks, and how to install it."""
    for library in LIBRARIES:
        require(library, "Training", "train")


def load_for_training(folder: Path, device: str) -> tuple[Any, Any]:
    """Model in float32, and tokenizer. Updates of 1e-6 would vanish in bfloat16 weights."""
    require_libraries()
    import torch

    quiet()
    # Beside others a process gets its device, or its share of the weights, from accelerate.
    place = pick_device(device) if processes() == 1 else "cpu"
    return load_model(folder, torch.float32, place), load_tokenizer(folder)


def processes() -> int:
    """How many processes train together: what a launcher has started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def quiet() -> None:
    """Silence the libraries' own bars and advice: srlm prints its progress, and errors are raised."""
    import datasets
    from transformers.utils import logging as transformers_logging

    # TRL still sets arguments that transformers has renamed; that is between the two of them.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    datasets.disable_progress_bars()
    os.environ["TQDM_DISABLE"] = "1"  # TRL's bar over the reference's log-probabilities has no other switch
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.getLogger("trl").setLevel(logging.ERROR)


def shared_arguments(
    config: "SFTConfig | DPOConfig", folder: Path, device: str, dtype: str, seed: int
) -> dict[str, Any]:
    """Arguments that SFTConfig and DPOConfig of TRL take alike.

    Raises:
        UsageError: a batch cannot be spread evenly over the processes.
    """
    import torch

    chosen = pick_device(device)
    share, rest = divmod(config.batch_size, processes())
    if rest:
        raise UsageError(
            f"batch_size = {config.batch_size} cannot be spread evenly over {processes()} processes. "
            "Choose a multiple of their number."
        )
    micro = max(size for size in range(1, min(config.micro_batch_size, share) + 1) if share % size == 0)
    return {
        "output_dir": str(folder),
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "cosine_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr_rate": config.end_ratio},
        "warmup_steps": config.warmup_ratio,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": share // micro,
        "num_train_epochs": config.epochs,
        "max_length": config.max_length,
        "bf16": pick_dtype(dtype, chosen) is torch.bfloat16,
        "gradient_checkpointing": config.recompute,
        "use_cpu": chosen == "cpu",
        "seed": seed % (1 << 31),
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
    }


def fit(trainer: Any, step: Step) -> None:
    """Run a TRL trainer, with our progress in place of its own. The step's unit is the optimiser step."""
    from transformers import PrinterCallback, TrainerCallback

    class Report(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            step.update(state.global_step)

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Report())
    trainer.train()


def optimiser_steps(examples: int, config: "SFTConfig | DPOConfig") -> int:
    """How many updates a training makes."""
    return max(1, ceil(ceil(examples / config.batch_size) * config.epochs))


def save(trainer: Any, tokenizer: Any, folder: Path, log: Path) -> None:
    """Write the checkpoint as safetensors with its chat template, and the training log beside it."""
    trainer.save_model(str(folder))  # by all processes: each may hold a part
    if not trainer.is_world_process_zero():
        return
    tokenizer.save_pretrained(folder)
    (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle: nothing that srlm writes is one
    write_records(log, trainer.state.log_history)
