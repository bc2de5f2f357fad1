"""The sentence task: one sentence that uses five given words. A program counts which of the five stand in the answer.

Writing such a sentence is hard for a small model; finding five words in it is easier. All functions are pure;
randomness is passed as a generator. The words are those of srlm's own seed data (srlm/data). A fifth of them, fixed by
their hashes, is kept for the test alone, so that no run of any seed has been asked for one of these in training.
"""

import random
import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

from srlm.seeding import derive_seed
from srlm.sentences.material import content_words, seed_sentences, tokens_of

WORDS = 5
"""Words that one sentence has to use; also the full score."""
SHORTEST, LONGEST = 8, 40
"""Words of an answer that counts as a sentence."""
LIST_SHARE = 0.55
"""Share of asked words above which an answer is a mere list."""

SENTENCES = "sentences"
"""Name of the task's seed data and instructions in a configuration."""

Split = Literal["train", "test"]
TEST_SHARE = 5
"""One word of so many is for the test alone."""

ASK = "Write one sentence that uses these words: "

_SENTENCE_END = re.compile(r"[.!?][\"')\u2019\u201d]*$")
_INNER_END = re.compile(r"[.!?][\"')\u2019\u201d]*\s+\S")


@dataclass(frozen=True)
class WordSet:
    """Five different words to be used in one sentence, in the order in which they are asked for."""

    words: tuple[str, ...]

    @cached_property
    def instruction(self) -> str:
        """Return the instruction of the task for these words."""
        return f"{ASK}{', '.join(self.words)}."

    def used(self, answer: str) -> tuple[bool, ...]:
        """Return for each word whether it stands in the answer, also in a regular inflection."""
        found = set(tokens_of(answer))
        return tuple(not found.isdisjoint(inflections(word)) for word in self.words)

    def is_list(self, answer: str) -> bool:
        """Return whether an answer is a mere list: most of its words are asked words."""
        tokens = tokens_of(answer)
        forms = {form for word in self.words for form in inflections(word)}
        return bool(tokens) and sum(token in forms for token in tokens) > LIST_SHARE * len(tokens)

    def is_sentence(self, answer: str) -> bool:
        """Return whether an answer is one whole sentence: 8 to 40 words, one end, on one line, and no mere list."""
        text = answer.strip()
        return (
            SHORTEST <= len(tokens_of(text)) <= LONGEST
            and "\n" not in text
            and _SENTENCE_END.search(text) is not None
            and _INNER_END.search(text) is None
            and not self.is_list(text)
        )

    def score(self, answer: str) -> int:
        """Return the number of words that the answer uses; 0 for an answer that is not one sentence."""
        return sum(self.used(answer)) if self.is_sentence(answer) else 0

    def verdict(self, answer: str) -> str:
        """Return the rationale of a judgement: each word with its number if it is used, else with no.

        So the count is written on the way, and the score is its last number. An answer that is not one sentence has the
        rationale "sentence no" alone.
        """
        if not self.is_sentence(answer):
            return "sentence no"
        row, count = ["sentence yes"], 0
        for word, used in zip(self.words, self.used(answer), strict=True):
            count += used
            row.append(f"{word} {count if used else 'no'}")
        return " ".join(row)


@cache
def inflections(word: str) -> frozenset[str]:
    """Return the word with its regular inflections: plural, third person, past and -ing form."""
    forms = {word, f"{word}s", f"{word}es", f"{word}ed", f"{word}ing"}
    if word.endswith("e"):
        forms |= {f"{word}d", f"{word[:-1]}ing"}
    if word.endswith("y"):
        forms |= {f"{word[:-1]}ies", f"{word[:-1]}ied"}
    return frozenset(forms)


@cache
def vocabulary(split: Split) -> tuple[str, ...]:
    """Return the words of a split in alphabetical order; no two are forms of one word."""
    every = {word for sentence in seed_sentences() for word in content_words(sentence)}
    inflected = {form for word in every for form in inflections(word) if form != word}
    return tuple(word for word in sorted(every - inflected) if split_of(word) == split)


def split_of(word: str) -> Split:
    """Return the split of a word, fixed by its hash."""
    return "test" if derive_seed(SENTENCES, word) % TEST_SHARE == 0 else "train"


def word_sets(split: Split, seed: int, purpose: str, count: int, start: int = 0) -> list[WordSet]:
    """Return sets of random words of a split; each depends on the seed, its purpose and its number alone."""
    return [
        WordSet(tuple(random.Random(derive_seed(seed, purpose, number)).sample(vocabulary(split), WORDS)))
        for number in range(start, start + count)
    ]


def read_instruction(instruction: str) -> WordSet:
    """Return the words of an instruction of the task.

    Raises:
        ValueError: it is no instruction of the task.
    """
    if not instruction.startswith(ASK):
        raise ValueError(f"an instruction of the task begins with {ASK!r}")
    return WordSet(tuple(instruction.removeprefix(ASK).removesuffix(".").split(", ")))
