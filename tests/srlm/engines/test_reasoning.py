"""Reasoning is separated from answers, whatever its marks, and no character is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.engines.reasoning import SplitReply, split_reasoning

FORMS = {
    "none": ("Score: 4", "", "Score: 4"),
    "closed": ("<think>\nScore: 2\n</think>\n\nScore: 4", "<think>\nScore: 2\n</think>\n\n", "Score: 4"),
    "empty": ("<think>\n\n</think>\n\nHello", "<think>\n\n</think>\n\n", "Hello"),
    "opened by the prompt": ("First look.\nScore: 2\n</think>\nGood.", "First look.\nScore: 2\n</think>\n", "Good."),
    "another name": ("<Reasoning>Score: 2</Reasoning> Good.", "<Reasoning>Score: 2</Reasoning> ", "Good."),
    "brackets": ("[THINK]Score: 2[/THINK]Good.", "[THINK]Score: 2[/THINK]", "Good."),
    "triangles": (
        "\u25c1think\u25b7Score: 2\u25c1/think\u25b7Good.",
        "\u25c1think\u25b7Score: 2\u25c1/think\u25b7",
        "Good.",
    ),
    "channels": (
        "<|channel|>analysis<|message|>Score: 2<|end|><|start|>assistant<|channel|>final<|message|>Good.",
        "<|channel|>analysis<|message|>Score: 2<|end|><|start|>assistant<|channel|>final<|message|>",
        "Good.",
    ),
    "nested": ("<think>a <think>b</think> c</think>Good.", "<think>a <think>b</think> c</think>", "Good."),
    "two": ("<think>a</think>\n<think>b</think>\nGood.", "<think>a</think><think>b</think>\n\n", "Good."),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_thought_is_no_part_of_the_answer(form: str) -> None:
    text, thoughts, answer = FORMS[form]
    assert split_reasoning(text) == SplitReply(thoughts, answer)


def test_a_thought_without_an_end_reaches_to_the_end() -> None:
    assert split_reasoning("<think>\nIt is good.\nScore: 2") == SplitReply(
        "<think>\nIt is good.\nScore: 2", "", closed=False
    )
    assert split_reasoning("It is good.\nScore: 2", opened=True) == SplitReply(
        "It is good.\nScore: 2", "", closed=False
    )


def test_a_prompt_that_opened_a_thought_is_told() -> None:
    assert split_reasoning("\n</think>\n\nHello", opened=True) == SplitReply("\n</think>\n\n", "Hello")


def test_a_thought_inside_is_taken_out_and_the_whole_is_kept() -> None:
    text = "It is fine. <think>Score: 2</think> Score: 4"
    parted = split_reasoning(text)
    assert parted == SplitReply("<think>Score: 2</think>", "It is fine.  Score: 4")
    assert parted.written(text) == text


@pytest.mark.parametrize("mark", ["`<think>`", '"<think>"', "'</think>'"])
def test_a_quoted_mark_is_a_word(mark: str) -> None:
    text = f"R1 writes {mark} before it answers."
    assert split_reasoning(text) == SplitReply("", text)


PIECES = st.sampled_from(["<think>", "</think>", "<thinking>", "[THINK]", "[/THINK]", "`", " ", "\n", "Score: 2", "ok"])


@given(st.lists(PIECES | st.text(max_size=5)).map("".join), st.booleans())
def test_nothing_is_lost(text: str, opened: bool) -> None:
    parted = split_reasoning(text, opened=opened)
    assert sorted(parted.thoughts + parted.answer) == sorted(text)
    assert parted.written(text) in (None, text)
    assert split_reasoning(parted.answer).answer == parted.answer or parted.written(text) is not None


def test_a_text_full_of_marks_takes_time_in_proportion() -> None:
    assert split_reasoning("<think>" * 200_000).answer == ""
    assert split_reasoning("<" * 400_000 + "think").thoughts == ""


def test_words_before_a_thought_keep_their_indent() -> None:
    text = "    Score: 0\n<think>\nScore: 0\n</think>\nI stop here."
    assert split_reasoning(text) == SplitReply("<think>\nScore: 0\n</think>", "    Score: 0\n\nI stop here.")
