"""Overlap of new prompts with each other (diversity), and with the prompts of the evaluation set (contamination).

Of a conversation all turns of the user are compared: a test prompt can be among the earlier ones. System messages are
left out, because many prompts share one, and the assistant's turns, because they are not prompts.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import combinations
from statistics import fmean

from srlm.types import Prompt
from trainer.generation.filters import rouge_l, rouge_words

MAX_COMPARED = 200
"""Maximum number of prompts compared with each other: some twenty thousand pairs, a fraction of a second."""
NGRAM = 13
"""Words in a row that two texts hardly share by chance (Brown et al. 2020, arXiv 2005.14165, appendix C)."""


def user_text(prompt: Prompt) -> str:
    """Return the text of a prompt that is compared: the instruction, after the user's earlier turns."""
    earlier = [message.content for message in prompt.context if message.role == "user"]
    return "\n".join([*earlier, prompt.instruction])


def diversity(texts: Sequence[str]) -> float | None:
    """Compute the mean distance of two texts, 1 - ROUGE-L F: 0 if all are the same, None for fewer than two.

    Of more than `MAX_COMPARED` texts a sample is compared, taken evenly from all.
    """
    step = -(-len(texts) // MAX_COMPARED) or 1
    words = [rouge_words(text) for text in texts[::step]]
    return fmean(1 - rouge_l(one, two) for one, two in combinations(words, 2)) if len(words) > 1 else None


def contaminated(texts: Sequence[str], held_out: Sequence[str]) -> list[int]:
    """Return the indices of the texts that share 13 words in a row with a held-out text.

    A shorter held-out text counts if all of its words occur in a row. Words are those of ROUGE.
    """
    grams: dict[int, set[tuple[str, ...]]] = {}
    for text in held_out:
        words = rouge_words(text)
        length = min(NGRAM, len(words))
        if length:
            grams.setdefault(length, set()).update(_ngrams(words, length))
    return [index for index, text in enumerate(texts) if _has_any(rouge_words(text), grams)]


def _has_any(words: list[str], grams: Mapping[int, Set[tuple[str, ...]]]) -> bool:
    return any(gram in known for length, known in grams.items() for gram in _ngrams(words, length))


def _ngrams(words: list[str], length: int) -> Iterator[tuple[str, ...]]:
    return (tuple(words[start : start + length]) for start in range(len(words) - length + 1))
