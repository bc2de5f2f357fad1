"""Text embeddings: the mean of a checkpoint's last hidden states over a text's tokens.

No chat template is applied: the text is embedded, not a turn. Left out: embedding models; the map of a run's texts
shows how the run's own model distinguishes them (arXiv 2401.10020, A.1).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from srlm.engines.device import pick_device, pick_dtype, threads_for
from srlm.engines.engine import OnProgress, no_progress
from srlm.engines.load import load_model, load_tokenizer

if TYPE_CHECKING:
    import numpy.typing as npt

MAX_TOKENS = 512
"""Tokens of a text that are read; the rest is ignored."""

BATCH_ROWS = 16
"""Texts of similar length in one forward pass."""


def embed(
    folder: Path,
    texts: Sequence[str],
    *,
    device: str = "auto",
    dtype: str = "auto",
    on_progress: OnProgress = no_progress,
) -> "npt.NDArray[np.float32]":
    """Embed texts: vectors of shape (texts, hidden size); the vector of an empty text is 0.

    Args:
        folder: a checkpoint.
        texts: of each, the first `MAX_TOKENS` tokens.
        device: see `srlm.config.TrainConfig`.
        dtype: likewise.
        on_progress: called once a text.

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
        on_progress()
    for start in range(0, len(order), BATCH_ROWS):
        places = order[start : start + BATCH_ROWS]
        longest = len(encoded[places[-1]])
        ids = torch.tensor([encoded[place] + [0] * (longest - len(encoded[place])) for place in places])
        mask = torch.tensor([[1] * len(encoded[place]) + [0] * (longest - len(encoded[place])) for place in places])
        with torch.inference_mode(), threads_for(model):
            states = model.base_model(input_ids=ids.to(chosen), attention_mask=mask.to(chosen)).last_hidden_state
            weights = mask.to(chosen)[..., None].float()
            means = (states.float() * weights).sum(1) / weights.sum(1)
        found[places] = means.cpu().numpy()
        for _ in places:
            on_progress()
    return found
