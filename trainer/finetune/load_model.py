"""Load the model that a training starts from: float32 master weights, with the dropout that the settings ask for.

Dropout is set in the model's configuration for the time of training, because transformers' models read it from nowhere
else. `trainer/finetune/save.py` restores the original rates when it writes the result.
"""

from pathlib import Path
from typing import Any

from srlm.checkpoint_files import weight_dtypes
from srlm.engines.load import load_model, load_tokenizer
from srlm.engines.load_errors import no_memory
from srlm.errors import EngineFailed, ModelError, OutOfMemory
from trainer.finetune.distributed import own_device
from trainer.finetune.job import Job
from trainer.finetune.launcher_settings import receives_weights
from trainer.finetune.libraries import require_libraries, silence_libraries

DROPOUT_NAMES = (
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
"""Configuration names of dropout rates in causal language models. Those of classification heads are left out."""


def load_job_model(job: Job) -> tuple[Any, Any]:
    """Load the model and tokenizer of a training; without its weights, if another process sends them.

    Raises:
        ModelError: dropout is set and the architecture has none; or weights are missing or not finite.
    """
    dropout = job.config.dropout
    if receives_weights():
        return allocate_model(job.start, dropout), load_tokenizer(job.start)
    # The weights that adapters change are halved before they go to a GPU (trainer/finetune/precision.py).
    return load_for_training(job.start, "cpu" if job.config.lora.rank else job.device, dropout)


def load_for_training(folder: Path, device: str, dropout: float = 0) -> tuple[Any, Any]:
    """Load a checkpoint's model in float32 and its tokenizer. Updates of 1e-6 would vanish in bfloat16 weights.

    Raises:
        ModelError: dropout is set and the architecture has none; or weights are missing or not finite.
        OutOfMemory: the weights do not fit into the memory of the device.
    """
    require_libraries()
    import torch

    silence_libraries()
    rates = dict.fromkeys(dropout_settings(folder, dropout), dropout)
    place = own_device(device)
    try:
        model = load_model(folder, torch.float32, place, settings=rates)
    except EngineFailed:
        raise OutOfMemory(
            f"{no_memory(folder, torch.float32, place)} End the others, use a smaller model, or spread it over more "
            "GPUs (docs/explain/scale.md)."
        ) from None
    model.config.name_or_path = ""  # trackers and adapters would copy the path
    return model, load_tokenizer(folder)


def require_loadable(folder: Path) -> None:
    """Load a checkpoint's weights into the main memory in their own precision, check them, and drop them.

    Raises:
        ModelError: weights are missing, left over or not finite.
        EngineFailed: they do not fit into the main memory.
    """
    import torch

    half = weight_dtypes(folder) == {"BF16"}
    load_model(folder, torch.bfloat16 if half else torch.float32, "cpu")


def allocate_model(folder: Path, dropout: float) -> Any:
    """Return a checkpoint's model in float32 with weights of undefined value, which are not read.

    They are allocated and never written, so that they take no memory: the operating system maps a page at the first
    write. Tensors on torch's "meta" device would not do: accelerate finds the sharded parameters of the optimiser by
    their addresses, and needs the tables that no checkpoint contains, such as those of rotary embeddings.

    Raises:
        ModelError: dropout is set and the architecture has none.
    """
    require_libraries()
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    silence_libraries()
    rates = dict.fromkeys(dropout_settings(folder, dropout), dropout)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    config.get_text_config().update(rates)
    build: Any = AutoModelForCausalLM.from_config
    with no_init_weights():
        model = build(config, dtype=torch.float32, attn_implementation="sdpa", trust_remote_code=False)
    model.tie_weights()  # a part of the initialisation
    model.config.name_or_path = ""
    return model.eval()


def dropout_settings(folder: Path, dropout: float) -> list[str]:
    """Return the names of the dropout rates in a checkpoint's configuration.

    Raises:
        ModelError: `dropout` is above 0 and the architecture has none.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    names = [name for name in DROPOUT_NAMES if hasattr(config.get_text_config(), name)]
    if dropout and not names:
        raise ModelError(
            f"The architecture of {folder} ({config.model_type}) has no dropout. Train it without: "
            "--set sft.dropout=0 --set dpo.dropout=0"
        )
    return names
