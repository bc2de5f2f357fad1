"""Filters of new prompts: every reason, its limit, and ROUGE-L by hand."""

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srlm.config.generation import InstructionsConfig
from trainer.generation import filters
from trainer.generation.filters import InstructionFilter, rouge_l, rouge_words

KNOWN = "Explain to a child why the sky looks blue at noon."
lists = st.lists(st.sampled_from("abcd"), max_size=8)


def rejection(text, *, truncated=False, known=(KNOWN,), **settings):
    (reason,) = InstructionFilter(InstructionsConfig(**settings), known).reasons([(text, truncated)])
    return reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "too short"),
        ("   ", "too short"),
        ("Name three rivers", "too short"),
        ("word " * 151, "too long"),
        ("Über alle Gipfel ist Ruh", "begins with a character outside ASCII"),
        ("“Quote” this for my friend", "begins with a character outside ASCII"),
        ('"Quote" this for my friend', "begins with punctuation"),
        ("(Explain) how the tides work", "begins with punctuation"),
        ("... and so on forever", "begins with punctuation"),
        ("Write a program that sorts numbers", "asks for a program"),
        ("Describe this image in detail please", "needs more than text"),
        ("Describe these IMAGES in detail please", "needs more than text"),
        ("Draw a cat on a mat", "needs more than text"),
        ("Please go to the shop now", "needs more than text"),
        ("Open the file, then read it", "needs more than text"),
        ("Make a map: roads of Wales", "needs more than text"),
        (KNOWN, "too similar to a known instruction"),
        (KNOWN.upper().replace(".", "!!"), "too similar to a known instruction"),
    ],
)
def test_each_reason(text, reason):
    assert rejection(text) == reason


@pytest.mark.parametrize(
    "text",
    [
        "Name four long rivers",
        "word " * 150,
        "3 ways to cook an egg",
        "Explain what a profile is",
        "Summarise the imagery of this poem",
        "How do drawers slide so well",
        "Please write a program for me",
        "What does a café sell",
    ],
)
def test_accepted_prompts(text):
    assert rejection(text) is None


def test_a_truncated_prompt_is_rejected_before_all_else():
    assert rejection("", truncated=True) == "cut at the length limit"
    assert rejection("Name four long rivers", truncated=True) == "cut at the length limit"


def test_the_limits_are_those_of_the_configuration():
    assert rejection("Two words", min_words=2, known=()) is None
    assert rejection("Only three words", max_words=2, min_words=1) == "too long"


def test_similarity_is_rejected_above_the_limit_and_not_at_it():
    # Four words, two in common order: F = 2 * 2 / 8 = 0.5.
    assert rejection("alpha beta one two", known=["alpha beta x y"], rouge_limit=0.5) is None
    assert (
        rejection("alpha beta one two", known=["alpha beta x y"], rouge_limit=0.49)
        == "too similar to a known instruction"
    )


def test_an_accepted_prompt_is_known_from_then_on():
    text = "Name four long rivers"
    check = InstructionFilter(InstructionsConfig(), [])
    assert list(check.reasons([(text, True), (text, False), (text.lower(), False)])) == [
        "cut at the length limit",
        None,
        "too similar to a known instruction",
    ]
    assert list(check.reasons([(text, False)])) == ["too similar to a known instruction"]


def test_what_is_not_taken_is_not_known():
    """Whoever stops in the middle of a block has accepted what was yielded, and no more."""
    check = InstructionFilter(InstructionsConfig(), [])
    assert next(check.reasons([("Name four long rivers", False), ("Cook two brown eggs", False)])) is None
    assert list(check.reasons([("Cook two brown eggs", False)])) == [None]


WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "that", "dog", "ran", "far", "away")
sentences = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(sentences, max_size=5),
    st.lists(sentences, max_size=30),
    st.sampled_from([0.01, 0.4, 0.5, 2 / 3, 0.7, 1.0]),
)
def test_blocks_decide_as_one_comparison_after_the_other(known, texts, limit):
    """Each new prompt against all that are known by then, whatever the size of a block."""
    config = InstructionsConfig(rouge_limit=limit, min_words=1)
    words, expected = [rouge_words(text) for text in known], []
    for text in texts:
        mine = rouge_words(text)
        if not mine:
            expected.append("too short")
        elif any(rouge_l(mine, other) > limit for other in words):
            expected.append("too similar to a known instruction")
        else:
            words.append(mine)
            expected.append(None)
    for size in (3, filters.BLOCK):
        with patch.object(filters, "BLOCK", size):
            assert list(InstructionFilter(config, known).reasons([(text, False) for text in texts])) == expected


def test_a_block_is_smaller_where_more_prompts_are_known(monkeypatch):
    """Memory is bounded: a block never has more comparisons than `CELLS`."""
    cells, compare = [], filters.process.cdist
    monkeypatch.setattr(filters, "CELLS", 40)
    monkeypatch.setattr(
        filters.process,
        "cdist",
        lambda new, known, **rest: cells.append(len(new) * len(known)) or compare(new, known, **rest),
    )
    check = InstructionFilter(InstructionsConfig(), [f"known{i} a{i} b{i} c{i}" for i in range(10)])
    assert list(check.reasons([(f"new{i} d{i} e{i} f{i}", False) for i in range(40)])) == [None] * 40
    assert max(cells) <= 50
    assert len(cells) > 10


# --- ROUGE-L ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "two", "value"),
    [
        ("the cat sat", "the cat sat", 1.0),
        ("the cat sat", "a dog ran", 0.0),
        # Lin 2004, section 3.1: "police kill the gunman" keeps three words of "police killed the gunman" in order.
        ("police killed the gunman", "police kill the gunman", 2 * 3 / 8),
        ("police killed the gunman", "the gunman kill police", 2 * 2 / 8),
        # a b c d e against a c e: the subsequence need not be without gaps; P = 3/3, R = 3/5, F = 6/8.
        ("a b c d e", "a c e", 0.75),
        ("a a a", "a", 0.5),
        ("a b", "b a", 0.5),
        ("", "a", 0.0),
        ("", "", 0.0),
    ],
)
def test_rouge_l_by_hand(one, two, value):
    assert rouge_l(one.split(), two.split()) == pytest.approx(value)


def subsequence(one, two):
    """Return the length of the longest common subsequence, by the textbook's table."""
    row = [0] * (len(two) + 1)
    for x in one:
        before = 0
        for j, y in enumerate(two, start=1):
            before, row[j] = row[j], before + 1 if x == y else max(row[j], row[j - 1])
    return row[-1]


@settings(deadline=None)
@given(lists, lists)
def test_rouge_l_is_the_f_measure_of_the_longest_common_subsequence(one, two):
    found = rouge_l(one, two)
    assert found == rouge_l(two, one)
    if one and two:
        common = subsequence(one, two)
        precision, recall = common / len(one), common / len(two)
        assert found == pytest.approx(2 * precision * recall / (precision + recall) if common else 0)
    else:
        assert found == 0


def test_words_are_lower_case_runs_of_letters_and_digits():
    assert rouge_words("It's 3.5 KG — don't_you?") == ["it", "s", "3", "5", "kg", "don", "t", "you"]
    assert rouge_words("") == []
