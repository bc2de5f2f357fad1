"""Reward programs: what they may return, what is refused, and with which line."""

import math
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.console import Progress
from srlm.engines.engine import Engine
from srlm.errors import DataError, SrlmError, UnknownName
from srlm.inference import Caller
from srlm.rewards.program import ProgramSource
from srlm.rewards.source import RewardSource, conversation, open_source, read_reply, reply_of, source_verdicts
from srlm.types import Answer, Message, Prompt, Request, Scored, Unparsed

QUIET = Progress(quiet=True)


@pytest.fixture
def program(tmp_path):
    """A function: the source of this text's `score`."""

    def write(text, function="score"):
        file = tmp_path / "check.py"
        file.write_text(dedent(text), encoding="utf-8")
        return ProgramSource(file, function, name=f"check.py:{function}")

    return write


def values(source, *answers, context=(), prompt="How many?"):
    """The reading of each answer, without a ledger."""
    requests = [conversation(context, prompt, answer) for answer in answers]
    plan = source.plan(requests)
    return [
        getattr(read_reply(reply), "value", None)
        for done in source.run([[requests[index] for index in batch] for batch in plan])
        for reply in done.replies
    ]


def test_a_program_scores_each_answer(program):
    source = program("def score(prompt, answer):\n    return len(answer) - len(prompt)\n")
    assert values(source, "", "nine char", prompt="1234") == [-4.0, 5.0]
    assert isinstance(source, RewardSource)
    engine: Engine = source
    assert engine.price is not None


def test_none_is_no_value_and_a_truth_value_is_one_or_zero(program):
    source = program("def score(prompt, answer):\n    return {'n': None, 't': True, 'f': False}[answer]\n")
    assert values(source, "n", "t", "f") == [None, 1.0, 0.0]


@pytest.mark.parametrize("expression", ["np.float32(0.5)", "np.int64(0.5 + 0.5) / 2", "Fraction(1, 2)"])
def test_numbers_of_other_libraries_are_numbers(program, expression):
    source = program(
        f"import numpy as np\nfrom fractions import Fraction\ndef score(prompt, answer):\n    return {expression}\n"
    )
    assert values(source, "a") == [0.5]


def test_numpys_truth_value_is_one(program):
    source = program("import numpy as np\ndef score(prompt, answer):\n    return np.array([2])[0] > 1\n")
    assert values(source, "a") == [1.0]


def test_the_context_goes_to_a_function_that_takes_it(program):
    source = program(
        "def score(prompt, answer, *, context):\n    return len(context) + (context[0]['role'] == 'system')\n"
    )
    assert values(source, "a", context=(Message("system", "Be brief."),)) == [2.0]
    without = program("def score(prompt, answer, language='en'):\n    return len(answer)\n")
    assert values(without, "abc", context=(Message("system", "Be brief."),)) == [3.0]


@pytest.mark.parametrize(
    ("body", "said", "line"),
    [
        ("return 'good'", "returned 'good', a str", 1),
        ("return float('nan')", "returned nan, no finite number", 1),
        ("return float('-inf')", "returned -inf, no finite number", 1),
        ("return 10 ** 400", "no finite number", 1),
        ("return [1.0]", "returned [1.0], a list", 1),
        ("return 1j", "returned 1j, a complex", 1),
        ("return 1 / 0", "raised ZeroDivisionError: division by zero", 2),
        ("raise SystemExit(3)", "raised SystemExit: 3", 2),
        ("return len(json)", "raised NameError", 2),
    ],
)
def test_any_other_end_of_the_function_is_one_message_with_its_line(program, body, said, line):
    source = program(f"def score(prompt, answer):\n    {body}\n")
    with pytest.raises(DataError) as failed:
        values(source, "a")
    assert said in str(failed.value)
    assert failed.value.line == line
    assert failed.value.exit_code == 2
    assert "'How many?'" in str(failed.value)


def test_the_line_of_an_error_is_in_the_program_and_not_in_a_library(program):
    source = program("import json\n\n\ndef score(prompt, answer):\n    return json.loads(answer)\n")
    with pytest.raises(DataError) as failed:
        values(source, "{")
    assert failed.value.line == 5


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("def score(prompt, answer:\n    return 1\n", "is no Python", 1),
        ("x = 1\nraise ValueError('no')\n", "cannot be loaded: it raised ValueError: no", 2),
        ("import sys\nsys.exit()\n", "cannot be loaded: it raised SystemExit", 2),
        ("import no_such_library\n", "ModuleNotFoundError: No module named 'no_such_library'", 1),
        ("\n\ndef score(answer):\n    return 1\n", "cannot be called as score(prompt, answer): it is score(answer)", 3),
        ("def score(prompt, answer, extra):\n    return 1\n", "it is score(prompt, answer, extra)", 1),
        ("score = 3\n", "score is no function. Write it as def score(prompt, answer)", None),
    ],
)
def test_a_program_that_cannot_work_is_refused_before_any_answer(program, text, said, line):
    with pytest.raises(DataError) as failed:
        program(text)
    assert said in str(failed.value)
    assert failed.value.line == line


def test_a_name_that_the_file_lacks_is_answered_with_those_that_it_has(program):
    with pytest.raises(UnknownName, match=r"'scores' does not exist. Did you mean 'score'\?"):
        program("def score(prompt, answer):\n    return 1\n", "scores")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        open_source(f"{tmp_path / 'none.py'}:score")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        open_source(f"{tmp_path / 'folder.py'}:score")
    (tmp_path / "nul.py").write_bytes(b"a = 1\0")
    with pytest.raises(DataError, match="is no Python"):
        open_source(f"{tmp_path / 'nul.py'}:score")


def test_a_name_that_is_no_source_is_answered_with_the_kinds():
    with pytest.raises(UnknownName, match=r"FILE.py:FUNCTION"):
        open_source("no-such-folder")


def test_what_a_program_prints_goes_to_standard_error(program, capsys):
    source = program("print('loading')\ndef score(prompt, answer):\n    print('scoring')\n    return 1\n")
    values(source, "a")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.split() == ["loading", "scoring"]


def test_dataclasses_and_files_beside_it_work(program, tmp_path):
    (tmp_path / "helper_of_check.py").write_text("BONUS = 2\n", encoding="utf-8")
    source = program(
        """\
        from __future__ import annotations
        from dataclasses import dataclass
        from helper_of_check import BONUS

        @dataclass
        class Found:
            words: int

        def score(prompt, answer):
            return Found(len(answer.split())).words + BONUS
        """
    )
    assert values(source, "one two") == [4.0]
    assert not (tmp_path / "__pycache__" / "check.cpython-311.pyc").exists()


def test_the_version_follows_the_text_and_the_function(program):
    text = "def score(prompt, answer):\n    return 1\n\n\ndef other(prompt, answer):\n    return 2\n"
    one, again, other = program(text), program(text), program(text, "other")
    assert (one.label, one.identity) == (again.label, again.identity)
    assert one.label == other.label
    assert one.identity != other.identity
    assert program(f"{text}\n").label != one.label


def test_values_are_computed_once_and_kept_before_an_error(program, ledger, tmp_path):
    counted = tmp_path / "calls"
    text = f"""\
        from pathlib import Path

        def score(prompt, answer):
            with Path({str(counted)!r}).open("a") as file:
                file.write(answer)
            return 1 / (len(answer) - 3)
        """
    answers = [Answer(f"M2-p0000-c{place}", "M2-p0000", "M1", "x" * place, "stop") for place in range(5)]
    items = [(Prompt("M2-p0000", "Q", "generated"), answer) for answer in answers]
    with pytest.raises(DataError, match="ZeroDivisionError"):
        source_verdicts(Caller(program(text), ledger, "s", QUIET), items, "")
    assert ledger.count() == 3
    assert counted.read_text() == "x" * (0 + 1 + 2 + 3)
    counted.write_text("")
    found = source_verdicts(Caller(program(text), ledger, "s", QUIET), items[:3], "")
    assert counted.read_text() == ""
    assert [verdict.reading for verdict in found] == [
        Scored(1 / -3, repr(1 / -3)), Scored(-0.5, "-0.5"), Scored(-1.0, "-1.0")
    ]  # fmt: skip
    assert {verdict.id for verdict in found} == {f"M2-p0000-c{place}-r0" for place in range(3)}
    assert {(verdict.judge, verdict.rubric.partition(":")[0]) for verdict in found} == {("check.py:score", "program")}


def test_text_is_not_asked_of_a_program(program):
    source = program("def score(prompt, answer):\n    return 1\n")
    with pytest.raises(SrlmError, match="scores answers and writes no text"):
        source.plan([Request((Message("user", "Write."),))])


@given(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_value_survives_its_way_through_the_ledger(value):
    found = read_reply(reply_of(value))
    if value is None:
        assert isinstance(found, Unparsed)
    else:
        assert isinstance(found, Scored)
        assert math.copysign(1, found.value) == math.copysign(1, value)
        assert found.value == value
