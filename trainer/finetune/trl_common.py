"""What both of TRL's trainers are told: float32 master weights under bfloat16 autocast, schedule, seeds, quiet logs.

Dropout is set in the model's configuration for the time of training: transformers' models have it nowhere else.
"""

import logging
import os
import shutil
import warnings
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srlm.console import Step
from srlm.engines.device import pick_device, pick_dtype
from srlm.engines.load import load_model, load_tokenizer
from srlm.errors import ModelError, UsageError
from srlm.jsonl import write_records
from srlm.optional_deps import require

if TYPE_CHECKING:
    from srlm.config.finetune import DPOConfig, SFTConfig
    from trainer.finetune.job import Preference, Supervision


LIBRARIES = ("torch", "transformers", "trl", "accelerate", "datasets")
DROPOUTS = (
    "attention_dropout",
    "attn_pdrop",
    "dropout",
    "embd_pdrop",
    "emb_pdrop",
    "embedding_dropout",
    "hidden_dropout",
    "resid_pdrop",
    "residual_dropout",
)
"""Names that architectures give to the dropout of a causal language model; those of classifiers are no part of it."""


def require_libraries() -> None:
    """Say which library training lacks, and how to install it."""
    for library in LIBRARIES:
        require(library, "Training", "train")


def load_for_training(folder: Path, device: str, dropout: float = 0) -> tuple[Any, Any]:
    """Model in float32, and tokenizer. Updates of 1e-6 would vanish in bfloat16 weights.

    Raises:
        ModelError: dropout is wanted, and the architecture has none; or weights are missing, or not finite.
    """
    require_libraries()
    import torch

    quiet()
    # Beside others a process gets its device, or its share of the weights, from accelerate.
    place = pick_device(device) if processes() == 1 else "cpu"
    rates = dict.fromkeys(dropouts(folder, dropout), dropout)
    model = load_model(folder, torch.float32, place, settings=rates)
    model.config.name_or_path = ""  # trackers and adapters would carry the path on
    return model, load_tokenizer(folder)


def processes() -> int:
    """How many processes train together: what a launcher has started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def dropouts(folder: Path, dropout: float) -> list[str]:
    """The settings of a checkpoint's architecture that are rates of dropout between its layers.

    Raises:
        ModelError: `dropout` is above 0, and there are none.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    names = [name for name in DROPOUTS if hasattr(config, name)]
    if dropout and not names:
        raise ModelError(
            f"The architecture of {folder} ({config.model_type}) has no dropout. Train it without: "
            "--set sft.dropout=0 --set dpo.dropout=0"
        )
    return names


def quiet() -> None:
    """Silence the libraries' own bars and advice: srlm prints its progress, and errors are raised."""
    import datasets
    from transformers.utils import logging as transformers_logging

    # TRL still sets arguments that transformers has renamed; that is between the two of them.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    datasets.disable_progress_bars()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.getLogger("trl").setLevel(logging.ERROR)


def shared_arguments(job: "Supervision | Preference") -> dict[str, Any]:
    """Arguments that SFTConfig and DPOConfig of TRL take alike.

    Raises:
        UsageError: a batch cannot be spread evenly over the processes.
    """
    import torch

    config, chosen = job.config, pick_device(job.device)
    share, rest = divmod(config.batch_size, processes())
    if rest:
        raise UsageError(
            f"batch_size = {config.batch_size} cannot be spread evenly over {processes()} processes. "
            "Choose a multiple of their number."
        )
    micro = max(size for size in range(1, min(config.per_device_train_batch_size, share) + 1) if share % size == 0)
    return {
        "output_dir": str(training(job.folder)),
        "learning_rate": config.learning_rate,
        # Of transformers' two such schedules the one whose first step has a rate: 1/w of the peak, of w warm-up steps.
        "lr_scheduler_type": "cosine_warmup_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr_rate": config.min_lr_rate},
        "warmup_steps": config.warmup_ratio,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": share // micro,
        "num_train_epochs": config.epochs,
        "max_length": config.max_length,
        "bf16": pick_dtype(job.dtype, chosen) is torch.bfloat16,
        "gradient_checkpointing": config.gradient_checkpointing,
        "use_cpu": chosen == "cpu",
        "seed": job.seed % (1 << 31),
        "weight_decay": config.weight_decay,
        "adam_beta1": config.betas[0],
        "adam_beta2": config.betas[1],
        "save_strategy": "steps" if config.save_steps else "no",
        "save_steps": config.save_steps or None,
        "logging_steps": 1,
        # transformers would write the mean of the losses before in place of one that is not finite.
        "logging_nan_inf_filter": False,
        "report_to": list(job.report_to),
        "disable_tqdm": True,
    }


def adapters(config: "SFTConfig | DPOConfig") -> Any:
    """What TRL is told of LoRA; None where all weights are tuned."""
    if not config.lora.rank:
        return None
    require("peft", "LoRA", "train")
    from peft import LoraConfig

    return LoraConfig(
        r=config.lora.rank, lora_alpha=config.lora.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )


def dataset(rows: list[dict[str, Any]], folder: Path) -> Any:
    """The rows of a training as TRL takes them.

    Processes that train together read them from one place: TRL keeps what the reference says in a file beside the rows,
    which the first process writes for all.
    """
    from accelerate import PartialState
    from datasets import Dataset, load_from_disk

    made = Dataset.from_list(rows)
    if processes() == 1:
        return made
    place, state = shared_rows(folder), PartialState()
    if state.is_main_process:
        shutil.rmtree(place, ignore_errors=True)
        made.save_to_disk(str(place))
    state.wait_for_everyone()
    return load_from_disk(str(place))


def shared_rows(folder: Path) -> Path:
    """Where rows lie for several processes, beside the folder of the checkpoint. Whoever started these removes it."""
    return folder.parent / "rows"


def training(folder: Path) -> Path:
    """Where the trainer's own checkpoints lie, beside the folder of the finished one."""
    return folder.parent / "training"


def fit(trainer: Any, step: Step, job: "Supervision | Preference") -> None:
    """Run a TRL trainer, or go on where it was stopped, with our progress in place of its own.

    The step's unit is the optimiser step.

    Raises:
        Diverged: a loss, a gradient or a weight is not finite.
    """
    from transformers import PrinterCallback, TrainerCallback

    from trainer.finetune.divergence import Watch
    from trainer.finetune.resume import Keep, last_whole
    from trainer.finetune.trackers import reported

    class Report(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            step.update(state.global_step)

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Report())
    trainer.add_callback(Keep())
    trainer.add_callback(Watch(job))
    whole = last_whole(Path(trainer.args.output_dir))
    since = int(whole.name.removeprefix(WHOLE)) + 1 if whole else 0
    with reported(trainer, job, since):
        trainer.train(resume_from_checkpoint=str(whole) if whole else None)


def optimiser_steps(examples: int, config: "SFTConfig | DPOConfig") -> int:
    """How many updates a training makes."""
    return max(1, ceil(ceil(examples / config.batch_size) * config.epochs))


def save(trainer: Any, tokenizer: Any, job: "Supervision | Preference") -> None:
    """Write the checkpoint, and the training log beside it.

    Adapters are merged into the weights, so that what is written is a model as any other.

    Raises:
        Diverged: its weights, or what they compute, are not finite.
    """
    from trainer.finetune.divergence import require_answers, require_finite

    folder = job.folder
    require_answers(job, trainer)
    if hasattr(trainer.model, "merge_and_unload"):
        trainer.model = trainer.model.merge_and_unload()
    require_finite(job, trainer.state, trainer.args, trainer.model)
    write_model(trainer, tokenizer, job.start, folder)
    if trainer.is_world_process_zero():
        write_records(folder.parent / "training.jsonl", trainer.state.log_history)


def write_model(trainer: Any, tokenizer: Any, start: Path, folder: Path) -> None:
    """Write the model as it is now, as safetensors with its chat template; its dropout is that of `start`."""
    from transformers import AutoConfig

    before, now = AutoConfig.from_pretrained(start, trust_remote_code=False), trainer.model.config
    rates = {name: getattr(now, name) for name in DROPOUTS if hasattr(before, name)}
    for name in rates:
        setattr(now, name, getattr(before, name))
    trainer.save_model(str(folder))  # by all processes: each may hold a part
    for name, rate in rates.items():
        setattr(now, name, rate)
    if trainer.is_world_process_zero():
        tokenizer.save_pretrained(folder)
        (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle: nothing that srlm writes is one


WHOLE = "step-"
"""How a checkpoint on the way is called once it is whole, with the number of its optimiser step."""


def whole(folder: Path) -> dict[int, Path]:
    """The checkpoints on the way that are whole, by optimiser step, the first one first."""
    found = {int(path.name.removeprefix(WHOLE)): path for path in folder.glob(f"{WHOLE}*")}
    return dict(sorted(found.items()))


def kept(folder: Path) -> Path:
    """Where the checkpoints lie that a judge chooses from, beside the folder of the finished one."""
    return folder.parent / "kept"
