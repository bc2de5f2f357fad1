"""Records of other tools' files: found, and named by their place when they are wrong."""

import gzip

import pytest

from srlm.errors import DataError, MissingDependency
from srlm.json_files import UniqueKeys, read_or_fetch, read_rows


def rows(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_rows(path)


def test_lines_and_arrays_carry_their_places(tmp_path):
    found = rows(tmp_path / "x.jsonl", '{"a": 1}\n\n{"a": 2}\n')
    assert [(row.unit, row.number, row.data["a"]) for row in found] == [("line", 1, 1), ("line", 3, 2)]
    found = rows(tmp_path / "x.json", '\n [{"a": 1},\n {"a": 2}]')
    assert [(row.unit, row.number, row.data["a"]) for row in found] == [("record", 1, 1), ("record", 2, 2)]


def test_what_the_file_is_called_does_not_matter_but_gzip_does(tmp_path):
    assert rows(tmp_path / "x.json", '{"a": 1}\n{"a": 2}\n')[1].number == 2
    assert rows(tmp_path / "x.gz", gzip.compress(b'[{"a": 1}]'))[0].data == {"a": 1}


def test_a_byte_order_mark_is_no_content(tmp_path):
    assert rows(tmp_path / "x.json", b'\xef\xbb\xbf[{"a": 1}]')[0].data == {"a": 1}


def test_lines_end_at_line_feeds_alone(tmp_path):
    """U+2028 may stand in JSON as it is."""
    assert len(rows(tmp_path / "x.jsonl", '{"a": "one\u2028two"}\n')) == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.json", "", "holds no record"),
        ("x.json", "[]", "holds no record"),
        ("x.jsonl", '{"a": 1}\n{"a": \n', "line 2: not JSON"),
        ("x.json", '[{"a": 1},\n{"a": }]', "line 2: not JSON"),
        ("x.json", '[{"a": 1}', "not JSON"),
        ("x.jsonl", '{"a": 1}\n3\n', "line 2: a JSON object is expected, not a number"),
        ("x.json", "[null]", "record 1: a JSON object is expected, not null"),
        ("x.json", b"{\xff\xe9", "is not UTF-8 text: the byte 0xFF in line 1"),
        ("x.gz", b"plain", "not JSON .*is named .gz, and is not gzip"),
        ("x.gz", gzip.compress(b'[{"a": 1}]' * 99, mtime=0)[:-12], "ends in the middle"),
        ("x.json", "[" * 100_000, "JSON"),
        ("x.json", "[" + "9" * 10_000 + "]", "JSON that cannot be read"),
    ],
)
def test_what_is_no_record_is_named(tmp_path, name, content, words):
    with pytest.raises(DataError, match=words) as error:
        rows(tmp_path / name, content)
    assert name in str(error.value)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        read_rows(tmp_path / "nowhere.json")
    with pytest.raises(DataError, match="is a folder"):
        read_rows(tmp_path)


def test_text_is_the_first_field_that_is_there(tmp_path):
    (row,) = rows(tmp_path / "x.json", '[{"b": "two", "c": "three", "n": 1, "empty": ""}]')
    assert row.text("a", "b", "c") == "two"
    assert row.text("empty", "b") == ""
    for name, words in [("a", "field a is missing; it has b, c"), ("n", "must be text, not a number")]:
        with pytest.raises(DataError, match=words):
            row.text(name)


def test_what_comes_twice_is_named_with_both_places(tmp_path):
    once = UniqueKeys()
    one, two, three = rows(tmp_path / "x.jsonl", '{"a": 1}\n\n{"a": 2}\n{"a": 1}\n')
    once.add(one, 1, "the a")
    once.add(two, 2, "the a")
    with pytest.raises(DataError, match=r"x\.jsonl, line 4: has the a of line 1 again\."):
        once.add(three, 1, "the a")


@pytest.mark.parametrize("name", ["nothing.json", "nothing.jsonl", "nothing.gz", "nothing.json.gz"])
def test_what_is_called_like_a_file_is_not_looked_for_on_the_hub(tmp_path, name):
    with pytest.raises(DataError, match="there is no such file"):
        read_or_fetch(str(tmp_path / name), read_rows, pytest.fail, "")


def test_any_other_name_is_the_hubs_unless_it_is_there(tmp_path):
    assert read_or_fetch("owner/name", pytest.fail, lambda: "fetched", "") == "fetched"
    assert read_or_fetch(str(tmp_path), lambda path: path, pytest.fail, "") == tmp_path


def test_a_hub_that_gives_nothing_is_one_error_with_advice():
    def unreachable():
        raise ConnectionError("the Hub's own words, with an address")

    def not_installed():
        raise MissingDependency("datasets", "Reading", "nlp")

    with pytest.raises(DataError) as caught:
        read_or_fetch("owner/name", read_rows, unreachable, "Go there.")
    words = "owner/name: is not a local file, and cannot be loaded from the Hub (ConnectionError). Go there."
    assert str(caught.value) == words
    with pytest.raises(MissingDependency):
        read_or_fetch("owner/name", read_rows, not_installed, "")
