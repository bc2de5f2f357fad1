"""Rows by TRL's own preparation of a dataset, to compare with what the trainer makes of the same records."""

from types import SimpleNamespace
from typing import Any

from trl.trainer.sft_trainer import SFTTrainer


def by_trl(trainer: Any, tokenizer: Any, rows: Any, **settings: Any) -> list[dict[str, Any]]:
    """Return the tokens of a dataset's rows. `settings`: arguments of the trainer that are not its defaults."""
    self = SimpleNamespace(chat_template=None, completion_only_loss=True, _tokenizer=tokenizer)
    arguments = SimpleNamespace(
        dataset_num_proc=None, max_length=None, truncation_mode="keep_start", dataset_text_field="text",
        **{"assistant_only_loss": False, "shuffle_dataset": False, **settings},
    )  # fmt: skip
    rest = (False, None) if trainer is SFTTrainer else ()
    return list(trainer._prepare_dataset(self, rows, tokenizer, arguments, *rest, "train"))
