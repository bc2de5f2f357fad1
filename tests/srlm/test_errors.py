"""Messages of the error tree: each says what is wrong and what to do next."""

import re
from pathlib import Path

import pytest

from srlm import errors
from srlm.errors import BudgetSpent, DataError, MissingDependency, RunChanged, SrlmError, UnknownName, UsageError

CLASSES = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)]


def test_the_tree_in_the_docstring_is_the_tree():
    for one in CLASSES:
        assert issubclass(one, SrlmError)
        assert one.__name__ in errors.__doc__
        assert re.search(rf"\b{one.__name__} +{one.exit_code} ", errors.__doc__)
    assert issubclass(UnknownName, UsageError)
    assert issubclass(RunChanged, UsageError)


@pytest.mark.parametrize(
    ("name", "known", "message"),
    [
        (
            "M22",
            ["M0", "M1", "M2"],
            "The model 'M22' does not exist. Did you mean 'M2'? There are: M0, M1, M2. Do this.",
        ),
        ("zzz", ["M0", "M1"], "The model 'zzz' does not exist. There are: M0, M1. Do this."),
        ("M1", ["M0"], "The model 'M1' does not exist. There is: M0. Do this."),
        ("M1", [], "The model 'M1' does not exist. There are: none yet. Do this."),
    ],
)
def test_unknown_name(name, known, message):
    found = str(UnknownName("The model", name, iter(known), "Do this."))
    assert found.replace(" Did you mean 'M0'?", "") == message


def test_unknown_name_without_a_hint_ends_cleanly():
    assert str(UnknownName("The run", "a", ["b"])).endswith("There is: b.")


def test_unknown_name_lists_twenty_names_and_counts_the_others():
    names = [f"n{i:02d}" for i in range(22)]
    assert str(UnknownName("The run", "?", names[:20])).endswith(f"There are: {', '.join(names[:20])}.")
    assert str(UnknownName("The run", "?", names)).endswith(f"There are: {', '.join(names[:20])} and 2 more.")
    assert "Did you mean 'run-21'?" in str(UnknownName("The run", "run21", [*names, "run-21"]))


def test_run_changed_names_the_changes_and_both_ways_out():
    found = str(RunChanged(Path("runs/x"), [f"key{i} 0 -> 1" for i in range(10)]))
    assert "runs/x" in found
    assert "key7 0 -> 1; ..." in found
    assert "key8" not in found
    assert "--name" in found
    assert "..." not in str(RunChanged(Path("x"), ["one"]))


def test_data_error_with_and_without_a_line():
    assert str(DataError(Path("a.jsonl"), "is empty.")) == "a.jsonl: is empty."
    assert str(DataError(Path("a.jsonl"), "not JSON.", 3)) == "a.jsonl, line 3: not JSON."


def test_errors_carry_what_a_caller_may_want():
    unknown, changed = UnknownName("The model", "M22", ["M2"]), RunChanged(Path("runs/x"), ["a 0 -> 1"])
    assert (unknown.name, unknown.known, unknown.close) == ("M22", ["M2"], "M2")
    assert (changed.run, changed.changes) == (Path("runs/x"), ["a 0 -> 1"])
    data = DataError(Path("a.jsonl"), "not JSON.", 3)
    assert (data.path, data.problem, data.line) == (Path("a.jsonl"), "not JSON.", 3)
    spent = BudgetSpent("no", limit=1.0, spent=0.5, next_call=0.6)
    assert (spent.limit, spent.spent, spent.next_call) == (1.0, 0.5, 0.6)


def test_missing_dependency_gives_the_command():
    found = str(MissingDependency("torch", "Training", "train"))
    assert found.startswith("Training needs the library torch")
    assert "pip install torch " in found
    assert "'train'" in found.split("pip install")[1]


def test_an_error_of_another_process_keeps_its_class_and_its_message():
    spent = BudgetSpent("No more.", limit=1.0, spent=1.0, next_call=0.5)
    for error in (spent, DataError(Path("a.py"), "it fails.", 3), KeyError("x")):
        found = errors.error_of_process(type(error).__name__, str(error))
        assert str(found) == str(error)
        assert type(found) is (type(error) if isinstance(error, SrlmError) else errors.TrainingFailed)
