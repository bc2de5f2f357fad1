"""New prompts of the sentence task: sets of words drawn by code. The loop has no program that checks the answers."""

from collections.abc import Sequence

from srlm.sentences.task import SENTENCES, word_sets
from srlm.types import Prompt


def sentence_prompts(model: str, count: int, seed: int, earlier: Sequence[Prompt]) -> list[Prompt]:
    """Return instructions with five words each for the training of `model`, none of an earlier iteration."""
    return [
        Prompt(f"{model}-p{number:04d}", asked.instruction, "generated", kind=SENTENCES)
        for number, asked in enumerate(word_sets("train", seed, "loop", count, start=len(earlier)))
    ]
