"""The order in which a training sees its examples: a function of the seed and the epoch, and of nothing else.

The samplers of transformers and accelerate draw from a generator that moves on with the training, or are not told the
epoch when a resumed one skips batches, so that training on from the middle of a later epoch would see other batches.
Imported late: it needs torch and transformers.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices

from srlm.seeding import derive_seed


class Order(Sampler[int]):
    """Indices of an epoch's examples, shuffled anew for each.

    With `lengths`, each slice of `batch_size` holds examples of like length: a third of the tokens would be padding
    otherwise. A batch is the same however it is cut into micro-batches or spread over processes.
    """

    def __init__(
        self, trainer: Any, count: int, seed: int, *, lengths: Sequence[int] = (), batch_size: int = 1
    ) -> None:
        self.trainer = trainer
        self.count = count
        self.seed = seed
        self.lengths = lengths
        self.batch_size = batch_size

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        """The order of the epoch that the trainer's own count is in."""
        epoch = int(self.trainer.state.epoch or 0)
        shuffle = torch.Generator().manual_seed(derive_seed(self.seed, "order", epoch))
        if self.lengths:
            grouped: Any = get_length_grouped_indices  # not annotated in transformers
            return iter(grouped(self.lengths, self.batch_size, generator=shuffle))
        shuffled: list[int] = torch.randperm(self.count, generator=shuffle).tolist()
        return iter(shuffled)
