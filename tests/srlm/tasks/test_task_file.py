"""A task in a file of the user's: what it gives is used, and everything that it lacks is said at once, with lines."""

from textwrap import dedent

import pytest

from helpers.paths import ROOT
from srlm.config.rollouts import RolloutsConfig
from srlm.errors import DataError, UsageError
from srlm.tasks.open import open_task

GOOD = """
    def problems():
        return [{"number": number} for number in range(50)]

    def prompt(problem):
        return f"Double {problem['number']}."

    def extract(text):
        return text.rpartition("=")[2].strip() or None

    def check(problem, answer):
        return int(answer) == 2 * problem["number"]
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        file = tmp_path / "doubles.py"
        file.write_text(dedent(text), encoding="utf-8")
        return open_task(RolloutsConfig(task=str(file)))

    return write


def test_a_task_of_the_users(written, capsys):
    task = written(GOOD)
    train, test = task.problems(30, 0, "train"), task.problems(5, 0, "test")
    assert not {one.prompt for one in train} & {one.prompt for one in test}
    assert train != task.problems(30, 1, "train")
    one = train[0]
    assert one.prompt == f"Double {one.data['number']}."
    answer = task.extract(f"2 * {one.data['number']} = {2 * one.data['number']}")
    assert task.check(one, answer) is True
    assert task.check(one, "-1") is False
    assert task.check(one, "four") is None
    assert task.check(one, "four") is None
    message = capsys.readouterr().err
    assert message.count("check() failed: ValueError") == 1
    assert "line 12" in message
    assert (task.checks, task.label.startswith("doubles.py (")) == (True, True)


def test_without_a_checker_nothing_is_known(written):
    task = written(GOOD.partition("    def check")[0])
    assert not task.checks
    assert task.check(task.problems(1, 0, "train")[0], "4") is None


def test_everything_that_is_missing_is_said_in_one_message(written):
    with pytest.raises(UsageError) as error:
        written("def prompt():\n    return 'Hello'\n\nextract = 3\n\ndef check(problem):\n    return True\n")
    lines = str(error.value).split("\n")
    assert len(lines) == 5
    assert "problems is missing: write problems(), which returns all problems" in lines[1]
    assert "line 1: prompt() cannot be called as it should" in lines[2]
    assert "extract is no function" in lines[3]
    assert "line 6: check(problem) cannot be called as it should" in lines[4]


def test_problems_that_cannot_be_used_are_named_line_by_line(written):
    with pytest.raises(UsageError) as error:
        written(
            """
            def problems():
                yield {"number": 1, "id": "one"}
                yield "two"
                yield {"number": {3}}
                yield {"number": 4, "id": "one"}
                yield {"number": 5, "split": "validation"}
                yield {"figure": 6}
                yield {"number": ""}

            def prompt(problem):
                return str(problem["number"])

            def extract(text):
                return text
            """
        )
    lines = [line.strip() for line in str(error.value).split("\n")[1:]]
    assert lines == [
        "problem 2 is a str, and no dict",
        "problem 3 cannot be written as JSON: Object of type set is not JSON serializable",
        'problem 4 has the id "one" of another one',
        'problem 5 has the split \'validation\', and neither "train" nor "test"',
        "problem 6 has no prompt: line 12: prompt() raised KeyError: 'number'",
        "problem 7 has no prompt: prompt() returned empty text",
    ]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("def problems(:", DataError, "is no Python"),
        ("raise ValueError('no')", DataError, "ValueError: no"),
        (GOOD.replace("range(50)", "range(0)"), UsageError, "problems\\(\\) returned none"),
        (GOOD.replace("range(50)", "range(1 // 0)"), UsageError, "line 3: problems\\(\\) raised ZeroDivisionError"),
    ],
)
def test_files_that_cannot_be_used(written, text, error, message):
    with pytest.raises(error, match=message):
        written(text)


def test_a_file_that_is_not_there():
    with pytest.raises(DataError, match="does not exist"):
        open_task(RolloutsConfig(task="nowhere.py"))


def test_too_few_problems(written):
    with pytest.raises(UsageError, match="--limit"):
        written(GOOD).problems(51, 0, "train")


def test_extract_that_fails_or_returns_something_else_names_its_line(written):
    failing = written(GOOD.replace('text.rpartition("=")[2].strip() or None', "text[99]"))
    with pytest.raises(DataError, match=r"doubles.py, line 9: .*IndexError") as error:
        failing.extract("short")
    assert "return None where there is none" in str(error.value)
    with pytest.raises(DataError, match="a list, and neither text nor None"):
        written(GOOD.replace('text.rpartition("=")[2].strip() or None', "[text]")).extract("short")


def test_the_example_of_the_page_works(written):
    page = (ROOT / "docs" / "howto" / "own_task.md").read_text(encoding="utf-8")
    task = written(page.split("```python\n")[1].partition("```")[0])
    found = [*task.problems(4, 0, "train"), *task.problems(4, 0, "test")]
    assert len({one.prompt for one in found}) == 8
    france = next(one for one in found if "France" in one.prompt)
    assert task.check(france, task.extract("Let me think.\nAnswer: Paris")) is True
    assert task.check(france, task.extract("Answer: Lyon")) is False
    assert task.extract("Paris") is None
