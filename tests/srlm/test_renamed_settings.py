"""Settings under the names of earlier versions: read from a run, refused with the new name from a user."""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from helpers.paths import ROOT
from srlm.config import TrainConfig
from srlm.config_file import load_config
from srlm.errors import UsageError
from srlm.renamed_settings import RENAMED, old_names, with_new_names

EVERY = [(section, old, new) for section, names in RENAMED.items() for old, new in names.items()]
VALUES = {"more": "{max_num_seqs: 64}", "max_length": "1024", "recompute": "false"}


@pytest.mark.parametrize(("section", "old", "new"), EVERY)
def test_the_new_name_is_a_setting_and_the_old_one_is_none(section, old, new):
    known = type(getattr(TrainConfig(model="m"), section)).model_fields
    assert new in known
    assert old not in known


@pytest.mark.parametrize(("section", "old", "new"), EVERY)
def test_an_old_name_means_what_the_new_one_means(section, old, new):
    value = yaml.safe_load(VALUES.get(old, "1"))
    before, now = ({"model": "m", section: {key: value}} for key in (old, new))
    assert with_new_names(before) == with_new_names(now) == now
    assert old_names(before) == {f"{section}.{old}": f"{section}.{new}"}
    assert old_names(now) == {}


@pytest.mark.parametrize(("section", "old", "new"), EVERY)
def test_after_set_an_old_name_is_refused_with_the_new_one(section, old, new):
    with pytest.raises(UsageError, match=rf"^Renamed settings: {section}\.{old} is now {section}\.{new}\. Use the new"):
        load_config("quickstart", [f"{section}.{old}={VALUES.get(old, '1')}"])


def test_below_an_old_name_too():
    with pytest.raises(UsageError, match=re.escape("vllm.more is now vllm.extra_args")):
        load_config("quickstart", ["vllm.more.max_num_seqs=64"])


def test_a_file_with_several_old_names_gets_one_message(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "preset: quickstart\nsft: {recompute: true, end_ratio: 0}\nvllm: {memory: 0.5}\n"
    )
    with pytest.raises(UsageError) as caught:
        load_config(str(tmp_path / "mine.yaml"), [])
    assert str(caught.value) == (
        "Renamed settings: sft.recompute is now sft.gradient_checkpointing; sft.end_ratio is now sft.min_lr_rate; "
        "vllm.memory is now vllm.gpu_memory_utilization. Use the new name in your file or in --set."
    )


def test_a_key_under_both_names_stays_to_be_refused():
    both = {"model": "m", "sft": {"recompute": True, "gradient_checkpointing": False}}
    assert with_new_names(both) == both


@given(st.dictionaries(st.text(), st.none() | st.integers() | st.lists(st.text())))
def test_what_is_no_configuration_is_left_as_it_is(data):
    assert with_new_names(data) == data
    assert old_names(data) == {}


RUNS = sorted((ROOT / "results" / "reproductions").glob("*/run.yaml"))


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.parent.name)
def test_the_runs_that_were_made_before_the_settings_were_renamed_are_read(path):
    stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    config = load_config(str(path), [])
    assert config == TrainConfig.model_validate(with_new_names(stored))
    for section, names in RENAMED.items():
        for old, new in names.items():
            if old in stored.get(section, {}):
                assert getattr(getattr(config, section), new) == stored[section][old]


def test_some_of_them_have_old_names():
    assert any(old_names(yaml.safe_load(path.read_text(encoding="utf-8"))) for path in RUNS)


def test_a_copy_of_such_a_file_outside_of_a_run_is_a_users_file(tmp_path):
    path = next(one for one in RUNS if old_names(yaml.safe_load(one.read_text(encoding="utf-8"))))
    (tmp_path / "run.yaml").write_bytes(path.read_bytes())
    with pytest.raises(UsageError, match="Renamed settings: "):
        load_config(str(tmp_path / "run.yaml"), [])
