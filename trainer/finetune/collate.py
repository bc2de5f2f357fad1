"""Examples of different lengths as one batch of tensors. Imported late: it needs torch."""

from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

from trainer.finetune.tokenize import IGNORED, Tokens


def padded(examples: Sequence[Tokens], *, counted: bool = True) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, attention mask and labels, each [examples, tokens], padded on the right with what nothing reads.

    The labels are those of the answers' tokens; with `counted` false there are none.
    """
    rows = [torch.tensor([*one.prompt, *one.completion]) for one in examples]
    labels = [
        torch.tensor([*[IGNORED] * len(one.prompt), *(one.completion if counted else [IGNORED] * len(one.completion))])
        for one in examples
    ]
    attention = [torch.ones_like(row) for row in rows]
    return (
        pad_sequence(rows, batch_first=True),
        pad_sequence(attention, batch_first=True),
        pad_sequence(labels, batch_first=True, padding_value=IGNORED),
    )
