"""Names of models and of people as names of files: safe on every system, and never two for one file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.filenames import LONGEST, distinct_name, file_name, is_device


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("M2", "M2"),
        ("openai:gpt-4o", "openai%3Agpt-4o"),
        ("Qwen2.5", "Qwen2.5"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("", "%"),
        ("con", "%63on"),
        ("NUL.txt", "%4EUL.txt"),
        ("COM1", "%43OM1"),
        ("console", "console"),
        ("x.", "x%2E"),
        ("x ", "x%20"),
        ("a/../b", "a%2F..%2Fb"),
        ("a\nb", "a%0Ab"),
    ],
)
def test_how_names_are_written(name, file):
    assert file_name(name) == file


@given(st.text(max_size=300), st.text(max_size=300))
def test_different_names_have_different_safe_files(one, two):
    for name in (one, two):
        file = file_name(name)
        assert 0 < len(file) <= LONGEST
        assert file.isascii()
        assert not set(file) & set('/\\:*?"<>| ')
        assert file.strip(".") and not file.endswith(".")
        assert not is_device(file)
    assert (one == two) == (file_name(one) == file_name(two))


def test_long_names_that_begin_alike_differ():
    assert file_name("x" * 300) != file_name("x" * 301)
    assert len(file_name("模" * 200)) == LONGEST


def test_what_is_there_keeps_its_name_and_other_letters_get_another():
    assert distinct_name([], "M2", "M2", "M2") == "M2"
    assert distinct_name(["M2.json"], "M2", "M2", "M2") == "M2"
    assert distinct_name(["M2.json", "m2.json"], "m2", "m2", "m2") == "m2"
    apart = distinct_name(["M2.answers.jsonl"], "m2", "m2", "m2")
    assert apart.startswith("m2%-")
    assert distinct_name(["M2.json", f"{apart}.answers.jsonl"], "m2", "m2", "m2") == apart
    assert distinct_name(["con.json"], "con", "%63on", "con") == "con"
    assert distinct_name(["M2.5.json"], "m2", "m2", "m2") == "m2"
