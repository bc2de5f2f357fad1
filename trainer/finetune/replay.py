"""Supervised examples mixed into DPO ("replay"), so that the model does not forget how to judge.

Imported late: it needs torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from srlm.seeding import derive_seed
from trainer.finetune.tokenize import Tokens


@dataclass(frozen=True)
class Replay:
    """Supervised examples to mix into each optimiser step: `count` of them, in a seeded order."""

    examples: Sequence[Tokens]
    count: int
    seed: int

    def draw(self, step: int) -> list[Tokens]:
        """Return the examples of an optimiser step, counted from 0. Each is seen once before any is seen again."""
        number, first = len(self.examples), step * self.count
        epochs = range(first // number, (first + self.count - 1) // number + 1)
        order = [index for epoch in epochs for index in self._order(epoch)]
        begin = first - epochs.start * number
        return [self.examples[index] for index in order[begin : begin + self.count]]

    def _order(self, epoch: int) -> list[int]:
        shuffle = torch.Generator().manual_seed(derive_seed(self.seed, "replay", epoch))
        order: list[int] = torch.randperm(len(self.examples), generator=shuffle).tolist()
        return order
