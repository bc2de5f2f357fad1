"""The order of training examples: a function of the seed and the epoch alone, so that a resumed training repeats it.

The samplers of transformers and accelerate draw from a generator that advances with the training, or are not given the
epoch when a resumed training skips batches. Resuming inside a later epoch would then see other batches.
Imported late: it needs torch and transformers.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices

from srlm.seeding import derive_seed


class EpochSampler(Sampler[int]):
    """Sampler of example indices, reshuffled in every epoch.

    With `lengths`, each slice of `batch_size` holds examples of similar length; without, a third of the tokens would be
    padding. The batch of an optimiser step does not depend on how it is split into micro-batches or over processes.
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
        """Yield the indices of the trainer's current epoch."""
        epoch = int(self.trainer.state.epoch or 0)
        shuffle = torch.Generator().manual_seed(derive_seed(self.seed, "order", epoch))
        if self.lengths:
            grouped: Any = get_length_grouped_indices  # not annotated in transformers
            return iter(grouped(self.lengths, self.batch_size, generator=shuffle))
        shuffled: list[int] = torch.randperm(self.count, generator=shuffle).tolist()
        return iter(shuffled)
