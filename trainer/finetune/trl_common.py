"""The parts of a training that SFT, DPO and GRPO share: TRL's arguments, callbacks, and the call that trains or resumes.

Weights are float32 under bfloat16 autocast, and the schedule is a cosine with warm-up and a minimum rate.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from srlm.console import Progress, Step
from srlm.engines.device import pick_device, pick_dtype, threads_for
from srlm.errors import UsageError
from trainer.finetune.checkpoints import trainer_state_dir
from trainer.finetune.distributed import COLLECTIVE_TIMEOUT_S, world_size
from trainer.finetune.job import Job
from trainer.finetune.launcher_settings import require_usable, set_mixed_precision, uses_fsdp
from trainer.finetune.micro_batch import micro_batch_size


def shared_arguments(job: Job, model: Any, longest: int) -> dict[str, Any]:
    """Return the arguments that TRL's SFTConfig, DPOConfig and GRPOConfig have in common.

    Args:
        job: the training.
        model: the model to be trained.
        longest: see `micro_batch_size`.

    Raises:
        UsageError: the batch size is not divisible by the number of processes, or the launcher's settings would save no
            model or give wrong gradients.
    """
    import torch

    config, device = job.config, pick_device(job.device)
    require_usable(config, job.kind)
    bfloat16 = pick_dtype(job.dtype, device) is torch.bfloat16
    set_mixed_precision(bfloat16=bfloat16)
    share, rest = divmod(config.batch_size, world_size())
    if rest:
        raise UsageError(
            f"batch_size = {config.batch_size} is not divisible by the number of processes, {world_size()}. "
            "Choose a multiple of their number."
        )
    micro = micro_batch_size(job, share, model, longest)
    return {
        "output_dir": str(trainer_state_dir(job.folder)),
        "learning_rate": config.learning_rate,
        # transformers has two such schedules. In this one the first of w warm-up steps has 1/w of the peak, not 0.
        "lr_scheduler_type": "cosine_warmup_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr_rate": config.min_lr_rate},
        "warmup_steps": config.warmup_ratio,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": share // micro,
        # Between micro-batches FSDP would keep the gradients of all weights on every GPU; reduced, each has its share.
        "accelerator_config": {"gradient_accumulation_kwargs": {"sync_each_batch": uses_fsdp()}},
        **_extent(job),
        "bf16": bfloat16,
        "gradient_checkpointing": config.gradient_checkpointing,
        "use_cpu": device == "cpu",
        "ddp_timeout": COLLECTIVE_TIMEOUT_S,
        "seed": job.seed % (1 << 31),
        "weight_decay": config.weight_decay,
        "adam_beta1": config.betas[0],
        "adam_beta2": config.betas[1],
        "save_strategy": "steps" if config.save_steps else "no",
        "save_steps": config.save_steps or None,
        "logging_steps": 1,
        # Otherwise transformers logs the mean of earlier losses in place of one that is not finite.
        "logging_nan_inf_filter": False,
        "report_to": list(job.report_to),
        "disable_tqdm": True,
    }


def _extent(job: Job) -> dict[str, Any]:
    """Return the arguments of how long a training and its examples are."""
    if job.kind == "grpo":
        return {"max_steps": job.config.steps}
    return {"num_train_epochs": job.config.epochs, "max_length": job.config.max_length}


def shared_callbacks(job: Job, progress: Step) -> list[Any]:
    """Return the callbacks of every training: progress in optimiser steps, resumable checkpoints, divergence check."""
    from transformers import TrainerCallback

    from trainer.finetune.divergence import DivergenceCallback
    from trainer.finetune.resume import ResumeCallback

    class ProgressCallback(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            progress.update(state.global_step)

    return [ProgressCallback(), ResumeCallback(), DivergenceCallback(job)]


def fit(trainer: Any, job: Job, callbacks: Sequence[Any], progress: Progress) -> None:
    """Train, or resume from the last complete checkpoint, with `callbacks` in place of TRL's printer.

    Raises:
        Diverged: a loss, a gradient or a weight is not finite.
    """
    from transformers import PrinterCallback

    from trainer.finetune.resume import last_complete
    from trainer.finetune.trackers import report_training

    if trainer.accelerator.ddp_handler is not None:
        # DDP sends gradients in buckets, which would be a second copy of them.
        trainer.accelerator.ddp_handler.gradient_as_bucket_view = True
    trainer.remove_callback(PrinterCallback)
    for callback in callbacks:
        trainer.add_callback(callback)
    found = last_complete(Path(trainer.args.output_dir), job.label, progress)
    step, checkpoint = found or (0, None)
    with report_training(trainer, job, since=step + 1 if checkpoint else 0), threads_for(trainer.model):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
