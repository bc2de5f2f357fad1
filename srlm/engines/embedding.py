"""A text as one vector: the mean of a checkpoint's last hidden states over its tokens.

No chat template is put around it, because it is the text that is looked at and not the turn. Left out: models made for
this; what is wanted is how the model of a run itself tells texts apart (arXiv 2401.10020, A.1).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from srlm.engines.engine import Tick, no_tick
from srlm.engines.load import load_model, load_tokenizer, pick_device, pick_dtype

if TYPE_CHECKING:
    import numpy.typing as npt

MAX_TOKENS = 512
"""Of a text; what follows is not read."""
ROWS = 16
"""Texts in one pass, of like length."""


def embed(
    folder: Path, texts: Sequence[str], *, device: str = "auto", dtype: str = "auto", tick: Tick = no_tick
) -> "npt.NDArray[np.float32]":
    """Vectors of shape (texts, hidden size); an empty text is the vector 0.

    Args:
        folder: a checkpoint.
        texts: what to read, the first `MAX_TOKENS` tokens of each.
        device: see `srlm.config.TrainConfig`.
        dtype: likewise.
        tick: called once a text.

    Raises:
        ModelError: the checkpoint cannot be read.
    """
    import torch

    tokenizer = load_tokenizer(folder)
    chosen = pick_device(device)
    model = load_model(folder, pick_dtype(dtype, chosen), chosen)
    encoded: list[list[int]] = [tokenizer.encode(text, add_special_tokens=False)[:MAX_TOKENS] for text in texts]
    found = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
    order = sorted((place for place, ids in enumerate(encoded) if ids), key=lambda place: len(encoded[place]))
    for _ in range(len(encoded) - len(order)):
        tick()
    for start in range(0, len(order), ROWS):
        places = order[start : start + ROWS]
        longest = len(encoded[places[-1]])
        ids = torch.tensor([encoded[place] + [0] * (longest - len(encoded[place])) for place in places])
        mask = torch.tensor([[1] * len(encoded[place]) + [0] * (longest - len(encoded[place])) for place in places])
        with torch.inference_mode():
            states = model.base_model(input_ids=ids.to(chosen), attention_mask=mask.to(chosen)).last_hidden_state
            weights = mask.to(chosen)[..., None].float()
            means = (states.float() * weights).sum(1) / weights.sum(1)
        found[places] = means.cpu().numpy()
        for _ in places:
            tick()
    return found
