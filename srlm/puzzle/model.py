"""An untrained Llama with 224k weights and a vocabulary of the puzzles only.

Relations, digits, y and n are one token each, and so is each part of the puzzle rubric between its slots: the model
needs no English to distinguish its two tasks. Any other text is the unknown token.
"""

import json
import re
import tempfile
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from srlm.optional_deps import require
from srlm.puzzle.task import FULL_SCORE, RELATIONS

USER, ASSISTANT, END, PAD, UNKNOWN = "[user]", "[assistant]", "[end]", "[pad]", "[unknown]"
CHARACTERS = [*RELATIONS, *(str(digit) for digit in range(FULL_SCORE + 1)), "y", "n", "\n"]
LABEL = "Score: "

TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}[user]{{ message['content'] }}[assistant]"
    "{% else %}{{ message['content'] }}[end]{% endif %}{% endfor %}"
)

SIZES: dict[str, Any] = {
    "hidden_size": 96,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
    # With the usual 0.02, such a small model does not learn to judge within the steps of the preset.
    "initializer_range": 0.1,
}


def phrases() -> list[str]:
    """Return the parts of the rubric between its slots."""
    rubric = (files("srlm.judges.prompts") / "puzzle.md").read_text(encoding="utf-8").strip()
    return [piece for piece in re.split(r"\{\{\w+\}\}", rubric) if piece]


def digest() -> str:
    """Hash everything that defines the model but its seed: sizes, vocabulary, template."""
    parts = [SIZES, CHARACTERS, phrases(), LABEL, TEMPLATE]
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def tokenizer() -> Any:
    """Build the tokenizer of characters and phrases with its chat template; nothing is trained."""
    from tokenizers import AddedToken, Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    special = [PAD, END, USER, ASSISTANT, UNKNOWN]
    vocabulary = {token: number for number, token in enumerate([*special, *CHARACTERS])}
    whole = Tokenizer(models.BPE(vocabulary, [], unk_token=UNKNOWN, fuse_unk=True))
    whole.decoder = decoders.Fuse()
    whole.add_tokens([AddedToken(phrase, normalized=False, special=False) for phrase in [LABEL, *phrases()]])
    made: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=whole,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        additional_special_tokens=[USER, ASSISTANT],
        chat_template=TEMPLATE,
        model_max_length=SIZES["max_position_embeddings"],
        clean_up_tokenization_spaces=False,
    )
    return made


def build(seed: int, folder: Path) -> None:
    """Write the checkpoint with the random weights of a seed; the folder appears only when complete.

    Raises:
        MissingDependency: torch or transformers is not installed.
    """
    for library in ("torch", "transformers"):
        require(library, "The puzzle model", "local")
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    words = tokenizer()
    config = LlamaConfig(
        vocab_size=len(words),
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        **SIZES,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as work:
        whole = Path(work) / "model"
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        model.save_pretrained(whole)
        words.save_pretrained(whole)
        if not folder.exists():
            whole.replace(folder)
