"""The setting `reward`: what is written is what is read, and each mistake has its message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.config import TrainConfig
from srlm.config.rewards import JUDGE_ALONE, only_judge, program_of, source_name
from srlm.config_file import load_config
from srlm.errors import UsageError


def parts(value, **others):
    return TrainConfig(model="m", reward=value, **others).reward


@pytest.mark.parametrize(
    "value",
    [
        "judge",
        "check.py:score",
        "hf:owner/name",
        ["judge", "check.py:score"],
        [{"source": "judge", "weight": 2.0}, "check.py:score", {"source": "safe.py:ok", "veto_below": 0.5}],
    ],
)
def test_a_reward_is_stored_as_it_was_written(value):
    config = TrainConfig(model="m", reward=value)
    stored = config.model_dump(mode="json")
    assert stored["reward"] == value
    assert TrainConfig.model_validate(stored) == config


def test_the_default_is_the_judge_and_runs_without_the_setting_have_it():
    assert TrainConfig(model="m").reward == JUDGE_ALONE
    assert parts({"source": "judge"}) == JUDGE_ALONE


def test_shares_of_the_mean():
    found = parts(["judge", {"source": "a.py:f", "weight": 3}, {"source": "b.py:g", "veto_below": 1}])
    assert [one.share for one in found] == [1, 3, 0]
    assert not only_judge(found)
    assert only_judge(parts(["judge", {"source": "b.py:g", "veto_below": 1}]))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("check.py", "names a file and no function in it, as check.py:score does"),
        ("check.py:1st", "1st cannot be the name of a function"),
        ("''", "names no source"),
        ("3", "must be a source, such as judge or check.py:score"),
        ("[]", "has no source with a weight"),
        ("[judge, judge]", "names the source judge twice"),
        ("[{source: a.py:f, veto_below: 1}]", "has no source with a weight"),
        ("[{source: judge, weight: 0}]", "reward.0.weight: input should be greater than 0"),
        ("[{source: judge, wieght: 2}]", "Did you mean 'reward.0.weight'?"),
        ("[{weight: 2}]", "has no reward.0.source"),
    ],
)
def test_a_mistake_is_one_message(value, said):
    with pytest.raises(UsageError) as failed:
        load_config("quickstart", [f"reward={value}"])
    assert said in str(failed.value)


def test_pairs_by_the_frozen_judge_need_no_reward():
    with pytest.raises(UsageError, match="reward would have no effect"):
        load_config("quickstart", ["reward=check.py:score", "judge.frozen=M1", "pairs.scored_by=frozen"])


@given(st.text(min_size=1))
def test_any_name_is_a_program_or_another_source(name):
    found = program_of(name)
    assert found is None or (str(found[0]).endswith(".py") and found[1].isidentifier())


def test_names_for_pages_have_no_folders():
    assert source_name("/home/someone/check.py:score") == "check.py:score"
    assert source_name("models/rm") == "rm"
    assert source_name("hf:owner/rm") == "hf:owner/rm"
