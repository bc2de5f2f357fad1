"""Diversity and contamination of prompts, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.seed_data import evaluation_set, load_seeds
from trainer.generation.contamination import contaminated, diversity

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
words = st.lists(st.sampled_from("abc"), max_size=20).map(" ".join)


def test_diversity_by_hand():
    assert diversity([]) is None
    assert diversity(["alone"]) is None
    assert diversity(["the same", "The same!"]) == 0
    assert diversity(["one", "two"]) == 1
    # ROUGE-L of "a b" and "a c" is 1/2; both have nothing of "d e".
    assert diversity(["a b", "a c", "d e"]) == pytest.approx((0.5 + 1 + 1) / 3)


def test_of_many_texts_an_even_sample_is_compared():
    texts = [f"word{i}" for i in range(1000)] + ["same"] * 1000
    # Of 200 taken evenly, 100 are the same: C(100, 2) of C(200, 2) pairs have distance 0.
    assert diversity(texts) == pytest.approx(1 - (100 * 99) / (200 * 199))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"Now say {LONG.upper()}, please.", True),
        (" ".join(LONG.split()[:13]), True),
        (" ".join(LONG.split()[1:]), True),
        (" ".join(LONG.split()[:12]) + " and thirteen fourteen", False),
        ("short held out text", True),
        ("A short, held-out text it is", True),
        ("a text held out short", False),
        ("", False),
    ],
)
def test_thirteen_words_in_a_row_or_all_of_a_shorter_text(text, found):
    assert contaminated(["clean", text], [LONG, "Short held out text.", ""]) == ([1] if found else [])


@given(words, words, words)
def test_any_text_that_contains_a_held_out_text_is_found(before, text, after):
    assert contaminated([f"{before} {text} {after}"], [text]) == ([0] if text else [])


def test_the_embedded_seeds_are_not_contaminated():
    seeds = [one.instruction for one in load_seeds("embedded").ift]
    assert contaminated(seeds, [one.instruction for one in evaluation_set()]) == []
