"""Write a trained model: safetensors, tokenizer and chat template, and the training log next to them."""

from pathlib import Path
from typing import Any

from srlm.engines.chat_template import ChatTokenizer
from srlm.engines.load import eos_tokens
from srlm.jsonl import write_records
from trainer.finetune.job import DPOJob, SFTJob
from trainer.finetune.load_model import DROPOUT_NAMES


def save_checkpoint(trainer: Any, tokenizer: Any, job: SFTJob | DPOJob) -> None:
    """Write the final checkpoint and the training log. Adapters are merged into the weights first.

    Raises:
        Diverged: its weights or its outputs are not finite.
    """
    from trainer.finetune.divergence import require_finite, require_finite_outputs

    folder = job.folder
    require_finite_outputs(job, trainer)
    if hasattr(trainer.model, "merge_and_unload"):
        trainer.model = trainer.model.merge_and_unload()
    require_finite(job, trainer.state, trainer.args, trainer.model)
    write_model(trainer, tokenizer, job.start, folder)
    if trainer.is_world_process_zero():
        write_records(folder.parent / "training.jsonl", trainer.state.log_history)


def write_model(trainer: Any, tokenizer: Any, start: Path, folder: Path) -> None:
    """Write the model in its present state, with the dropout rates of the checkpoint `start`.

    Its settings for generation name the template's end of turn, which it has learned, so that other tools stop there.
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
    trainer.save_model(str(folder))  # by all processes: each may hold a part
    for name, rate in rates.items():
        setattr(now, name, rate)
    if trainer.is_world_process_zero():
        tokenizer.save_pretrained(folder)
        (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle: srlm writes none
