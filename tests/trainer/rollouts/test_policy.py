"""The policy in training as an engine: it answers as the engine of its checkpoint, and is the trainer's afterwards."""

from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from helpers.tiny_models import ask, replies
from srlm.engines.hf import HFEngine
from srlm.engines.load import load_model
from srlm.types import Message, Request
from trainer.rollouts.policy import PolicyEngine


@pytest.fixture
def trainer(tiny_model):
    model = load_model(tiny_model, torch.float32, "cpu")
    model.train()
    model.gradient_checkpointing_enable()
    # The precision of the process's first accelerator, perhaps another test's, would be that of all later ones.
    AcceleratorState._reset_state()
    accelerator = Accelerator(cpu=True, mixed_precision="no")
    return SimpleNamespace(model=model, model_wrapped=accelerator.prepare(model), accelerator=accelerator)


@pytest.fixture
def policy(tiny_model, trainer):
    settings = {"device": "cpu", "dtype": "float32", "batch_tokens": None, "thoughts": "closed"}
    engine = PolicyEngine(tiny_model, name="M2 in training", training="abc", **settings)
    engine.attach(trainer)
    engine.begin_step(1)
    return engine


def requests():
    text = "Grade the response from 0 to 5, in the light of what was asked. "
    sampled = [ask(f"{text}{end}", sample) for end in ("one", "two words", "three") for sample in range(2)]
    choices = [
        Request((Message("user", f"{text}{end}"),), prefill="Score: ", choices=("0", "1", "2")) for end in ("a", "b")
    ]
    return [*sampled, *choices]


def test_it_answers_as_the_engine_of_its_weights(policy, trainer, tiny_model):
    expected = HFEngine(tiny_model, name="M1", device="cpu", dtype="float32")
    for mine, theirs in zip(replies(policy, requests()), replies(expected, requests()), strict=True):
        assert mine.text == theirs.text
        if theirs.probabilities:
            assert mine.probabilities == pytest.approx(theirs.probabilities, abs=1e-6)
    with torch.no_grad():
        trainer.model.lm_head.weight.mul_(-1)
    assert [one.text for one in replies(policy, requests())] != [one.text for one in replies(expected, requests())]


def test_the_model_is_the_trainers_between_two_batches(policy, trainer):
    before = trainer.model.config._attn_implementation
    for _ in policy.run([requests()[:2], requests()[2:4]]):
        assert trainer.model.training
        assert trainer.model.config._attn_implementation == before
        assert all(weight.requires_grad for weight in trainer.model.parameters())
    ids = torch.tensor([[5, 6, 7, 8]])
    trainer.model(input_ids=ids, labels=ids).loss.backward()
    assert trainer.model.lm_head.weight.grad.abs().sum() > 0


def test_each_step_has_calls_of_its_own(policy, tiny_model):
    first = policy.identity
    policy.begin_step(2)
    assert policy.identity != first
    assert first.startswith(HFEngine(tiny_model, name="M1", device="cpu", dtype="float32").identity)


def test_it_answers_under_mixed_precision(tiny_model):
    """Autocast gives keys and values of different precisions, of which the cache has to take both."""
    model = load_model(tiny_model, torch.float32, "cpu")
    accelerator = SimpleNamespace(unwrap_model=lambda one: one, autocast=lambda: torch.autocast("cpu", torch.bfloat16))
    engine = PolicyEngine(
        tiny_model, name="M2", training="abc", device="cpu", dtype="bfloat16", batch_tokens=None, thoughts="closed"
    )
    engine.attach(SimpleNamespace(model=model, model_wrapped=model, accelerator=accelerator))
    engine.begin_step(1)
    expected = HFEngine(tiny_model, name="M1", device="cpu", dtype="float32")
    for mine, theirs in zip(replies(engine, requests()), replies(expected, requests()), strict=True):
        assert mine.completion_tokens
        if theirs.probabilities:
            assert mine.probabilities == pytest.approx(theirs.probabilities, abs=0.02)
