"""Models are gone when a training has ended, without a run of Python's cyclic collector."""

import gc
import weakref
from dataclasses import replace

import pytest

from srlm.config import TrainConfig
from srlm.console import Progress
from srlm.runs import start_run
from srlm.types import Answer, Prompt
from trainer.finetune import dpo, load_model, sft
from trainer.finetune.launch import run_job_in_process
from trainer.preferences.log_probs import answer_log_probs
from trainer.session import Session

QUIET = Progress(quiet=True)


@pytest.fixture
def loaded(monkeypatch):
    """Weak references to the models that were loaded, and to their weights."""
    found = []
    load_for_training = load_model.load_for_training

    def load(*args):
        model, tokenizer = load_for_training(*args)
        found.extend(map(weakref.ref, [model, *model.parameters()]))
        return model, tokenizer

    for module in (dpo, load_model, sft):
        monkeypatch.setattr(module, "load_for_training", load)
    return found


@pytest.fixture
def no_collector():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_model_is_gone_after_its_training(train, loaded, tmp_path):
    train(tmp_path / "checkpoint", epochs=0.5)
    assert len(loaded) > 10
    assert [reference for reference in loaded if reference() is not None] == []


@pytest.mark.usefixtures("no_collector")
def test_a_model_is_gone_after_a_training_with_autocast(sft_job, loaded):
    run_job_in_process(replace(sft_job(epochs=1), dtype="bfloat16"), QUIET)
    assert [reference for reference in loaded if reference() is not None] == []


@pytest.mark.usefixtures("no_collector")
def test_a_model_is_gone_after_it_has_read_answers(perturbed_model, pairs, loaded, tmp_path):
    config = TrainConfig(model=str(perturbed_model), device="cpu", dtype="float32")
    session = Session(config, start_run(tmp_path, "run", config), QUIET)
    prompt, answer = Prompt("p", pairs[0].prompt, "generated"), Answer("a", "p", "M0", pairs[0].chosen, "stop")
    assert len(answer_log_probs(session, "M2", "M0", [prompt], [answer])) == 1
    assert len(loaded) > 10
    assert [reference for reference in loaded if reference() is not None] == []
