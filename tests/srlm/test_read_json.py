"""Strict JSON: what a later step could not hold is refused with its line."""

import json

import pytest

from srlm import read_text as foreign_text
from srlm.errors import DataError
from srlm.json_files import read_rows
from srlm.read_text import lines_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1}\n{"a": 1, "b": 2, "a": 3}\n', "line 2: the key 'a' is repeated in one object"),
        ('{"a": "\\ud83d"}', "line 1: the field a contains half a character"),
        ('{"a": {"b": ["\\udc00"]}}', "line 1: the field a contains half a character"),
        ('{"\\ud83d": 1}', "line 1: a text contains half a character"),
        ('[{"a": 1}, {"a": "\\ud83d"}]', "record 2: the field a contains half a character"),
        ('{"a": ' + "[" * 101 + "]" * 101 + "}", "line 1: JSON that cannot be read: it is nested more than 100 deep"),
        ('{"a": ' + "[" * 90_000, "nested more than 100 deep"),
        ('{"a": ' + "9" * 5000 + "}", "line 1: .*a number of thousands of digits"),
        ('{\n "a": 1,\n "b": ]\n}', "line 3: not JSON"),
    ],
)
def test_json_that_a_later_step_could_not_hold_is_refused(tmp_path, text, words):
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(DataError, match=words):
        read_rows(tmp_path / "x.jsonl")


def test_whole_characters_and_deep_but_usable_values_are_read(tmp_path):
    row = {"a": "\U0001f642", "b": [[[[{}] * 60] * 2]]}
    (tmp_path / "x.jsonl").write_text(json.dumps(row))  # the character as two escapes
    assert read_rows(tmp_path / "x.jsonl")[0].data == row


def test_objects_over_several_lines_are_read_one_after_the_other(tmp_path):
    rows = [{"a": 1, "b": {"c": "x\n"}}, {"a": 2}]
    (tmp_path / "x.json").write_text("\n" + "\n".join(json.dumps(one, indent=2) for one in rows))
    found = read_rows(tmp_path / "x.json")
    assert [row.data for row in found] == rows
    assert [row.number for row in found] == [2, 8]


def test_one_value_has_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr("srlm.read_json.MOST_LINE", 1000)
    monkeypatch.setattr(foreign_text, "MOST_LINE", 1000)
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n' + '{"a": "' + "x" * 1000 + '"}\n')
    with pytest.raises(DataError, match="line 2: one JSON value of more than"):
        read_rows(tmp_path / "x.jsonl")
    with pytest.raises(DataError, match="line 2: is longer than"):
        list(lines_of(tmp_path / "x.jsonl"))
