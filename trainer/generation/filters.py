"""Filters of new prompts, those of Self-Instruct (Wang et al. 2023, section 2.2), as in the paper.

Every rejection has a reason, and the reasons are counted in the run.
"""

import re
import sys
from collections.abc import Iterable, Sequence

from rapidfuzz import process
from rapidfuzz.distance import Indel, LCSseq

from srlm.config.generation import InstructionsConfig

TOO_SIMILAR = "too similar to a known instruction"
"""The reason whose share is the rate of duplicates. All other reasons concern a prompt by itself."""

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
    lists of words: a file of 10,000 prompts takes fifty million comparisons.
    """

    def __init__(self, config: InstructionsConfig, known: Iterable[str]) -> None:
        self._config = config
        self._characters: dict[str, str] = {}
        self._known = [self._encode(text) for text in known]

    def rejection_reason(self, text: str, *, truncated: bool) -> str | None:
        """Return the reason to reject a prompt, or None. `truncated`: its generation hit the length limit."""
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
        if _KEYWORDS.search(text):
            return "needs more than text"
        return TOO_SIMILAR if self._is_too_similar(text) else None

    def add(self, text: str) -> None:
        """Add an accepted prompt to the known ones, from which later prompts must differ."""
        self._known.append(self._encode(text))

    def _is_too_similar(self, text: str) -> bool:
        """Compare with the most similar known prompt. The normalised indel similarity is the ROUGE-L F-measure."""
        limit, words = self._config.rouge_limit, self._encode(text)
        # The cutoff leaves room for rounding: at the limit itself, the F-measure as `rouge_l` computes it decides.
        found = process.extractOne(words, self._known, scorer=Indel.normalized_similarity, score_cutoff=limit - 1e-9)
        return found is not None and rouge_l(words, found[0]) > limit

    def _encode(self, text: str) -> str:
        """Return a text as a string with one character per word of ROUGE."""
        known = self._characters
        return "".join(known.setdefault(word, chr(min(len(known), sys.maxunicode))) for word in rouge_words(text))
