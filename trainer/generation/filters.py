"""Filters of new prompts, those of Self-Instruct (Wang et al. 2023, section 2.2), as in the paper.

Every rejection has a reason, and the reasons are counted in the run.
"""

import re
from collections.abc import Iterable

from rapidfuzz.distance import LCSseq

from srlm.config.generation import InstructionsConfig

TOO_SIMILAR = "too similar to a known instruction"
"""The reason whose share is the rate of duplicates. All other reasons concern a prompt by itself."""

_KEYWORDS = re.compile(r"\b(images?|graphs?|pictures?|files?|maps?|draw|plot|go to)\b", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9]+")


def rouge_words(text: str) -> list[str]:
    """Return the words that ROUGE counts: lower-case runs of letters and digits, no stemming (Lin 2004)."""
    return _WORD.findall(text.lower())


def rouge_l(one: list[str], two: list[str]) -> float:
    """Compute the ROUGE-L F-measure of two word lists, in [0, 1].

    It is twice the length of the longest common subsequence over the sum of lengths; 0 for two empty lists.
    """
    total = len(one) + len(two)
    return 2 * LCSseq.similarity(one, two) / total if total else 0.0


class InstructionFilter:
    """Filter of prompts that are malformed, need more than text, or resemble a known one."""

    def __init__(self, config: InstructionsConfig, known: Iterable[str]) -> None:
        self._config = config
        self._known = [rouge_words(text) for text in known]

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
        words = rouge_words(text)
        if any(rouge_l(words, other) > self._config.rouge_limit for other in self._known):
            return TOO_SIMILAR
        return None

    def add(self, text: str) -> None:
        """Add an accepted prompt to the known ones, from which later prompts must differ."""
        self._known.append(rouge_words(text))
