"""The run directory: stages once, checkpoints whole, and a run that does not change under its user."""

import json
import os
import platform

import pytest
import yaml

from srlm.config import TrainConfig
from srlm.config_file import load_config
from srlm.engines.choice import EngineChoice
from srlm.errors import DataError, RunChanged, UnknownName, UsageError
from srlm.renamed_settings import RENAMED
from srlm.runs import LIBRARIES, Run, manifest, open_run, plan_run, settle_engine, start_run
from srlm.types import Dropped, Reward

CONFIG = load_config("quickstart", [])


@pytest.fixture
def run(tmp_path):
    return start_run(tmp_path / "runs", "first", CONFIG)


def save(folder):
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text("weights")


# --- the engine -------------------------------------------------------------------------------------------------------


@pytest.fixture
def said(monkeypatch):
    """What is said of the choice, on a machine where it is vLLM."""
    monkeypatch.setattr("srlm.runs.choose_engine", lambda device: EngineChoice("vllm", "Engine: vLLM."))
    return []


def test_a_new_run_takes_the_engine_of_the_machine_and_keeps_it(said, tmp_path, monkeypatch):
    planned = plan_run(tmp_path / "runs", "new", CONFIG)
    settled = settle_engine(CONFIG, planned, said.append)
    assert (settled.engine, said) == ("vllm", ["Engine: vLLM."])
    run = start_run(tmp_path / "runs", "new", settled)
    assert run.config.engine == "vllm"
    monkeypatch.setattr("srlm.runs.choose_engine", lambda device: EngineChoice("hf"))  # another machine
    assert start_run(tmp_path / "runs", "new", settle_engine(CONFIG, run, said.append)).config.engine == "vllm"
    assert len(said) == 1
    with pytest.raises(RunChanged, match="engine vllm -> hf"):
        start_run(tmp_path / "runs", "new", settle_engine(load_config("quickstart", ["engine=hf"]), run, said.append))


def test_an_engine_that_is_named_is_taken(said, tmp_path):
    config = load_config("quickstart", ["engine=hf"])
    assert settle_engine(config, plan_run(tmp_path / "runs", "new", config), said.append) is config
    assert said == []


def test_a_run_from_before_the_setting_goes_on_with_transformers(run, said, tmp_path):
    stored = run.folder / "run.yaml"
    data = yaml.safe_load(stored.read_text())
    for before in ({"engine": "hf"}, {}):
        stored.write_text(yaml.safe_dump({key: value for key, value in data.items() if key != "engine"} | before))
        settled = settle_engine(CONFIG, run, said.append)
        assert start_run(tmp_path / "runs", "first", settled).config.engine == "hf"
    assert said == []


def test_a_run_that_no_model_has_answered_in_may_still_take_its_engine(run, said, tmp_path):
    assert run.config.engine == "auto"  # as a folder of evaluations, or a run that a program of the user's has begun
    assert start_run(tmp_path / "runs", "first", settle_engine(CONFIG, run, said.append)).config.engine == "vllm"


# --- starting and going on --------------------------------------------------------------------------------------------


def test_a_new_run_writes_its_configuration_and_manifest(run):
    assert TrainConfig.model_validate(yaml.safe_load((run.folder / "run.yaml").read_text())) == CONFIG == run.config
    stored = json.loads((run.folder / "manifest.json").read_text())
    assert set(stored["versions"]) == set(LIBRARIES)
    assert run.worked is False


def test_the_manifest_names_nobody():
    found = manifest()
    assert found.keys() == {"schema", "python", "system", "versions"}
    assert found["system"] == f"{platform.system()} {platform.machine()}"


def test_the_same_configuration_goes_on(run, tmp_path):
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    again = start_run(tmp_path / "runs", "first", load_config("quickstart", ["dpo.learning_rate=1e-5"]))
    assert {path.name: path.read_bytes() for path in again.folder.iterdir()} == before
    assert again.worked is False


def test_another_configuration_is_refused_with_its_keys(run, tmp_path):
    with pytest.raises(RunChanged, match=r"dpo\.beta 0\.1 -> 0\.2; seed 0 -> 4") as caught:
        start_run(tmp_path / "runs", "first", load_config("quickstart", ["dpo.beta=0.2", "seed=4"]))
    assert str(run.folder) in str(caught.value)
    assert run.config == CONFIG


def test_a_run_from_before_a_setting_came_goes_on_with_its_default(run, tmp_path):
    stored = run.folder / "run.yaml"
    data = yaml.safe_load(stored.read_text())
    del data["learn_from"], data["positives"]
    stored.write_text(yaml.safe_dump(data))
    before = stored.read_bytes()
    assert start_run(tmp_path / "runs", "first", CONFIG).folder == run.folder
    assert stored.read_bytes() == before
    with pytest.raises(RunChanged, match="learn_from pairs -> positives"):
        start_run(tmp_path / "runs", "first", load_config("quickstart", ["learn_from=positives"]))


def under_old_names(run):
    """Write the run's settings as the version before the renaming called them; return the bytes."""
    data = yaml.safe_load((run.folder / "run.yaml").read_text())
    for section, names in RENAMED.items():
        old_of = {new: old for old, new in names.items()}
        data[section] = {old_of.get(key, key): value for key, value in data[section].items()}
    (run.folder / "run.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return (run.folder / "run.yaml").read_bytes()


def test_a_run_from_before_settings_were_renamed_is_equal_and_goes_on(run, tmp_path):
    before = under_old_names(run)
    assert b"micro_batch_size" in before
    assert run.config == CONFIG
    assert run.model("M0") == CONFIG.model
    assert start_run(tmp_path / "runs", "first", CONFIG).config == CONFIG
    own = load_config(str(run.folder / "run.yaml"), [])
    assert start_run(tmp_path / "runs", "first", own).config == CONFIG
    assert (run.folder / "run.yaml").read_bytes() == before


def test_such_a_run_is_refused_another_value_by_the_new_name(run, tmp_path):
    before = under_old_names(run)
    for section, change in (("sft", "min_lr_rate=0.5"), ("vllm", "gpu_memory_utilization=0.5")):
        key, value = change.split("=")
        with pytest.raises(RunChanged, match=rf"\({section}\.{key} 0\.\d -> {value}\)"):
            start_run(tmp_path / "runs", "first", load_config("quickstart", [f"{section}.{change}"]))
    assert (run.folder / "run.yaml").read_bytes() == before


def test_such_a_run_takes_a_setting_of_the_machine_and_has_the_new_names_then(run, tmp_path):
    under_old_names(run)
    changed = load_config("quickstart", ["dpo.per_device_train_batch_size=1"])
    assert start_run(tmp_path / "runs", "first", changed).config == changed
    assert yaml.safe_load((run.folder / "run.yaml").read_text()) == changed.model_dump(mode="json") | {"report_to": []}


def test_a_run_with_a_setting_under_both_names_is_damaged(run):
    stored = run.folder / "run.yaml"
    data = yaml.safe_load(stored.read_text())
    data["sft"]["recompute"] = False
    stored.write_text(yaml.safe_dump(data))
    with pytest.raises(DataError, match=r"run\.yaml.*recompute"):
        _ = run.config


def test_a_setting_of_the_machine_may_change_on_the_way(run, tmp_path):
    changed = load_config(
        "quickstart", ["dpo.learning_rate=1e-5", "dpo.per_device_train_batch_size=1", "sft.save_steps=0"]
    )
    assert start_run(tmp_path / "runs", "first", changed).config == changed
    with pytest.raises(RunChanged, match=r"\(dpo\.beta 0\.1 -> 0\.2\)"):
        start_run(tmp_path / "runs", "first", load_config("quickstart", ["dpo.learning_rate=1e-5", "dpo.beta=0.2"]))


def test_what_a_training_goes_on_from_is_gone_when_its_checkpoint_is_there(run):
    def produce(folder):
        (folder.parent / "training" / "step-2").mkdir(parents=True, exist_ok=True)
        (folder / "model.safetensors").touch()

    for _ in range(2):
        assert run.checkpoint("M1", produce) == run.folder / "M1" / "checkpoint"
        assert [path.name for path in (run.folder / "M1").iterdir()] == ["checkpoint"]
        (run.folder / "M1" / "training").mkdir()  # as a kill between the two would leave it
    run.checkpoint("M1", produce)
    assert not (run.folder / "M1" / "training").exists()


def test_a_start_that_was_killed_before_run_yaml_is_started_anew(run, tmp_path):
    (run.folder / "run.yaml").unlink()
    assert start_run(tmp_path / "runs", "first", CONFIG).config == CONFIG


# --- finding ----------------------------------------------------------------------------------------------------------


def test_no_run_says_how_to_start_one(tmp_path):
    with pytest.raises(UsageError, match=r"There is no run in .*srlm train"):
        open_run(tmp_path, None)
    with pytest.raises(UsageError, match="srlm train"):
        open_run(tmp_path / "nowhere", "first")


def test_a_run_by_name_and_the_one_touched_last(run, tmp_path):
    root = tmp_path / "runs"
    second = start_run(root, "second", CONFIG)
    for age, one in ((100, run), (0, second)):
        for path in (one.folder, one.folder / "run.yaml"):
            os.utime(path, (2e9 - age, 2e9 - age))
    assert open_run(root, None).name == "second"
    assert open_run(root, "first").folder == run.folder
    os.utime(run.folder, (2e9 + 5, 2e9 + 5))
    assert open_run(root, None).name == "first"
    with pytest.raises(
        UnknownName, match=r"the run 'frist' does not exist. Did you mean 'first'\? There are: first, second"
    ):
        open_run(root, "frist")


# --- stages -----------------------------------------------------------------------------------------------------------


def test_a_stage_is_computed_once(run):
    made = []

    def produce():
        made.append(1)
        yield from (Dropped("a", "x"), Dropped("b", "y"))

    first = run.stage("M2/dropped", Dropped, produce)
    assert run.worked
    assert Run(run.folder).stage("M2/dropped", Dropped, produce) == first == [Dropped("a", "x"), Dropped("b", "y")]
    assert made == [1]
    assert run.path("M2/dropped") == run.folder / "M2" / "dropped.jsonl"


def test_a_stage_without_records_has_ended_too(run):
    assert run.stage("M2/dropped", Dropped, list) == []
    assert run.stage("M2/dropped", Dropped, lambda: pytest.fail("computed again")) == []


def test_reading_ended_stages_is_no_work(run):
    run.stage("M2/dropped", Dropped, lambda: [Dropped("a", "x")])
    again = Run(run.folder)
    again.stage("M2/dropped", Dropped, list)
    assert again.worked is False


def test_a_stage_that_fails_has_not_ended(run):
    def broken():
        yield Dropped("a", "x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.stage("M2/dropped", Dropped, broken)
    assert not run.path("M2/dropped").exists()
    assert run.stage("M2/dropped", Dropped, lambda: [Dropped("b", "y")]) == [Dropped("b", "y")]


def test_a_run_with_an_answer_that_nobody_could_score_goes_on(run):
    rewards = [Reward("M2-p0000-c0", None, None, 0, 2, 0), Reward("M2-p0000-c1", 3.0, 0.0, 1, 0, 0)]
    run.stage("M2/rewards", Reward, lambda: rewards)
    assert Run(run.folder).stage("M2/rewards", Reward, list) == rewards


# --- checkpoints ------------------------------------------------------------------------------------------------------


def test_a_checkpoint_takes_its_name_only_when_whole(run):
    seen = []

    def produce(folder):
        seen.append((folder.name, (run.folder / "M1" / "checkpoint").exists(), run.models()))
        save(folder)

    final = run.checkpoint("M1", produce)
    assert seen == [("checkpoint.unfinished", False, ["M0"])]
    assert sorted(path.name for path in final.iterdir()) == ["config.json", "model.safetensors"]
    assert [path.name for path in (run.folder / "M1").iterdir()] == ["checkpoint"]
    assert run.checkpoint("M1", lambda folder: pytest.fail("trained again")) == final


def test_a_checkpoint_that_was_killed_is_made_anew_from_nothing(run):
    def killed(folder):
        (folder / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.checkpoint("M1", killed)
    assert run.models() == ["M0"]
    with pytest.raises(UnknownName):
        run.model("M1")
    assert [path.name for path in run.checkpoint("M1", save).iterdir() if path.name == "half"] == []


def test_models_stand_in_the_order_of_training(run):
    for name in ("M10", "M2", "SFT", "M1"):
        run.checkpoint(name, save)
    assert run.models() == ["M0", "SFT", "M1", "M2", "M10"]
    assert run.model("M2") == str(run.folder / "M2" / "checkpoint")
    assert run.model("M0") == CONFIG.model


def test_an_unknown_model_lists_those_there_are(run):
    run.checkpoint("M1", save)
    with pytest.raises(UnknownName, match=r"In the run first, the model 'M3' does not exist\..*There are: M0, M1\."):
        run.model("M3")


def test_the_ledger_is_opened_when_it_is_needed(run):
    assert not (run.folder / "ledger.sqlite").exists()
    run.close()
    assert run.ledger.count() == 0
    assert run.ledger is run.ledger
    run.close()
