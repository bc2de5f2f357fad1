"""What new instructions have in common, with each other and with the instructions that models are measured on."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from statistics import fmean

from trainer.generation.filters import rouge_l, rouge_words

COMPARED = 200
"""Instructions that are compared with each other at the most: some twenty thousand pairs, a fraction of a second."""
GRAM = 13
"""Words in a row that two texts hardly share by chance (Brown et al. 2020, arXiv 2005.14165, appendix C)."""


def diversity(texts: Sequence[str]) -> float | None:
    """Mean distance of two texts, 1 less their ROUGE-L F: 0 where all are the same, None for fewer than two.

    Of more than 200 texts, as many are taken evenly from all.
    """
    step = -(-len(texts) // COMPARED) or 1
    words = [rouge_words(text) for text in texts[::step]]
    return fmean(1 - rouge_l(one, two) for one, two in combinations(words, 2)) if len(words) > 1 else None


def contaminated(texts: Sequence[str], held_out: Sequence[str]) -> list[int]:
    """Indices of the texts that share 13 words in a row with one that is held out.

    Of a shorter held-out text all the words count, in their order. Words are as ROUGE counts them.
    """
    grams: dict[int, set[tuple[str, ...]]] = {}
    for text in held_out:
        words = rouge_words(text)
        length = min(GRAM, len(words))
        if length:
            grams.setdefault(length, set()).update(_runs(words, length))
    return [
        index
        for index, text in enumerate(texts)
        if any(run in known for length, known in grams.items() for run in _runs(rouge_words(text), length))
    ]


def _runs(words: list[str], length: int) -> Iterator[tuple[str, ...]]:
    return (tuple(words[start : start + length]) for start in range(len(words) - length + 1))
