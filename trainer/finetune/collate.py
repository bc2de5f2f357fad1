"""Collate tokenized examples of different lengths into one padded batch. Imported late: it needs torch."""

from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

from trainer.finetune.tokenize import IGNORE_INDEX, Tokens


def pad_batch(examples: Sequence[Tokens], *, labelled: bool = True) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return token ids, attention mask and labels, each [examples, tokens], padded on the right.

    Only tokens of the completion are labelled; with `labelled` false none is.
    """
    rows = [torch.tensor([*one.prompt, *one.completion]) for one in examples]
    labels = [
        torch.tensor(
            [
                *[IGNORE_INDEX] * len(one.prompt),
                *(one.completion if labelled else [IGNORE_INDEX] * len(one.completion)),
            ]
        )
        for one in examples
    ]
    attention = [torch.ones_like(row) for row in rows]
    return (
        pad_sequence(rows, batch_first=True),
        pad_sequence(attention, batch_first=True),
        pad_sequence(labels, batch_first=True, padding_value=IGNORE_INDEX),
    )
