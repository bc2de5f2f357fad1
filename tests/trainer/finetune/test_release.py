"""Models are gone when a training has ended, without a run of Python's cyclic collector."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch

from srlm.config import TrainConfig
from srlm.console import Progress
from srlm.runs import start_run
from srlm.types import Answer, Prompt
from trainer.finetune import load_model
from trainer.finetune.launch import run_job_in_process
from trainer.preferences.log_probs import answer_log_probs
from trainer.session import Session

QUIET = Progress(quiet=True)


@pytest.fixture
def loaded(monkeypatch):
    """Weak references to the models that were loaded, and to their weights."""
    found = []
    original = load_model.load_model

    def load(*args, **settings):
        model = original(*args, **settings)
        found.extend(map(weakref.ref, [model, *model.parameters()]))
        return model

    monkeypatch.setattr(load_model, "load_model", load)
    return found


def alive(references):
    return [one for one in references if one() is not None]


@pytest.fixture
def no_collector():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_model_is_gone_after_its_training(train, loaded, tmp_path):
    train(tmp_path / "checkpoint", epochs=0.5)
    assert len(loaded) > 10
    assert alive(loaded) == []


@pytest.mark.usefixtures("no_collector")
def test_a_model_is_gone_after_a_training_with_autocast(sft_job, loaded):
    run_job_in_process(replace(sft_job(epochs=1), dtype="bfloat16"), QUIET)
    assert alive(loaded) == []


@pytest.mark.usefixtures("no_collector")
def test_a_model_is_gone_after_it_has_read_answers(perturbed_model, pairs, loaded, tmp_path, monkeypatch):
    """On a GPU torch's cache of its memory is emptied then, and not while the model is still there."""
    left = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(gc, "collect", lambda: None)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: left.append(alive(loaded)))
    config = TrainConfig(model=str(perturbed_model), device="cpu", dtype="float32")
    session = Session(config, start_run(tmp_path, "run", config), QUIET)
    prompt, answer = Prompt("p", pairs[0].prompt, "generated"), Answer("a", "p", "M0", pairs[0].chosen, "stop")
    assert len(answer_log_probs(session, "M2", "M0", [prompt], [answer])) == 1
    assert len(loaded) > 10
    assert alive(loaded) == []
    assert left == [[]]
