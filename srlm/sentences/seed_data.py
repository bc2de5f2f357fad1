"""Seed data of the sentence task: sentences of srlm's own seeds for IFT, and answers judged by the checker for EFT.

No model writes any of it. Each set of words for EFT has two answers. One is a seed sentence as it stands, and some of
its words are asked for. The other is a seed sentence in which words are replaced by asked ones and by others, so that a
word that does not fit is no sign of an asked word; or it is no sentence at all: a list, a fragment, a sentence without
its end, or two sentences. `WordSet.verdict` replaces human judgements.
"""

import random
import re
from collections.abc import Callable, Iterable
from typing import Literal

from srlm.seeding import derive_seed
from srlm.sentences.material import content_words, seed_sentences
from srlm.sentences.task import WORDS, WordSet, vocabulary
from srlm.types import Demonstration, RankedAnswer, RankedPrompt

ROUNDS = 2
"""Demonstrations from each seed sentence, with words drawn anew."""
RANKED = 500
HELD_OUT = 60
"""Sets of words with two judged answers each: for training, and held out."""
NO_SENTENCE = 0.25
"""Share of the made answers that are no sentence."""
OTHERS = 3
"""Maximum number of words put into a sentence that are not asked for."""


def demonstrations(seed: int) -> list[Demonstration]:
    """Return the seed sentences with at least five words of the training part; five of these are the instruction."""
    made: dict[str, Demonstration] = {}
    for number in range(ROUNDS):
        for sentence in seed_sentences():
            words = _own_words(sentence)
            if len(words) >= WORDS:
                chance = random.Random(derive_seed(seed, "ift", number, sentence))
                asked = WordSet(tuple(chance.sample(words, WORDS)))
                if asked.score(sentence) == WORDS:  # a short one can be too dense, and so a list
                    one = Demonstration(f"ift-{len(made):03d}", asked.instruction, sentence)
                    made.setdefault(asked.instruction, one)
    return list(made.values())


def ranked(seed: int) -> list[RankedPrompt]:
    """Return sets of words with two answers of different scores: those for training, then those held out."""
    found: list[RankedPrompt] = []
    for number in range(RANKED + HELD_OUT):
        split: Literal["train", "validation"] = "train" if number < RANKED else "validation"
        chance = random.Random(derive_seed(seed, "eft", number))
        asked, written = _written(chance)
        other = _made(asked, chance)
        while asked.score(other) == asked.score(written):
            other = _made(asked, chance)
        texts = sorted([written, other], key=asked.score, reverse=True)
        answers = tuple(
            RankedAnswer(text, rank, asked.score(text), asked.verdict(text)) for rank, text in enumerate(texts)
        )
        found.append(RankedPrompt(f"eft-{number:03d}", asked.instruction, answers, split))
    return found


def with_words(sentence: str, words: Iterable[str], chance: random.Random) -> str:
    """Replace content words of a sentence, in random places, by the given words, as many as there are places."""
    places = list(content_words(sentence))
    chance.shuffle(places)
    for place, word in zip(places, words, strict=False):
        sentence = re.sub(rf"(?<![\w'-]){place}(?![\w'-])", word, sentence, count=1)
    return sentence


def _written(chance: random.Random) -> tuple[WordSet, str]:
    """Sample a seed sentence, and five words of which a random number stands in it."""
    while True:
        sentence, count = chance.choice(seed_sentences()), chance.randint(0, WORDS)
        words = _own_words(sentence)
        if len(words) < count:
            continue
        others = [word for word in vocabulary("train") if word not in words]
        drawn = [*chance.sample(words, count), *chance.sample(others, WORDS - count)]
        asked = WordSet(tuple(chance.sample(drawn, WORDS)))
        if asked.is_sentence(sentence):
            return asked, sentence


def _made(asked: WordSet, chance: random.Random) -> str:
    """Sample an answer with a random number of the asked words, or one that is no sentence."""
    if chance.random() < NO_SENTENCE:
        return chance.choice(_NO_SENTENCE)(asked, chance)
    while True:
        words = chance.sample(asked.words, chance.randint(0, WORDS))
        text = _with_some(asked, words, chance)
        if asked.is_sentence(text):
            return text


def _with_some(asked: WordSet, words: Iterable[str], chance: random.Random) -> str:
    """Return a seed sentence with the given words, and with up to three others."""
    put = list(words)
    others = chance.sample([word for word in vocabulary("train") if word not in asked.words], chance.randint(0, OTHERS))
    roomy = [sentence for sentence in seed_sentences() if len(content_words(sentence)) >= len(put)]
    return with_words(chance.choice(roomy), [*put, *others], chance)


def _list(asked: WordSet, chance: random.Random) -> str:
    words = chance.sample(asked.words, WORDS)
    joined = f"{', '.join(words[:-1])} and {words[-1]}."
    return chance.choice([f"{', '.join(words)}.", f"The {joined}", f"{' '.join(words)}.", f"{joined.capitalize()}"])


def _fragment(asked: WordSet, chance: random.Random) -> str:
    begin = " ".join(chance.choice(seed_sentences()).split()[: chance.randint(3, 6)]).rstrip(",.")
    return with_words(f"{begin}.", chance.sample(asked.words, chance.randint(0, 2)), chance)


def _without_end(asked: WordSet, chance: random.Random) -> str:
    words = _with_some(asked, chance.sample(asked.words, chance.randint(0, WORDS)), chance).split()
    return " ".join(words[: -chance.randint(1, 4)]).rstrip(",.")


def _two_sentences(asked: WordSet, chance: random.Random) -> str:
    words = chance.sample(asked.words, chance.randint(0, WORDS))
    return f"{_with_some(asked, words[:2], chance)} {_with_some(asked, words[2:], chance)}"


_NO_SENTENCE: tuple[Callable[[WordSet, random.Random], str], ...] = (
    _list,
    _list,
    _fragment,
    _without_end,
    _two_sentences,
)


def _own_words(sentence: str) -> list[str]:
    """Return the content words of a sentence that a training prompt may ask for."""
    known = set(vocabulary("train"))
    return [word for word in content_words(sentence) if word in known]
