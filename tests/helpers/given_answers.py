"""Rollouts whose answers are given: functions of step and place, the same in any number of processes.

    torchrun --nproc-per-node 2 tests/helpers/given_answers.py JOB.json
"""

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from trainer.finetune.grpo_trainer import RolloutTrainer

LETTERS = range(40, 90)
"""Tokens of the tiny model that are no special ones."""


def answers(trainer: Any, prompt_ids: Sequence[Sequence[int]], *others: Any, **more: Any) -> tuple[list[Any], None]:
    """In place of generation: half of the answers end, the others are cut at their length."""
    first = trainer.accelerator.process_index * len(prompt_ids)
    found = []
    for place in range(first, first + len(prompt_ids)):
        drawn = random.Random(f"{trainer.state.global_step}-{place}")
        ids = drawn.choices(LETTERS, k=trainer.max_completion_length)
        ended = [*ids[: drawn.randrange(1, len(ids))], trainer.eos_token_ids[0]]
        found.append(ended if place % 2 else ids)
    return found, None


@contextmanager
def given_answers() -> Iterator[None]:
    """Train with them."""
    with mock.patch.object(RolloutTrainer, "_generate_single_turn", answers):
        yield


if __name__ == "__main__":
    from trainer.worker import main

    with given_answers():
        sys.exit(main(Path(sys.argv[1])))
