"""Where the loop starts: seed data only where something reads it, and no setting without an effect."""

import pytest
import yaml

from srlm.config import TrainConfig
from srlm.config_file import load_config
from srlm.errors import UsageError

MINE = ("model=m", "instructions.source=prompts.jsonl")
WRITTEN = ("model=m", "seeds.source=embedded")


def instruct(*changes, given=MINE):
    return load_config("instruct", [*given, *changes])


def base(*changes):
    return load_config("quickstart", list(changes))


def test_an_instruct_model_has_no_seed_data_unless_they_are_named():
    assert instruct().seeds.source is None
    assert instruct(given=WRITTEN).seeds.source == "embedded"
    assert base().seeds.source == base("start=judge").seeds.source == "embedded"


def test_the_resolved_configuration_resumes_as_it_is():
    for found in (instruct(), instruct(given=WRITTEN), base("start=judge")):
        dumped = yaml.safe_load(yaml.safe_dump(found.model_dump(mode="json")))
        assert TrainConfig.model_validate(dumped) == found


def test_a_run_from_before_the_setting_starts_at_a_base_model():
    data = base().model_dump(mode="json")
    del data["start"]
    assert TrainConfig.model_validate(data) == base()


@pytest.mark.parametrize(
    ("changes", "trained"),
    [((), True), (("start=judge",), False), (("seeds.eft=false",), False), (("sft.baseline=false",), False)],
)
def test_only_a_base_model_has_the_sft_baseline(changes, trained):
    assert base(*changes).trains_baseline is trained


def test_written_instructions_need_seed_data_or_prompts():
    with pytest.raises(UsageError, match=r"instructions\.source; or seed data .* in seeds\.source"):
        load_config("instruct", ["model=m"])
    with pytest.raises(UsageError, match=r"seeds\.source is null"):
        base("seeds.source=null")


@pytest.mark.parametrize(
    ("setting", "given"),
    [
        ("seeds.source=embedded", MINE),
        ("seeds.eft_source=embedded", WRITTEN),
        ("seeds.eft=false", MINE),
        ("seeds.eft_targets=ranks", WRITTEN),
        ("seeds.eft_limit=3", WRITTEN),
        ("seeds.ranked_limit=3", WRITTEN),
        ("seeds.ift_repeats=2", WRITTEN),
        ("seeds.ift_limit=3", MINE),
        ("seeds.validation_limit=3", MINE),
        ("sft.learning_rate=1e-5", MINE),
        ("dpo.replay=4", MINE),
    ],
)
def test_settings_without_an_effect_are_refused(setting, given):
    name = setting.partition("=")[0].replace(".", r"\.")
    with pytest.raises(UsageError, match=rf"start is instruct.*{name} has no effect"):
        instruct(setting, given=given)


@pytest.mark.parametrize("setting", ["seeds.ift_repeats=2", "seeds.eft=false"])
def test_a_judge_learns_from_judgements_alone(setting):
    with pytest.raises(UsageError, match=rf"start is judge.*{setting.partition('=')[0]}"):
        base("start=judge", setting)


def test_settings_that_do_have_an_effect_are_taken():
    assert instruct("seeds.ift_limit=3", "seeds.validation_limit=2", given=WRITTEN).seeds.ift_limit == 3
    best = instruct("learn_from=positives", "pairs.length_rho=null", "sft.learning_rate=1e-5")
    assert best.sft.learning_rate == 1e-5
    assert instruct("sft.baseline=false").sft.baseline is False
    assert instruct("seeds.source=embedded", "instructions.filters=true").seeds.source == "embedded"


def test_held_out_instructions_come_from_seed_data():
    stopping = ("dpo.stopping.judge=smollm2", "dpo.lora.rank=0")
    with pytest.raises(UsageError, match=r"dpo\.stopping\.judge compares answers to its held-out"):
        instruct(*stopping)
    assert instruct(*stopping, "seeds.source=embedded").seeds.source == "embedded"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("judge.frozen=SFT",), "no model SFT is trained: that needs start=base"),
        (("pairs.rejected_from=base", "iterations=1"), r"pairs\.rejected_from=base has no effect"),
        (("pairs.rejected_from=M1", "iterations=1"), r"pairs\.rejected_from=M1 has no effect"),
        (("dpo.label_smoothing=agreement",), "begins with the third iteration, but iterations is 2"),
    ],
)
def test_models_that_are_one_have_no_difference(changes, message):
    with pytest.raises(UsageError, match=message):
        instruct(*changes)
