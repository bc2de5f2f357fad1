"""M1 as the given model: named in the run, opened from its own place, and watched for changes."""

import shutil

import pytest

from srlm.config_file import load_config
from srlm.console import Progress
from srlm.errors import ModelError
from srlm.runs import start_run
from trainer.given_model import use_given_model
from trainer.session import Session


@pytest.fixture
def session(tiny_model, tmp_path):
    model = shutil.copytree(tiny_model, tmp_path / "model")
    config = load_config("instruct", [f"model={model}", "instructions.source=prompts.jsonl"])
    return Session(config, start_run(tmp_path / "runs", "r", config), Progress(quiet=True))


def finish(session):
    for model in ("M2", "M3"):
        (session.run.folder / model / "checkpoint").mkdir(parents=True)


def test_m1_is_a_model_of_the_run_at_the_place_of_m0(session):
    assert session.run.models() == ["M0"]
    use_given_model(session)
    finish(session)
    run = session.run
    assert run.models() == ["M0", "M1", "M2", "M3"]
    assert run.model("M1") == run.model("M0") == session.config.model
    assert session.folder("M1") == session.folder("M0")
    assert [run.is_given(model) for model in run.models()] == [True, True, False, False]


def test_a_model_that_changes_under_a_run_is_refused(session):
    use_given_model(session)
    before = session.run.path("M1/given").read_bytes()
    with (session.folder("M0") / "config.json").open("a") as file:
        file.write("\n")
    with pytest.raises(ModelError, match="is not the model that this run started from"):
        use_given_model(session)
    assert session.run.path("M1/given").read_bytes() == before


def test_a_finished_run_does_not_need_the_model(session):
    use_given_model(session)
    finish(session)
    shutil.rmtree(session.config.model)
    use_given_model(session)
