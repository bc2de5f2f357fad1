"""From a file to a configuration: presets, files, --set, and messages that name the key."""

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from srlm.config import TrainConfig
from srlm.config_file import differences, load_config, preset_names
from srlm.errors import UnknownName, UsageError


def config(*changes):
    return load_config("quickstart", list(changes))


def written(folder, text, name="run.yaml"):
    path = folder / name
    path.write_text(text)
    return str(path)


def test_every_preset_loads_and_survives_its_own_yaml():
    assert "quickstart" in preset_names()
    # What the preset leaves to the user: the model and the prompts.
    given = {"instruct": ["model=m", "instructions.source=prompts.jsonl"]}
    for name in preset_names():
        resolved = load_config(name, given.get(name, []))
        dumped = yaml.safe_load(yaml.safe_dump(resolved.model_dump(mode="json")))
        assert TrainConfig.model_validate(dumped) == resolved
        assert differences(dumped, resolved.model_dump(mode="json")) == []


# --- --set ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("dpo.beta=0.2", 0.2),
        ("dpo.learning_rate=1e-6", 1e-6),
        ("dpo.learning_rate=1E-6", 1e-6),
        ("dpo.learning_rate=1.0e-6", 1e-6),
        ("dpo.learning_rate=.5", 0.5),
        ("instructions.count=1e3", 1000),
        ("seed=7", 7),
        ("sft.baseline=false", False),
        ("sft.baseline=no", False),
        ("seeds.ift_limit=null", None),
        ("seeds.ift_limit=", None),
        ("seeds.source=oasst:OWNER/NAME", "oasst:OWNER/NAME"),
        ("seeds.source=/data/seeds=2", "/data/seeds=2"),
        ("judge.sampling.temperature=0", 0),
        ("judge.scoring=expected", "expected"),
        ("model=hf:OWNER/NAME", "hf:OWNER/NAME"),
    ],
)
def test_set_forms(change, value):
    found = config(change)
    for part in change.partition("=")[0].split("."):
        found = getattr(found, part)
    assert found == value
    assert type(found) in {type(value), float}


@settings(deadline=None)
@given(st.floats(1e-9, 1e3))
def test_any_learning_rate_can_be_set(rate):
    assert config(f"dpo.learning_rate={rate}").dpo.learning_rate == rate


def test_a_change_leaves_the_other_keys_alone_and_the_last_one_counts():
    before = config().model_dump()
    after = config("dpo.beta=0.3", "dpo.beta=0.2", "judge.sampling.top_p=0.5").model_dump()
    assert differences(before, after) == ["dpo.beta 0.1 -> 0.2", "judge.sampling.top_p 0.9 -> 0.5"]
    assert differences(before, config().model_dump()) == []


@pytest.mark.parametrize("change", ["dpo.beta", "=0.2", "", "dpo.beta 0.2"])
def test_a_change_without_key_or_value_says_the_form(change):
    with pytest.raises(UsageError, match=r"not of the form key=value, such as dpo\.beta=0\.2"):
        config(change)


@pytest.mark.parametrize("change", ["model.size=1", "seeds.ift_limit.x=1", "iterations.x=1"])
def test_a_value_has_no_keys(change):
    section = change.partition("=")[0].split(".")[-2]
    with pytest.raises(UsageError, match=rf"{section} is a value, not a section"):
        config(change)


@pytest.mark.parametrize("change", ["dpo.beta=[", "seed={", "sft.baseline=@x", "judge.sampling.top_p=*", "dpo={"])
def test_a_value_that_is_no_yaml_is_a_usage_error(change):
    key, _, value = change.partition("=")
    with pytest.raises(UsageError, match=rf"^Configuration {re.escape(key)}: .*, not {re.escape(repr(value))}\.$"):
        config(change)


@pytest.mark.parametrize("change", ["model=@x", "judge.rubric=*", "model={", "seeds.source='x"])
def test_a_value_that_is_no_yaml_is_text_where_text_is_wanted(change):
    key, _, value = change.partition("=")
    found = config(change)
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_an_unknown_key_names_its_neighbours():
    with pytest.raises(UsageError) as caught:
        config("dpo.betta=0.2")
    assert "'dpo.betta' does not exist. Did you mean 'dpo.beta'?" in str(caught.value)
    assert "dpo.learning_rate" in str(caught.value)
    assert "sft." not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        ("iteration=1", "iterations"),
        ("judge.sampling.temprature=1", "judge.sampling.temperature"),
        ("dopo.beta=1", "dpo"),
    ],
)
def test_unknown_keys_at_every_depth(change, meant):
    with pytest.raises(UsageError, match=rf"Did you mean '{re.escape(meant)}'\?"):
        config(change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("dpo.beta=0", "Configuration dpo.beta: input should be greater than 0, not 0"),
        ("dpo.beta=-1", "Configuration dpo.beta: input should be greater than 0, not -1"),
        ("dpo.beta=nan", "Configuration dpo.beta"),
        ("dpo.beta=x", "Configuration dpo.beta: input should be a valid number"),
        ("candidates=1", "Configuration candidates: input should be greater than or equal to 2, not 1"),
        ("candidates=2.5", "Configuration candidates: input should be a valid integer"),
        ("seed=-1", "Configuration seed"),
        ("candidate_sampling.top_p=0", "Configuration candidate_sampling.top_p"),
        ("candidate_sampling.top_p=1.1", "Configuration candidate_sampling.top_p"),
        ("judge.scoring=guess", "Configuration judge.scoring: input should be 'sampled' or 'expected', not 'guess'"),
        ("dpo=0.2", "Configuration dpo: "),
        (
            "instructions.min_words=200",
            "Configuration as a whole: instructions.min_words is above instructions.max_words",
        ),
        ("model=null", "Configuration model: input should be a valid string"),
    ],
)
def test_bad_values_name_their_key(change, message):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}"):
        config(change)


@pytest.mark.parametrize(
    "change", ["dpo.beta=inf", "sft.epochs=.inf", "dpo.learning_rate=1e999", "candidate_sampling.temperature=inf"]
)
def test_infinity_is_no_setting(change):
    with pytest.raises(UsageError):
        config(change)


# --- presets and files ------------------------------------------------------------------------------------------------


def test_an_unknown_preset_names_the_presets():
    with pytest.raises(UnknownName, match=r"'quickstrat' does not exist. Did you mean 'quickstart'\?.*ends in \.yaml"):
        load_config("quickstrat", [])


@pytest.mark.parametrize("name", ["none.yaml", "folder/none", "none.yml"])
def test_a_file_that_is_not_there(name):
    with pytest.raises(UsageError, match=r"does not exist. Give a YAML file, or a preset: .*quickstart"):
        load_config(name, [])


def test_a_file_that_changes_a_preset(tmp_path):
    path = written(tmp_path, "preset: quickstart\ndpo: {beta: 0.5}\njudge: {sampling: {temperature: 0.1}}\n")
    found = load_config(path, ["seed=9"])
    assert differences(config().model_dump(), found.model_dump()) == [
        "dpo.beta 0.1 -> 0.5",
        "judge.sampling.temperature 0.7 -> 0.1",
        "seed 0 -> 9",
    ]


def test_inheritance_goes_through_several_files(tmp_path):
    middle = written(tmp_path, "preset: quickstart\nseed: 1\ndpo: {beta: 0.5, epochs: 2}\n", "middle.yaml")
    top = written(tmp_path, f"preset: {middle}\ndpo: {{beta: 0.6}}\n", "top.yaml")
    found = load_config(top, [])
    assert (found.seed, found.dpo.beta, found.dpo.epochs, found.dpo.max_length) == (1, 0.6, 2, 512)


def test_a_file_of_ones_own_needs_no_preset(tmp_path):
    found = load_config(written(tmp_path, "model: /m\nsft: {learning_rate: 1e-5}\n"), [])
    assert found == TrainConfig(model="/m", sft=found.sft)
    assert found.sft.learning_rate == 1e-5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [\n", r"run\.yaml, line 2: not YAML"),
        ("model: m\n\tseed: 1\n", r"run\.yaml, line 2: not YAML"),
        ("- model\n", r"run\.yaml: a mapping of keys to values is expected"),
        ("", r"run\.yaml: a mapping of keys to values is expected"),
        ("seed: 1\n", r"The configuration names no model. Add to your file: model: hf:OWNER/NAME"),
        ("preset: none\n", r"The preset 'none' does not exist"),
        ("model: m\nsed: 1\n", r"'sed' does not exist. Did you mean 'seed'\?"),
        ("model: m\n1: 2\n", r"Configuration 1: "),
    ],
)
def test_broken_files_are_users_mistakes(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        load_config(written(tmp_path, text), [])


def test_a_base_is_found_beside_the_file_that_names_it(tmp_path):
    written(tmp_path, "model: m\nseed: 5\n", "base.yaml")
    assert load_config(written(tmp_path, "preset: base.yaml\n"), []).seed == 5


def test_a_file_that_inherits_from_itself(tmp_path):
    with pytest.raises(UsageError):
        load_config(written(tmp_path, f"preset: {tmp_path}/run.yaml\nmodel: m\n"), [])


def test_a_file_that_is_not_utf_8(tmp_path):
    (tmp_path / "run.yaml").write_bytes(b"model: \xff\n")
    with pytest.raises(UsageError):
        load_config(str(tmp_path / "run.yaml"), [])


# --- differences ------------------------------------------------------------------------------------------------------


def test_differences_name_keys_in_order():
    old = {"b": 1, "a": {"x": 1, "y": {"z": [1]}}, "gone": 2, "none": None}
    new = {"b": 2, "a": {"x": 1, "y": {"z": [2]}}, "new": 3}
    assert differences(old, new) == ["a.y.z [1] -> [2]", "b 1 -> 2", "gone 2 -> None", "new None -> 3"]


@settings(deadline=None)
@given(st.recursive(st.integers(), lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=8))
def test_nothing_differs_from_itself(value):
    assert differences({"k": value}, {"k": value}) == []
