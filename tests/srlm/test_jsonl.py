"""Records to JSON Lines and back: the same record, or an error with its line; a whole file or none."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from srlm.atomic_files import write_text
from srlm.errors import DataError
from srlm.jsonl import by_id, parse_lines, read_json, read_records, to_json, write_json, write_records
from srlm.judges.rubric import POINTS
from srlm.types import (
    Answer,
    Completion,
    Demonstration,
    Dropped,
    Failed,
    Outcome,
    ParsedVerdict,
    PreferencePair,
    Prompt,
    RankedAnswer,
    RankedPrompt,
    Request,
    Reward,
    Scored,
    SFTExample,
    Unparsed,
    Verdict,
)
from trainer.monitor.metrics import IterationRecords, compute_metrics

words = st.text(max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
rates = st.none() | st.floats(0, 1)
ids = st.tuples(words, words)
readings = st.one_of(
    st.builds(Scored, numbers, words, st.none() | st.tuples(numbers, numbers)),
    st.builds(Unparsed, words, words),
    st.builds(Failed, words),
)
ranked_answers = st.builds(RankedAnswer, words, st.integers(0, 9), st.none() | st.integers(0, 5), st.none() | words)
RECORDS = {
    Prompt: st.builds(
        Prompt,
        words,
        words,
        st.sampled_from(["seed", "generated", "evaluation", "file"]),
        ids | st.just(()),
        *[st.none() | words] * 2,
        st.none() | st.integers(1, 10),
        *[st.none() | words] * 3,
    ),
    Demonstration: st.builds(Demonstration, words, words, words, st.none() | words),
    RankedPrompt: st.builds(
        RankedPrompt,
        words,
        words,
        st.lists(ranked_answers, min_size=2, max_size=3)
        .filter(lambda answers: len({one.rank for one in answers}) > 1)
        .map(tuple),
        st.sampled_from(["train", "validation"]),
        st.none() | words,
    ),
    Answer: st.builds(Answer, words, words, words, words, st.sampled_from(["stop", "length"]), st.integers(), words),
    Verdict: st.builds(Verdict, words, words, words, ids, readings, st.integers(0, 9), st.none() | words),
    Reward: st.builds(Reward, words, numbers, numbers, *[st.integers(0, 9)] * 3, ids),
    PreferencePair: st.builds(PreferencePair, words, words, words, words, words, numbers, words, words, numbers, words),
    Dropped: st.builds(Dropped, words, words, words),
    Outcome: st.builds(
        Outcome, words, words, words, st.floats(0, 1), st.tuples(rates, rates), *[st.integers(0)] * 2, ids | st.just(())
    ),
    SFTExample: st.builds(SFTExample, words, words, words, words, st.none() | st.integers(0, 5)),
}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("records") / "file.jsonl"


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_records_come_back_as_they_were(scratch, kind, data):
    written = data.draw(st.lists(RECORDS[kind], min_size=1, max_size=3))
    write_records(scratch, written)
    assert read_records(scratch, kind) == written
    before = scratch.read_bytes()
    write_records(scratch, read_records(scratch, kind))
    assert scratch.read_bytes() == before


@settings(deadline=None)
@given(readings)
def test_a_reading_comes_back_as_its_own_kind(reading):
    adapter: TypeAdapter[Any] = TypeAdapter(ParsedVerdict)
    found = adapter.validate_json(adapter.dump_json(reading))
    assert found == reading
    assert type(found) is type(reading)


def test_a_reading_without_or_of_unknown_kind_is_refused(tmp_path):
    path = tmp_path / "v.jsonl"
    for reading in ({"value": 3, "text": ""}, {"kind": "guessed", "value": 3, "text": ""}):
        path.write_text(json.dumps({"id": "v", "judge": "j", "rubric": "r", "answer_ids": ["a"], "reading": reading}))
        with pytest.raises(DataError, match=r"v\.jsonl, line 1: reading"):
            parse_lines(path, Verdict)


# A reward that is None must come back: `Run.stage` reads M2/rewards.jsonl each time that a run goes on.
@pytest.mark.parametrize(
    "record",
    [
        Reward("a", None, None, 0, 3, 0, ("v",)),
        Outcome("p", "M1", "reference", None, (None, 0.5), 1, 2, ("v",)),
        compute_metrics(IterationRecords("M2"), POINTS, None),
    ],
    ids=["Reward", "Outcome", "IterationMetrics"],
)
def test_what_could_not_be_measured_comes_back_as_none(tmp_path, record):
    write_records(tmp_path / "file.jsonl", [record])
    assert read_records(tmp_path / "file.jsonl", type(record)) == [record]


def test_fields_that_hold_none_are_kept_like_the_others():
    assert to_json(Demonstration("i", "", "r")) == {
        "id": "i",
        "instruction": "",
        "response": "r",
        "kind": None,
        "schema": 1,
        "context": (),
    }
    assert to_json({"a": None, "b": 0}) == {"a": None, "b": 0}


@pytest.mark.parametrize("ranks", [(), (0,), (1, 1)])
def test_a_ranked_prompt_without_two_ranks_is_refused(ranks):
    with pytest.raises(ValueError, match=r"^at least two answers of different rank are needed$"):
        RankedPrompt("r", "do", tuple(RankedAnswer(f"answer {i}", rank) for i, rank in enumerate(ranks)))


def test_requests_and_completions_go_through_json():
    for kind, one in ((Completion, Completion("é", "length", 1, 2, (0.5, 0.5))), (Request, Request(()))):
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        assert adapter.validate_json(adapter.dump_json(one)) == one


# --- reading ----------------------------------------------------------------------------------------------------------

GOOD = '{"id": "i", "instruction": "do", "response": "done"}'


@pytest.mark.parametrize(
    ("lines", "line", "problem"),
    [
        ([GOOD, '{"id": "i", '], 2, "not JSON"),
        ([GOOD, "", GOOD, "{}x"], 4, "not JSON"),
        ([GOOD, GOOD, '{"id": "i", "instruction": "do"}'], 3, "response: Field required"),
        (['{"id": 7, "instruction": "do", "response": "done"}'], 1, "id: Input should be a valid string"),
        ([GOOD, "[]"], 2, "record: "),
        ([GOOD, '{"id": "i"}'], 2, r"instruction: Field required \(and 1 more\)"),
    ],
)
def test_a_broken_line_is_named(tmp_path, lines, line, problem):
    path = tmp_path / "ift.jsonl"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=rf"ift\.jsonl, line {line}: {problem}"):
        read_records(path, Demonstration)


def test_an_error_does_not_quote_the_value(tmp_path):
    path = tmp_path / "ift.jsonl"
    path.write_text('{"id": "i", "instruction": "do", "response": ["sk-secret"]}')
    with pytest.raises(DataError) as caught:
        read_records(path, Demonstration)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", " \n\t\n"])
def test_an_empty_file_is_an_error_where_a_user_gives_it(tmp_path, text):
    path = tmp_path / "ift.jsonl"
    path.write_text(text)
    assert parse_lines(path, Demonstration) == []
    with pytest.raises(DataError, match="is empty"):
        read_records(path, Demonstration)


def test_files_that_cannot_be_read_at_all(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        parse_lines(tmp_path / "none.jsonl", Demonstration)
    with pytest.raises(DataError, match="is a folder"):
        parse_lines(tmp_path, Demonstration)
    (tmp_path / "latin.jsonl").write_bytes(b'{"id": "\xe9"}')
    with pytest.raises(DataError, match="is not UTF-8 text: the byte 0xE9 in line 1"):
        parse_lines(tmp_path / "latin.jsonl", Demonstration)


@settings(max_examples=25, deadline=None)
@given(st.text(alphabet='a\u2028\u2029\x85\x0b\x1c\r\n\\"', max_size=12))
def test_odd_line_ends_inside_a_text_do_not_split_a_record(scratch, text):
    one = Demonstration("i", text, text)
    write_records(scratch, [one, one])
    assert read_records(scratch, Demonstration) == [one, one]


def test_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "ift.jsonl"
    path.write_bytes(f"{GOOD}\r\n\r\n{GOOD}\r\n".encode())
    assert len(read_records(path, Demonstration)) == 2


def test_read_json_names_the_file(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(DataError, match=r"x\.json, line 1: not JSON"):
        read_json(tmp_path / "x.json")
    with pytest.raises(DataError, match="there is no such file"):
        read_json(tmp_path / "y.json")
    write_json(tmp_path / "z.json", {"ü": [1, None]})
    assert read_json(tmp_path / "z.json") == {"ü": [1, None]}


# --- writing ----------------------------------------------------------------------------------------------------------


def test_a_record_that_cannot_be_serialised_leaves_no_file(tmp_path):
    path = tmp_path / "new" / "file.jsonl"
    with pytest.raises(TypeError):
        write_records(path, [{"fine": 1}, {"bad": object()}])
    assert not path.exists()


def test_a_producer_that_fails_half_way_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.jsonl"
    write_records(path, [{"old": 1}])

    def broken():
        yield {"new": 1}
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        write_records(path, broken())
    assert path.read_text() == '{"old": 1}\n'
    assert [one.name for one in tmp_path.iterdir()] == ["file.jsonl"]


def test_a_failure_while_writing_leaves_neither_file_nor_rest(tmp_path, monkeypatch):
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "file.txt", "half \ud83d")
    assert list(tmp_path.iterdir()) == []

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("srlm.atomic_files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_text(tmp_path / "file.txt", "text")
    assert list(tmp_path.iterdir()) == []


def test_written_files_are_readable_and_replace_what_was_there(tmp_path):
    path = tmp_path / "deep" / "er" / "file.txt"
    write_text(path, "one")
    write_text(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert len(list(path.parent.iterdir())) == 1


def test_by_id():
    one, two = Dropped("a", "r"), Dropped("b", "r")
    assert by_id([one, two]) == {"a": one, "b": two}


def test_records_of_a_newer_version_are_called_so(tmp_path):
    path = tmp_path / "ift.jsonl"
    path.write_text(f'{GOOD}\n{GOOD[:-1]}, "schema": 2}}\n')
    with pytest.raises(
        DataError, match=r"line 2: was written by a newer version of srlm \(schema 2; this one reads up to"
    ):
        parse_lines(path, Demonstration)
    path.write_text('{"id": "i", "schema": 99, "words": "new"}\n')
    with pytest.raises(DataError, match="line 1: was written by a newer version"):
        parse_lines(path, Demonstration)
    path.write_text('{"schema": 2}')
    with pytest.raises(DataError, match="was written by a newer version"):
        read_json(path)


@pytest.mark.parametrize("damage", ["9" * 5000, "[" * 2000, '"\\ud800"', '1, "id": 2'])
def test_damaged_records_are_one_message(tmp_path, damage):
    path = tmp_path / "ift.jsonl"
    path.write_text(f'{GOOD}\n{{"id": {damage}}}\n')
    with pytest.raises(DataError, match="line 2: "):
        parse_lines(path, Demonstration)
    path.write_text(f'{{"id": {damage}}}')
    with pytest.raises(DataError):
        read_json(path)


def test_records_with_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "ift.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + f"{GOOD}\r\n".encode())
    assert len(parse_lines(path, Demonstration)) == 1
