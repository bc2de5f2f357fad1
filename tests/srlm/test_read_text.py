"""Files of other tools: what they are is found by their content, and what is no text of ours is named as what it is."""

import gzip
import json
import os
import struct

import pytest

from srlm import read_text as foreign_text
from srlm.errors import DataError
from srlm.json_files import read_rows
from srlm.read_text import lines_of, read_text
from srlm.read_yaml import NotYamlError, parse_yaml, shown

ROW = {"instruction": "Say é.", "output": "é\u2028🙂"}
TEXT = json.dumps(ROW, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("form", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["x.jsonl", "x.json.gz"])
def test_text_is_read_whatever_its_form_and_name(tmp_path, form, packed, name):
    data = (TEXT * 2).replace("\n", "\r\n").encode(form)
    (tmp_path / name).write_bytes(gzip.compress(data) if packed else data)
    assert [row.data for row in read_rows(tmp_path / name)] == [ROW, ROW]
    assert [json.loads(line) for _, line in lines_of(tmp_path / name)] == [ROW, ROW]


def test_lines_of_old_tools_end_at_carriage_returns(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'{"a": 1}\r{"a": 2}\r')
    assert [row.number for row in read_rows(tmp_path / "x.jsonl")] == [1, 2]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.parquet", b"PAR1" + bytes(9), r"is a Parquet file.*pandas.read_parquet\('x.parquet'\).*'x.jsonl'"),
        ("x.jsonl", b"PAR1" + bytes(9), "is a Parquet file"),
        ("x.xlsx", b"PK\x03\x04" + bytes(40), "is an Excel file.*read_excel"),
        ("x.json", b"PK\x03\x04" + bytes(40) + b"xl/workbook.xml", "is an Excel file"),
        ("x.zip", b"PK\x03\x04" + bytes(40), "is a zip archive or an Excel file. Unpack it with: unzip x.zip"),
        ("x.json.zst", b"\x28\xb5\x2f\xfd..", "compressed with zstd.*unzstd"),
        ("x.json", b"SQLite format 3\x00", "is an SQLite database"),
        (
            "x.json",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
            "is a pointer of git-lfs.*git lfs pull",
        ),
        ("x.json", b"\n<!DOCTYPE html><html>", "is a page of HTML"),
        ("x.csv", b"instruction,output\na,b\n", r"is a table \(CSV\).*pandas.read_csv\('x.csv'\)"),
        ("x.json", b"instruction,output\na,b\n", r"is a table \(CSV\)"),
        ("x.json", b'{"a": "\xe9"}', "byte 0xE9 in line 1.*WINDOWS-1252"),
        ("x.json.gz", b"plain words", "not JSON .*is named .gz, and is not gzip"),
        ("x.json", gzip.compress(b'{"a": 1}', mtime=0)[:-9], "cut short"),
        ("x.json", gzip.compress(b'{"a": 1}', mtime=0) + b"rest", "damaged"),
    ],
)
def test_what_is_no_json_is_called_what_it_is(tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=words) as caught:
        read_rows(tmp_path / name)
    assert "\n" not in str(caught.value)


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


def test_what_unpacks_to_far_more_than_it_weighs_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign_text, "_FREE", 1 << 20)
    (tmp_path / "bomb.jsonl.gz").write_bytes(gzip.compress(b" " * (3 << 20)))
    with pytest.raises(DataError, match="unpacks to more than 1 MB of text"):
        read_text(tmp_path / "bomb.jsonl.gz")
    monkeypatch.setattr(foreign_text, "MOST_TEXT", 1 << 20)
    (tmp_path / "large.jsonl").write_bytes(b"\n" * (2 << 20))
    with pytest.raises(DataError, match="holds more than 1 MB of text"):
        read_text(tmp_path / "large.jsonl")


def test_one_value_has_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr("srlm.read_json.MOST_LINE", 1000)
    monkeypatch.setattr(foreign_text, "MOST_LINE", 1000)
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n' + '{"a": "' + "x" * 1000 + '"}\n')
    with pytest.raises(DataError, match="line 2: one JSON value of more than"):
        read_rows(tmp_path / "x.jsonl")
    with pytest.raises(DataError, match="line 2: is longer than"):
        list(lines_of(tmp_path / "x.jsonl"))


def test_devices_pipes_and_impossible_names_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", type(tmp_path)("/dev/zero")):
        with pytest.raises(DataError, match="is a device or a pipe; save its content as a file"):
            read_text(path)
    for name in ("x\0y", "x" * 300):
        with pytest.raises(DataError, match="cannot be read"):
            read_text(tmp_path / name)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"a": {"0": "x", "1": "y"}, "b": {"0": "x", "1": "y"}}, "orient='columns'"),
        ({"x": {"a": 1}, "y": {"a": 2}}, "orient='index'"),
        ({"columns": ["a"], "index": [0], "data": [[1]]}, "orient='split'"),
        ({"schema": {"fields": []}, "data": [{"a": 1}]}, "orient='table'"),
        (
            {"annotations": [{"a": 1}, {"a": 2}]},
            r"'annotations' holds 2 records.*jq -c '.\[\"annotations\"\]\[\]' x.json",
        ),
        ({"rows": [{"row": {"a": 1}}], "features": []}, r"\[\]\.row' x.json"),
        ({"conversations": [{"from": "human", "value": "x"}]}, "ShareGPT"),
        ({"messages": [{"role": "user", "content": "x"}]}, "a list of messages"),
        ({"prompt": "x", "completion": "y", "label": True}, "unpaired preferences"),
        ({"instruction": "x", "completions": [], "models": []}, "UltraFeedback"),
        ({"builder_name": "json", "splits": {}}, "dataset_info.json"),
        ({"message_tree_id": "x", "prompt": {}}, "oasst:FILE"),
    ],
)
def test_a_record_of_another_form_is_called_what_it_is(tmp_path, record, words):
    (tmp_path / "x.json").write_text(json.dumps(record, indent=1))
    (row,) = read_rows(tmp_path / "x.json")
    with pytest.raises(DataError, match=words):
        row.text("no such field")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: 2024-13-01", "an impossible value, such as the date 2024-13-01"),
        ("model: 2001-12-14t21:59:43.10-25:00", "an impossible value"),
        ("seed: " + "9" * 5000, "more than 400 digits"),
        ("seed: 0x" + "f" * 5000, "more than 400 digits"),
        ("a: " + "[" * 60 + "]" * 60, "nested more than 50 deep"),
        ("a: " + "[" * 5000, "nested more than 50 deep"),
        (
            "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{f'*a{n}, ' * 4}]\n" for n in range(9)),
            "more than 20,000",
        ),
        ("a: &a [*a]", "contains itself"),
        ("a: 1\nb: 2\na: 3", "the key a is repeated"),
        ("a: {b: 1, b: 2}", "the key b is repeated"),
        ("a: !!float x", "an impossible value"),
        ("a: !!int ''", "an impossible value"),
        ("a: !!python/object/apply:os.system [x]", "not YAML"),
        ("{[a]: 1}", "not YAML"),
        ("a: \x01", "not YAML"),
        ("a: [", "not YAML"),
    ],
)
def test_yaml_that_python_answers_with_its_own_errors_is_one_message(text, words):
    with pytest.raises(NotYamlError, match=words) as caught:
        parse_yaml(text)
    assert "\n" not in caught.value.problem


def test_yaml_that_is_fine():
    assert parse_yaml("") is None
    assert parse_yaml("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\nc: 2024-12-01\n")["b"] == {"x": 3, "y": 2}


def test_a_value_in_a_message_is_cut():
    assert shown("short") == "'short'"
    assert len(shown(["x" * 50] * 100)) == 83
    assert shown(1 << 20_000) == "a number of thousands of digits"


def test_a_line_is_named_where_text_stops_to_be_text(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'{"a": 1}\n{"a": "\xff"}\n')
    with pytest.raises(DataError, match="line 2: is not UTF-8"):
        list(lines_of(tmp_path / "x.jsonl"))
    (tmp_path / "wide.jsonl").write_bytes("{}\n".encode("utf-16-le") + struct.pack("<H", 0xD800) + b"x\0")
    with pytest.raises(DataError, match="is not UTF-8"):
        list(lines_of(tmp_path / "wide.jsonl"))
