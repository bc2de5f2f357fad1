"""Tiny reward models: a Llama with a score head and a byte-level tokenizer, written as transformers writes one."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from helpers.tiny_models import BOS, STYLES, byte_level


def reward_model(folder: Path, style: str = "chatml", labels: int = 1, **changes: Any) -> Path:
    """Write a random classifier whose logits vary, with the tokenizer and template of a style."""
    template, eos, special = STYLES[style]
    tokenizer = byte_level(special, eos, template, BOS.get(style))
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "num_labels": labels,
    }
    torch.manual_seed(0)
    model: Any = AutoModelForSequenceClassification.from_config(AutoConfig.for_model("llama", **{**sizes, **changes}))
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
