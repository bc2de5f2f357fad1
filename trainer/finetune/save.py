"""Write a trained model: safetensors, tokenizer and chat template, and the training log next to them.

Adapters are merged in the first process, on the CPU, into the float32 weights of the checkpoint from which training
started: those in training may be in bfloat16, which rounds away small updates, or sharded over processes.
"""

import gc
from pathlib import Path
from typing import Any

from srlm.engines.chat_template import ChatTokenizer
from srlm.engines.load import eos_tokens, load_model
from srlm.errors import TrainingFailed
from srlm.jsonl import write_records
from trainer.finetune.job import Job
from trainer.finetune.load_model import DROPOUT_NAMES
from trainer.finetune.release import release_model


def save_checkpoint(trainer: Any, tokenizer: Any, job: Job) -> None:
    """Write the final checkpoint and the training log. Adapters are merged into the weights first.

    Raises:
        Diverged: its weights or its outputs are not finite.
        TrainingFailed: the launcher's settings save no weights.
    """
    from trainer.finetune.divergence import require_finite, require_finite_outputs

    folder = job.folder
    require_finite_outputs(job, trainer)
    merged = _merge_adapters(trainer, job.start) if _is_adapted(trainer) else None
    require_finite(job, trainer.state, trainer.args, trainer.model if merged is None else merged)
    write_model(trainer, tokenizer, job.start, folder, merged)
    if merged is not None:
        release_model(merged)
    if trainer.is_world_process_zero():
        write_records(folder.parent / "training.jsonl", trainer.state.log_history)


def _is_adapted(trainer: Any) -> bool:
    return hasattr(trainer.model, "merge_and_unload")


def _merge_adapters(trainer: Any, start: Path) -> Any:
    """Return the checkpoint `start` in float32 with the trained adapters merged, in the first process; else None."""
    import torch
    from peft import get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    trained = trainer.model
    whole = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
    adapters = get_model_state_dict(trained, options=whole)  # by all processes: each may hold a part
    gc.collect()  # torch's function leaves a reference cycle with the model in it, whose memory is needed soon
    if not trainer.is_world_process_zero():
        return None
    base = load_model(start, torch.float32, "cpu")
    base.config, base.generation_config = trained.get_base_model().config, trained.get_base_model().generation_config
    model = get_peft_model(base, trained.active_peft_config)
    set_peft_model_state_dict(model, get_peft_model_state_dict(trained, state_dict=adapters))
    return model.merge_and_unload()


def write_model(trainer: Any, tokenizer: Any, start: Path, folder: Path, merged: Any = None) -> None:
    """Write the model in its present state, with the dropout rates of the checkpoint `start`.

    Its settings for generation name the template's end of turn, which it has learned, so that other tools stop there.

    Args:
        trainer: the trainer, in all processes.
        tokenizer: the model's.
        start: the checkpoint from which training started.
        folder: where to write.
        merged: in the first process of a training with adapters, the model with them.

    Raises:
        TrainingFailed: the launcher's settings save no weights.
    """
    from transformers import AutoConfig

    before = AutoConfig.from_pretrained(start, trust_remote_code=False).get_text_config()
    now = trainer.model.config.get_text_config()
    rates = {name: getattr(now, name) for name in DROPOUT_NAMES if hasattr(before, name)}
    for name in rates:
        setattr(now, name, getattr(before, name))
    generation = trainer.model.generation_config
    declared = eos_tokens(generation.eos_token_id, tokenizer)
    ends = ChatTokenizer(tokenizer, name=str(start)).with_end_of_turn(declared)
    if ends != declared:
        generation.eos_token_id = sorted(ends)
    if merged is not None:
        merged.save_pretrained(folder)
    elif not _is_adapted(trainer):
        trainer.save_model(str(folder))  # by all processes: each may hold a part
    for name, rate in rates.items():
        setattr(now, name, rate)
    if trainer.is_world_process_zero():
        tokenizer.save_pretrained(folder)
        (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle: srlm writes none
        if not any(folder.glob("*.safetensors")):
            raise TrainingFailed(
                f"No weights were written to {folder}: the settings of the launcher save no whole model. They must "
                "gather the weights in one process (FSDP: fsdp_state_dict_type = FULL_STATE_DICT; DeepSpeed: "
                "zero3_save_16bit_model = true)."
            )
