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


def test_what_unpacks_to_far_more_than_it_weighs_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign_text, "_FREE", 1 << 20)
    (tmp_path / "bomb.jsonl.gz").write_bytes(gzip.compress(b" " * (3 << 20)))
    with pytest.raises(DataError, match="unpacks to more than 1 MB of text"):
        read_text(tmp_path / "bomb.jsonl.gz")
    monkeypatch.setattr(foreign_text, "MOST_TEXT", 1 << 20)
    (tmp_path / "large.jsonl").write_bytes(b"\n" * (2 << 20))
    with pytest.raises(DataError, match="holds more than 1 MB of text"):
        read_text(tmp_path / "large.jsonl")


def test_devices_pipes_and_impossible_names_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", type(tmp_path)("/dev/zero")):
        with pytest.raises(DataError, match="is a device or a pipe; save its content as a file"):
            read_text(path)
    for name in ("x\0y", "x" * 300):
        with pytest.raises(DataError, match="cannot be read"):
            read_text(tmp_path / name)


def test_a_line_is_named_where_text_stops_to_be_text(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'{"a": 1}\n{"a": "\xff"}\n')
    with pytest.raises(DataError, match="line 2: is not UTF-8"):
        list(lines_of(tmp_path / "x.jsonl"))
    (tmp_path / "wide.jsonl").write_bytes("{}\n".encode("utf-16-le") + struct.pack("<H", 0xD800) + b"x\0")
    with pytest.raises(DataError, match="is not UTF-8"):
        list(lines_of(tmp_path / "wide.jsonl"))
