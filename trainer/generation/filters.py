"""Filters of new prompts, those of Self-Instruct (Wang et al. 2023, section 2.2), as in the paper.

Every rejection has a reason, and the reasons are counted in the run.

Each new prompt is compared with all known ones and with those accepted before it: some fifty million comparisons for
8,000 prompts. The known ones are compared with a block of new prompts at a time, on all cores.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Indel, LCSseq

from srlm.config.generation import InstructionsConfig

TOO_SIMILAR = "too similar to a known instruction"
"""The reason whose share is the rate of duplicates. All other reasons concern a prompt by itself."""

BLOCK = 256
"""New prompts that are compared with the known ones at once; among themselves they are compared one by one."""
CELLS = 4_000_000
"""Comparisons at once, which bounds the memory of a block: 8 bytes each."""
FEW = 10_000
"""Comparisons that one thread has done before others would have started."""
ROUNDING = 1e-9
"""Room for rounding below the limit; at the limit itself, the F-measure as `rouge_l` computes it decides."""

_KEYWORDS = re.compile(r"\b(images?|graphs?|pictures?|files?|maps?|draw|plot|go to)\b", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9]+")


def rouge_words(text: str) -> list[str]:
    """Return the words that ROUGE counts: lower-case runs of letters and digits, no stemming (Lin 2004)."""
    return _WORD.findall(text.lower())


def rouge_l(one: Sequence[str], two: Sequence[str]) -> float:
    """Compute the ROUGE-L F-measure of two sequences of words, in [0, 1].

    It is twice the length of the longest common subsequence over the sum of lengths; 0 for two empty lists.
    """
    total = len(one) + len(two)
    return 2 * LCSseq.similarity(one, two) / total if total else 0.0


class InstructionFilter:
    """Filter of prompts that are malformed, need more than text, or resemble a known one.

    Known prompts are stored as strings with one character per word, which rapidfuzz compares several times as fast as
    lists of words. Its cutoff skips pairs whose lengths alone rule the limit out.
    """

    def __init__(self, config: InstructionsConfig, known: Iterable[str]) -> None:
        self._config = config
        self._characters: dict[str, str] = {}
        self._known = [self._encode(text) for text in known]

    def reasons(self, prompts: Sequence[tuple[str, bool]]) -> Iterator[str | None]:
        """Yield the reason to reject each prompt, or None. An accepted prompt is known from then on.

        Args:
            prompts: in their order: the text, and whether its generation hit the length limit.
        """
        start = 0
        while start < len(prompts):
            size = max(1, min(BLOCK, CELLS // (len(self._known) or 1)))
            yield from self._block(prompts[start : start + size])
            start += size

    def _block(self, prompts: Sequence[tuple[str, bool]]) -> Iterator[str | None]:
        own = [self._own_reason(text, truncated) for text, truncated in prompts]
        words = [self._encode(text) for text, _ in prompts]
        left = [index for index, reason in enumerate(own) if reason is None]
        similar = {left[row] for row in self._resembling([words[index] for index in left])}
        accepted: list[str] = []
        for index, reason in enumerate(own):
            if reason is None and (index in similar or self._is_too_similar(words[index], accepted)):
                yield TOO_SIMILAR
                continue
            if reason is None:
                accepted.append(words[index])
                self._known.append(words[index])
            yield reason

    def _own_reason(self, text: str, truncated: bool) -> str | None:
        """Return the reason to reject a prompt by itself."""
        count = len(text.split())
        if truncated:
            return "cut at the length limit"
        if count < self._config.min_words:
            return "too short"
        if count > self._config.max_words:
            return "too long"
        if not text[0].isascii():
            return "begins with a character outside ASCII"
        if not text[0].isalnum():
            return "begins with punctuation"
        if text.startswith("Write a program"):
            return "asks for a program"
        return "needs more than text" if _KEYWORDS.search(text) else None

    def _resembling(self, texts: Sequence[str]) -> list[int]:
        """Return the indices of the texts whose most similar known prompt is above the limit, on all cores.

        The normalised indel similarity is the ROUGE-L F-measure.
        """
        if not texts or not self._known:
            return []
        limit = self._config.rouge_limit
        found = process.cdist(
            texts,
            self._known,
            scorer=Indel.normalized_similarity,
            score_cutoff=limit - ROUNDING,
            dtype=np.float64,
            workers=1 if len(texts) * len(self._known) < FEW else -1,
        )
        nearest: list[int] = found.argmax(axis=1).tolist()
        near: list[int] = np.flatnonzero(found.max(axis=1) >= limit - ROUNDING).tolist()
        return [row for row in near if rouge_l(texts[row], self._known[nearest[row]]) > limit]

    def _is_too_similar(self, text: str, others: Sequence[str]) -> bool:
        """Return whether the most similar of the others is above the limit."""
        limit = self._config.rouge_limit
        found = process.extractOne(text, others, scorer=Indel.normalized_similarity, score_cutoff=limit - ROUNDING)
        return found is not None and rouge_l(text, found[0]) > limit

    def _encode(self, text: str) -> str:
        """Return a text as a string with one character per word of ROUGE."""
        known = self._characters
        return "".join(known.setdefault(word, chr(min(len(known), sys.maxunicode))) for word in rouge_words(text))
