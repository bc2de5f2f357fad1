"""The JSON of a comparison that a decision is made from, as the program and as a file have it."""

import json
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from evals.compare.comparison import Comparison, SuiteJudge
from evals.compare.export.json import as_json
from evals.gate.comparison_json import ComparisonJson, from_comparison, read_comparison
from helpers.comparisons import card, rates, row
from srlm.errors import DataError

PASSING = rates("win_rate", both=400, gained=80, lost=20, neither=300)
LENGTH = row("length", [100 + i for i in range(200)], [110 + i + i % 3 for i in range(200)], "chars", "neither")


def test_a_comparison_comes_back_from_its_file_as_it_was(tmp_path):
    whole = Comparison(
        ["M1", "M2"], "M1", [PASSING, LENGTH], ["c"], [], judges=[SuiteJudge("alpaca", "j", "r", card())]
    )
    path = tmp_path / "comparison.json"
    path.write_text(as_json(whole))
    assert read_comparison(path) == from_comparison(whole)
    later = json.loads(path.read_text()) | {"new": 1}
    assert ComparisonJson.model_validate(later) == from_comparison(whole)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "is no comparison"),
        ('{"schema": 2}', "written by a newer version"),
        ("\xff", "not JSON"),
    ],
)
def test_what_is_no_comparison_is_refused(tmp_path, text, said):
    path = tmp_path / "comparison.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_comparison(path)
    with pytest.raises(DataError, match="there is no such file"):
        read_comparison(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'\xef\xbb\xbf{"schema": 1}', "is no comparison of this version"),
        ('{"schema": 1}'.encode("utf-16"), "is no comparison of this version"),
        (b'{"schema": 1, "baseline": "M1", "baseline": "M3"}', "the key 'baseline' is repeated"),
        (b'{"schema": ' + b"9" * 5000 + b"}", "a number of thousands of digits"),
        (b"[" * 100_000, "nested more than 100 deep"),
        (b'{"schema": 99}', "was written by a newer version of srlm"),
        (b'{"schema": 1, "captions": ["\\ud83d"]}', "half a character"),
        (b"", "is empty. It is made by: srlm compare --format json"),
        (b"key,value\n", "is a table"),
    ],
)
def test_a_comparison_that_is_none_is_one_message(tmp_path, data, said):
    (tmp_path / "c.json").write_bytes(data)
    with pytest.raises(DataError, match=said):
        read_comparison(tmp_path / "c.json")


def test_a_comparison_from_standard_input_is_read_the_same_way(monkeypatch):
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b'\xef\xbb\xbf{"schema": 99}')))
    with pytest.raises(DataError, match="standard input: was written by a newer version of srlm"):
        read_comparison(Path("-"))
