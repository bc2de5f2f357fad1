"""The line with the answer: what stands around it does not count, and what belongs to it stays."""

import pytest

from srlm.answer_line import answer_line


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer: 42", "42"),
        ("42.\n**Answer:** `42`.", "42"),
        ("> answer : $x^2$.", "x^2"),
        ("Answer: 1\nAnswer: 2\nDone.", "2"),
        ("Answer: -x", "-x"),
        ("Answer: .5x^2", ".5x^2"),
        ("Answer: **.5**", ".5"),
        ("Answer:", None),
        ("Answer: **.**", None),
        ("The answer: 42", None),
        ("", None),
    ],
)
def test_the_last_line_that_begins_with_answer(text, answer):
    assert answer_line(text) == answer
