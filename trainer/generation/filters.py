"""Which new instructions are kept: the filters of Self-Instruct (Wang et al. 2023, section 2.2), as in the paper.

Each refusal has a reason, and the reasons are counted in the run.
"""

import re
from collections.abc import Iterable

from rapidfuzz.distance import LCSseq

from srlm.config.generation import InstructionsConfig

TOO_SIMILAR = "too similar to a known instruction"
"""The one reason that speaks of all the instructions, not of one: its share is the rate of duplicates."""

_KEYWORDS = re.compile(r"\b(images?|graphs?|pictures?|files?|maps?|draw|plot|go to)\b", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9]+")


def rouge_words(text: str) -> list[str]:
    """Words as ROUGE counts them: lower-case runs of letters and digits, no stemming (Lin 2004)."""
    return _WORD.findall(text.lower())


def rouge_l(one: list[str], two: list[str]) -> float:
    """ROUGE-L F-measure of two word lists: twice the longest common subsequence over the sum of lengths, in [0, 1]."""
    total = len(one) + len(two)
    return 2 * LCSseq.similarity(one, two) / total if total else 0.0


class InstructionFilter:
    """Refuses instructions that are malformed, need more than text, or resemble one that is known."""

    def __init__(self, config: InstructionsConfig, known: Iterable[str]) -> None:
        self._config = config
        self._known = [rouge_words(text) for text in known]

    def refusal(self, text: str, *, cut: bool) -> str | None:
        """Why an instruction is refused, or None. `cut`: its generation hit the length limit."""
        count = len(text.split())
        if cut:
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
        """Remember an accepted instruction: later ones must differ from it."""
        self._known.append(rouge_words(text))
