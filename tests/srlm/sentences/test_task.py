"""The checker of the sentence task counts words, refuses what is no sentence, and keeps the test's words apart."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srlm.sentences.material import content_words, seed_sentences, tokens_of
from srlm.sentences.task import (
    LONGEST,
    WORDS,
    WordSet,
    inflections,
    read_instruction,
    split_of,
    vocabulary,
    word_sets,
)

ASKED = WordSet(("garden", "carry", "stone", "bake", "light"))
SENTENCE = "She carries a stone into the garden and sits down there."


def test_words_are_found_in_regular_inflections_and_as_whole_words():
    assert ASKED.used(SENTENCE) == (True, True, True, False, False)
    assert ASKED.used("Gardens, baking; CARRIED! Stone's lighted") == (True,) * WORDS
    assert ASKED.used("gardener stonework lightly baker carrier") == (False,) * WORDS
    assert inflections("bake") >= {"bake", "bakes", "baked", "baking"}
    assert inflections("carry") >= {"carries", "carried", "carrying"}


def test_the_verdict_counts_on_the_way_to_the_score():
    assert ASKED.verdict(SENTENCE) == "sentence yes garden 1 carry 2 stone 3 bake no light no"
    assert ASKED.score(SENTENCE) == 3
    assert ASKED.verdict("Garden, carry, stone, bake, light.") == "sentence no"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Garden.",
        "The garden, carry, stone, bake and light were here.",  # a mere list
        "She carries a stone into the garden and sits down there",  # no end
        "She carries a stone into the garden. It is a light one.",
        "She carries a stone\ninto the garden and sits down there.",
        f"She carries {'a stone and ' * LONGEST} sits down.",
    ],
)
def test_what_is_not_one_sentence_has_no_points(answer):
    assert not ASKED.is_sentence(answer)
    assert ASKED.score(answer) == 0


def test_a_mere_list_is_told_from_a_sentence():
    assert ASKED.is_list("garden, carry, stone, bake, light")
    assert not ASKED.is_list(SENTENCE)
    assert not ASKED.is_list("")


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.sampled_from([*ASKED.words, "the", "gardens", "and", "was", ".", "\n", "\u2019s", "x y z"]), max_size=45
    )
)
def test_any_text_has_a_score_that_its_verdict_agrees_with(pieces):
    answer = " ".join(pieces)
    score, verdict = ASKED.score(answer), ASKED.verdict(answer)
    assert 0 <= score <= WORDS
    numbers = [int(piece) for piece in verdict.split() if piece.isdigit()]
    assert numbers == list(range(1, score + 1))
    assert ASKED.score(f" {answer}\n") == score


def test_no_word_of_the_test_is_asked_for_in_training():
    train, test = set(vocabulary("train")), set(vocabulary("test"))
    assert train and test and not train & test
    assert 0.1 < len(test) / len(train | test) < 0.3
    for word in test:
        assert not train & inflections(word)
    for asked in word_sets("train", 3, "loop", 50):
        assert len(set(asked.words)) == WORDS
        assert {split_of(word) for word in asked.words} == {"train"}
    assert {split_of(word) for asked in word_sets("test", 0, "test", 50) for word in asked.words} == {"test"}


def test_sets_of_words_depend_on_their_number_alone():
    assert word_sets("train", 3, "loop", 20)[15:] == word_sets("train", 3, "loop", 5, start=15)
    assert word_sets("train", 3, "loop", 20) != word_sets("train", 4, "loop", 20)


def test_an_instruction_names_its_words():
    assert read_instruction(ASKED.instruction) == ASKED
    with pytest.raises(ValueError, match="begins with"):
        read_instruction("Tell me a story.")


def test_the_material_is_plain():
    for sentence in random.Random(0).sample(seed_sentences(), 50):
        assert sentence.endswith(".") and 9 <= len(tokens_of(sentence)) <= 24
        assert set(content_words(sentence)) <= set(tokens_of(sentence))
