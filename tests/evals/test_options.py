"""Options as the suites declare them: grouped, joined, converted, and refused where no suite takes them."""

from pathlib import Path

import pytest

from evals.evaluate import choose_suites, prepare
from evals.model import EvalModel
from evals.options import LIMIT, Option, group_options, max_tokens, split_list, takers_of
from evals.suites import evaluable_suites
from srlm.config import TrainConfig
from srlm.console import Progress
from srlm.errors import UnknownName, UsageError
from srlm.runs import plan_run

FOLD = Option("fold", str, "Where to fold.")
SHARE = Option("share", float, "How much.", least=0, most=1)


def prepared(tmp_path, suites, **options):
    run = plan_run(tmp_path, "r", TrainConfig(model="smollm2"))
    models = {name: EvalModel(name, lambda: None) for name in ("M1", "M2")}
    return prepare(models, suites, EvalModel("judge", lambda: None), run, Progress(quiet=True), options)


def test_options_are_grouped_by_the_suites_that_take_them():
    groups = group_options({"a": (LIMIT, FOLD), "b": (LIMIT, SHARE), "c": (SHARE,)})
    assert [(one.suites, [option.name for option in one.options]) for one in groups] == [
        (("a", "b"), ["limit"]),
        (("a",), ["fold"]),
        (("b", "c"), ["share"]),
    ]


def test_declarations_of_one_name_become_one_option_with_the_words_of_each():
    one, two = max_tokens("the run's"), max_tokens("1024")
    ((group),) = group_options({"a": (one,), "b": (two,), "c": (one,)})
    assert group.suites == ("a", "b", "c")
    (option,) = group.options
    assert option.help == "a, c: Tokens per answer; if not given, the run's. b: Tokens per answer; if not given, 1024."
    assert (option.flag, option.least) == ("--max-tokens", 1)
    with pytest.raises(ValueError, match="--max-tokens with different types"):
        group_options({"a": (one,), "b": (Option("max_tokens", str, "In words."),)})


def test_who_takes_an_option():
    assert takers_of("fold", {"a": (FOLD,), "b": (SHARE,)}) == {"a": FOLD}
    assert takers_of("other", {"a": (FOLD,)}) == {}
    assert split_list(" one, two,,three ") == ["one", "two", "three"]
    assert split_list(None) == []


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        (FOLD, Path("some") / "where", str(Path("some") / "where")),
        (FOLD, ["one", "two"], "one,two"),
        (LIMIT, 2, 2),
        (SHARE, 1, 1.0),
    ],
)
def test_values_of_python_are_converted(option, value, expected):
    found = option.convert(value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        (FOLD, 3, "fold must be of the type str, not 3"),
        (LIMIT, "3", "limit must be of the type int, not '3'"),
        (LIMIT, True, "limit must be of the type int, not True"),
        (LIMIT, 1, "limit must be from 2 to 10000000, not 1"),
        (SHARE, 1.5, "share must be from 0 to 1, not 1.5"),
        (SHARE, float("nan"), "share must be from 0 to 1, not nan"),
    ],
)
def test_other_values_are_refused(option, value, message):
    with pytest.raises(UsageError, match=message):
        option.convert(value)


def test_suites_are_chosen_in_their_own_order():
    assert choose_suites("verifiable, alpaca") == (["alpaca", "verifiable"], False)
    assert choose_suites(["nlp", "alpaca"]) == (["alpaca", "nlp"], False)
    assert choose_suites("all") == ([one.name for one in evaluable_suites()], True)
    with pytest.raises(UnknownName, match=r"'rewad' does not exist\. Did you mean 'reward'"):
        choose_suites("rewad")


def test_prepared_suites_have_loaded_no_model(tmp_path):
    found = prepared(tmp_path, ["alpaca", "head-to-head"], limit=2, baseline="M2", prompts=None)
    assert list(found.jobs) == ["alpaca", "head-to-head"]
    assert [one.name for one in found.models] == ["M1", "M2"]
    assert not found.remote
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("suites", "options", "message"),
    [
        ("alpaca", {"baseline": "M1"}, "--baseline is of the suite head-to-head, and not of alpaca"),
        ("alpaca", {"limits": 3}, "The option 'limits' does not exist. Did you mean 'limit'"),
        ("alpaca,mt-bench", {"prompts": "x"}, "--prompts names the file of one suite: evaluate alpaca and mt-bench"),
        ("head-to-head", {"baseline": "M3"}, "the baseline 'M3' does not exist"),
        ("reward", {"scoring": "guessed"}, "The scoring 'guessed' does not exist"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, suites, options, message):
    with pytest.raises(UsageError, match=message):
        prepared(tmp_path, suites, **options)


def test_of_all_suites_those_that_cannot_begin_are_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("evals.suites.SUITES", [one for one in evaluable_suites() if one.outside_judge])
    run = plan_run(tmp_path, "r", TrainConfig(model="smollm2"))
    progress = Progress()
    found = prepare({"M1": EvalModel("M1", lambda: None)}, "all", EvalModel("j", lambda: None), run, progress, {})
    said = capsys.readouterr().err
    assert "Left out is head-to-head: head-to-head needs two models" in said
    assert "head-to-head" not in found.jobs
    assert "alpaca" in found.jobs
