"""Reading verdicts: a last well-formed score line is read exactly, anything that would need a guess is refused."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srlm.judges.parse import read_choice, read_score
from srlm.judges.rubric import Scale
from srlm.types import Completion, Scored, Unparsed

anything = st.text(max_size=200) | st.text(alphabet="Score: 0123456789/*_-.\n", max_size=80)
scores = st.integers(0, 5)
line_forms = st.sampled_from(
    [
        "Score: {}",
        "score: {}",
        "SCORE:{}",
        "Score = {}",
        "  Score :  {}  ",
        "**Score:** {}",
        "**Score: {}**",
        "**Score**: {}",
        "Score: **{}**",
        "Score: <{}>",
        "Score: [{}]",
        "Score: ({})",
        "Score: {}/5",
        "Score: {} / 5",
        "Score: **{}**/5",
        "Score: {} out of 5",
        "Score: {} points",
        "Score: {}.",
        "Score: {}.0",
        "Score: {},0",
        "Score: +{}",
        "### Score: {}",
        "Total score: {}",
        "Final Score: {} points.",
        "**Overall** score: {}",
        "Score: {}\r",
    ]
)


def reply(text, finish="stop", probabilities=None):
    return Completion(text, finish, 1, 1, probabilities)


@settings(deadline=None)
@given(before=anything, form=line_forms, score=scores, after=st.sampled_from(["", "\n", "\n\n", " \n \n"]))
def test_any_text_and_a_last_score_line_give_exactly_that_score(before, form, score, after):
    text = f"{before}\n{form.format(score)}{after}"
    assert read_score(reply(text)) == Scored(float(score), text)


@settings(deadline=None)
@given(before=anything, form=line_forms, score=scores)
def test_a_reply_that_was_cut_is_never_read(before, form, score):
    found = read_score(reply(f"{before}\n{form.format(score)}", finish="length"))
    assert isinstance(found, Unparsed)
    assert "cut" in found.reason


@settings(deadline=None)
@given(text=anything)
def test_no_text_at_all_raises_or_leaves_the_scale(text):
    found = read_score(reply(text))
    assert found.text == text
    if isinstance(found, Scored):
        assert found.value in {0, 1, 2, 3, 4, 5}
        assert str(int(found.value)) in text


@settings(deadline=None)
@given(text=st.text(max_size=200).filter(lambda text: not re.search("score", text, re.IGNORECASE)))
def test_without_the_label_nothing_is_read(text):
    assert read_score(reply(text)) == Unparsed(text, "no score line")


@settings(deadline=None)
@given(number=st.integers().filter(lambda number: not 0 <= number <= 5))
def test_a_number_off_the_scale_is_refused(number):
    found = read_score(reply(f"Score: {number}"))
    assert isinstance(found, Unparsed)
    assert "not between 0 and 5" in found.reason


@settings(deadline=None)
@given(
    low=st.integers(0, 5),
    high=st.integers(0, 5),
    joint=st.sampled_from(["-", " - ", "–", " to ", " or ", ", ", "/5 or "]),
)
def test_a_choice_or_a_range_is_refused(low, high, joint):
    assert isinstance(read_score(reply(f"Score: {low}{joint}{high}")), Unparsed)
    assert isinstance(read_score(reply(f"Score: {low}{joint}{high} ?")), Unparsed)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Score: 3.5", "no whole number"),
        ("Score: 3,5", "no whole number"),
        ("Score: 4.5/5", "no whole number"),
        ("Score: 3-4", "no single number"),
        ("Score: 4 or 5", "no single number"),
        ("Score: 4, 5", "no single number"),
        ("Score: 4/10", "out of 10"),
        ("Score: 4 out of 100", "out of 100"),
        ("Score: 4/0", "out of 0"),
        ("Score: 6", "not between"),
        ("Score: -1", "not between"),
        ("Score: 45", "not between"),
        (f"Score: {'9' * 500}", "not between"),
        ("Score:", "no single number"),
        ("Score:\n4", "no single number"),
        ("Score: four", "no single number"),
        ("Score: <total>", "no single number"),
        ("Score: 4 because it is good", "no single number"),
        ("Score: about 4", "no single number"),
        ("Score: 4%", "no single number"),
        ("Score: 1e0", "no single number"),
        ("4", "no score line"),
        ("I give it 4 points", "no score line"),
        ("Scored: 4", "no score line"),
        ("Underscore: 4", "no score line"),
        ("I give it Score: 5", "no score line"),
        ("The answer ends with 'Score: 5'.", "no score line"),
        ("The score: 5", "no score line"),
        ("My final score: 5", "no score line"),
        ("", "no score line"),
    ],
)
def test_refusals_say_why(text, reason):
    found = read_score(reply(text))
    assert isinstance(found, Unparsed)
    assert reason in found.reason
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Score: 1\nOn reflection:\nScore: 4", 4),
        ('The answer orders me: "Score: 5".\nI do not follow.\nScore: 0', 0),
        ("Score: 5 or 4, hard to say.\nScore: 2", 2),
        ("Score: 7\nScore: 2", 2),
        ("Score: 3\n\nThat is all.", 3),
        ("Score: 4\nThe answer is complete.", 4),
        ("> Score: 5\nSo it says.\nScore: 1", 1),
        ("- relevant\n- complete\nScore: 2", 2),
        ("1. Score: 1\n2. Score: 0\nTotal score: 1", 1),
    ],
)
def test_of_several_labels_the_last_counts(text, value):
    assert read_score(reply(text)) == Scored(value, text)


@pytest.mark.parametrize("last", ["Score: unclear", "Score: 4 or 5", "Score: 9", "Score:"])
def test_a_last_label_without_a_value_does_not_fall_back_to_an_earlier_one(last):
    assert isinstance(read_score(reply(f"Score: 3\n{last}")), Unparsed)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Score: 1\nIt asks for Score: 5", "speaks of scores again"),
        ("Score: 1\n\nMy final score: 5.", "speaks of scores again"),
        ("Score: 1\nScore (0-5): 4", "speaks of scores again"),
        ("Score: 1\n\nTotal: 4", "speaks of scores again"),
        ("Score: 1\n\nThat makes 4 points.", "speaks of scores again"),
        ("Score: 1\n```\nScore: 4\n```", "speaks of scores again"),
        ("The answer ends with\nScore: 5\nwhich I do not follow.", "same sentence"),
        ("The answer ends with\n\nScore: 5\n\n, which I do not follow.", "same sentence"),
        ("It says:\n> Score: 5", "no score line"),
        ("It says:\n   >Score: 5\nI stop here.", "no score line"),
        ("It says:\n```\nScore: 5\n```", "no score line"),
        ("It says:\n~~~text\nScore: 5\n~~~\nI stop here.", "no score line"),
        ("It says:\n\n    Score: 5\n\nI stop here.", "no score line"),
        ('"Score: 5"', "no score line"),
        ("1. Score: 1\n2. Score: 1\n3. Score: 0", "one of a list"),
        ("* Score: 1\n* Score: 0", "one of a list"),
        ("Score: <4", "no single number"),
        ("Score: >4", "no single number"),
        ("Score: ~~4~~", "no single number"),
        ("Score: 4\u00b2", "no single number"),
        ("Score: \u00bd", "no single number"),
        ("Score: 1 + 1 + 1 = 3", "no single number"),
    ],
)
def test_what_may_not_be_the_judges_own_last_word_is_refused(text, reason):
    found = read_score(reply(text))
    assert isinstance(found, Unparsed)
    assert reason in found.reason


def test_characters_that_cannot_be_seen_do_not_hide_the_last_label():
    assert read_score(reply("Score: 1\n\ufeffSc\u200bore: 4")) == Scored(4.0, "Score: 1\n\ufeffSc\u200bore: 4")


@pytest.mark.parametrize(("text", "value"), [("Score: 5", 5), ("Score: 5/5", 5), ("Score: 1", 1)])
def test_another_scale(text, value):
    assert read_score(reply(text), Scale(1, 5)) == Scored(value, text)


@pytest.mark.parametrize(
    ("text", "scale", "reason"),
    [
        ("Score: 0", Scale(1, 5), "not between 1 and 5"),
        ("Score: 6", Scale(1, 5), "not between 1 and 5"),
        ("Score: 4/5", Scale(1, 10), "out of 5, not 10"),
        ("Score: 11", Scale(1, 10), "not between 1 and 10"),
    ],
)
def test_a_number_off_another_scale(text, scale, reason):
    found = read_score(reply(text), scale)
    assert isinstance(found, Unparsed)
    assert reason in found.reason


@pytest.mark.parametrize("last", ["_Score: 4_", "__Score:__ 4"])
def test_markdown_underscores_do_not_hide_the_last_label(last):
    found = read_score(reply(f"Score: 1\n{last}"))
    assert not isinstance(found, Scored) or found.value == 4


@pytest.mark.parametrize("text", ["- Score: 4", "Score: 1\n- Score: 4"])
def test_a_list_mark_does_not_hide_the_last_label(text):
    assert read_score(reply(text)) == Scored(4.0, text)


def test_a_long_line_of_blanks_is_refused():
    """A pattern that tried each way to part them would not come to an end."""
    assert isinstance(read_score(reply("Score: 4" + " " * 5000 + "x")), Unparsed)


@pytest.mark.parametrize(
    ("text", "value"),
    [("A", 1), ("B", 0), (" a\n", 1), ("**B**", 0), ("(A)", 1), ("[B]", 0), ("A.", 1), ('"B"', 0), ("_A_", 1)],
)
def test_a_plain_vote_is_one_or_zero_for_the_first(text, value):
    assert read_choice(reply(text, "length"), ("A", "B")) == Scored(value, text)


@pytest.mark.parametrize(
    "text", ["", "C", "A or B", "AB", "Answer A", "A B", "neither", "A, because it is better", "Α"]
)
def test_a_vote_that_is_not_one_letter_is_refused(text):
    found = read_choice(reply(text), ("A", "B"))
    assert isinstance(found, Unparsed)
    assert found.text == text


@settings(deadline=None)
@given(p=st.floats(0, 1), text=st.text(max_size=20))
def test_probabilities_count_before_the_text(p, text):
    assert read_choice(reply(text, probabilities=(p, 1 - p)), ("A", "B")) == Scored(p, text, (p, 1 - p))
