"""The output layer scores only labelled positions; outputs and gradients are those of TRL."""

from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.trainer.utils import add_fused_lm_head

from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.console import Progress
from trainer.finetune.collate import pad_batch
from trainer.finetune.dpo import train_dpo
from trainer.finetune.job import DPOJob, SFTJob
from trainer.finetune.output_head import score_labelled_tokens
from trainer.finetune.sft import train_sft
from trainer.finetune.tokenize import tokenize_example

OUTPUTS = ("log_probs", "entropy", "mean_logits", "is_top1")
SMALL = {
    "per_device_train_batch_size": 8,
    "batch_size": 16,
    "dropout": 0,
    "gradient_checkpointing": False,
    "epochs": 1,
    "save_steps": 0,
}
ALL_TERMS = {"nll_coef": 0.5, "label_smoothing": 0.2, "replay": 6}


@pytest.fixture
def model(tiny_model):
    made = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    add_fused_lm_head(made, outputs=OUTPUTS)
    return made


@pytest.fixture
def batch(tiny_model, examples):
    """Examples like those of a judge: a long prompt before each short answer, of different lengths."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    return pad_batch([tokenize_example(tokenizer, one) for one in examples[:6]])


def passed(model, batch):
    """Return the head's outputs, and the gradients of a loss of log-probabilities and entropy."""
    ids, attention, labels = batch
    model.zero_grad()
    output = model(input_ids=ids, attention_mask=attention, labels=labels, use_cache=False, fused_lm_head=True)
    (output.loss + 0.1 * output.entropy.mean()).backward()
    return output, {name: one.grad.clone() for name, one in model.named_parameters()}


def same_gradients(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-6, atol=1e-6 * gradient.abs().max().item())


def test_every_output_and_every_gradient_is_that_of_trl(model, batch):
    theirs, gradients = passed(model, batch)
    score_labelled_tokens(model)
    ours, own_gradients = passed(model, batch)
    for name in ("loss", *OUTPUTS, "label_mask"):
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-6, atol=1e-6)
    assert all(gradient.abs().max() > 0 for gradient in gradients.values())
    same_gradients(own_gradients, gradients)


def test_the_head_scores_only_labelled_positions(model, batch):
    """Measured in operations of the output layer, because tests measure no time."""
    ids, attention, labels = batch

    def flops():
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(input_ids=ids, attention_mask=attention, labels=labels, use_cache=False, fused_lm_head=True)
        return counter.get_total_flops()

    of_a_position = 2 * model.config.vocab_size * model.config.hidden_size
    every, counted = labels[:, 1:].numel(), int((labels[:, 1:] != -100).sum())
    assert counted < every / 2
    before = flops()
    score_labelled_tokens(model)
    assert before - flops() == of_a_position * (every - counted)


def test_other_models_keep_trls_head(model, tiny_model, batch):
    other = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    add_fused_lm_head(other)
    before = other.forward
    score_labelled_tokens(model)
    assert other.forward == before
    assert model.forward.__func__.__code__ is other.forward.__func__.__code__
    assert model.forward.__func__.__globals__["_use_triton"] is not other.forward.__func__.__globals__["_use_triton"]


def test_a_batch_without_a_label_has_a_loss_of_0(model, batch):
    ids, attention, labels = batch
    score_labelled_tokens(model)
    output = model(
        input_ids=ids, attention_mask=attention, labels=torch.full_like(labels, -100), use_cache=False,
        fused_lm_head=True,
    )  # fmt: skip
    output.loss.backward()
    assert output.loss.item() == 0


@contextmanager
def gradients_of_each_step():
    """Yield a list of the gradients that the optimisers are given, step by step."""
    seen: list[dict[int, torch.Tensor]] = []

    def note(optimiser, *_):
        every = (one for group in optimiser.param_groups for one in group["params"])
        seen.append({number: one.grad.clone() for number, one in enumerate(every) if one.grad is not None})

    hook = register_optimizer_step_pre_hook(note)
    try:
        yield seen
    finally:
        hook.remove()


def preferred(folder: Path, start: Path, pairs, examples, **changes):
    config = DPOConfig(**{**SMALL, "per_device_train_batch_size": 4, "learning_rate": 1e-3, **changes})
    train_dpo(DPOJob(start, folder, pairs, examples, config, "cpu", "float32", 7, "M2"), Progress(quiet=True))


def tuned(folder: Path, start: Path, pairs, examples, **changes):
    config = SFTConfig(**{**SMALL, "learning_rate": 1e-3, **changes})
    train_sft(SFTJob(start, folder, examples[:16], config, "cpu", "float32", 3, "M1"), Progress(quiet=True))


@pytest.mark.parametrize(
    ("train", "changes"),
    [
        pytest.param(tuned, {}, id="sft"),
        pytest.param(tuned, {"lora": {"rank": 4}}, id="sft-lora"),
        pytest.param(preferred, {}, id="dpo"),
        pytest.param(preferred, ALL_TERMS, id="dpo-all-terms"),
        pytest.param(preferred, {"lora": {"rank": 4}}, id="dpo-lora"),
    ],
)
def test_losses_and_gradients_of_a_training_are_those_of_trl(
    train, changes, perturbed_model, pairs, examples, log, tmp_path, monkeypatch
):
    def run(name):
        folder = tmp_path / name / "checkpoint"
        folder.mkdir(parents=True)
        with gradients_of_each_step() as seen:
            train(folder, perturbed_model, tuple(pairs), tuple(examples), **changes)
        return log(folder), seen

    ours, own_gradients = run("ours")
    for module in ("trainer.finetune.sft", "trainer.finetune.dpo_loss"):
        monkeypatch.setattr(f"{module}.score_labelled_tokens", lambda model: None)
    theirs, gradients = run("theirs")
    assert len(own_gradients) == len(gradients) >= 1
    for one, other in zip(own_gradients, gradients, strict=True):
        same_gradients(one, other)
    for one, other in zip(ours, theirs, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-6)
        assert one["grad_norm"] == pytest.approx(other["grad_norm"], rel=1e-6)
