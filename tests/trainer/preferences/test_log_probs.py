"""Log-probabilities of answers equal those of transformers, one at a time, for any batch size."""

from dataclasses import replace

import pytest
import torch
from trl.trainer.utils import add_fused_lm_head

import trainer.finetune.load_model
import trainer.preferences.log_probs
from srlm.config import TrainConfig
from srlm.config.finetune import DPOConfig
from srlm.console import Progress
from srlm.runs import start_run
from srlm.types import Answer, Prompt, SFTExample
from trainer.finetune.tokenize import tokenize_example
from trainer.preferences.log_probs import answer_log_probs, batch_log_probs
from trainer.session import Session


@pytest.fixture
def session(perturbed_model, tmp_path):
    """A run whose M0 is the perturbed model."""

    def make(max_length=2048):
        config = TrainConfig(
            model=str(perturbed_model), device="cpu", dtype="float32", dpo=DPOConfig(max_length=max_length)
        )
        return Session(config, start_run(tmp_path, f"r{max_length}", config), Progress(quiet=True))

    return make


@pytest.fixture
def answered(pairs):
    """Five prompts with two answers each, and the first answer once more."""
    prompts = [Prompt(pair.prompt_id, pair.prompt, "generated") for pair in pairs[:5]]
    texts = [(pair.prompt_id, text) for pair in pairs[:5] for text in (pair.chosen, pair.rejected, pair.chosen)]
    return prompts, [Answer(f"{key}-c{n % 3}", key, "M0", text, "stop") for n, (key, text) in enumerate(texts)]


def test_each_log_prob_is_that_of_transformers(session, answered, by_hand, perturbed_model):
    prompts, answers = answered
    found = answer_log_probs(session(), "M2", "M0", prompts, answers)
    model = by_hand(perturbed_model)
    of_prompt = {prompt.id: prompt.instruction for prompt in prompts}
    assert list(found) == [answer.id for answer in answers]
    for answer in answers:
        tokens = model.logps(of_prompt[answer.prompt_id], answer.text)
        one = found[answer.id]
        assert (one.model, one.tokens) == ("M0", len(tokens))
        assert one.logp == pytest.approx(tokens.sum().item(), rel=1e-5)


def test_batch_size_has_no_effect_and_equal_texts_are_equal_to_the_bit(session, answered, monkeypatch):
    prompts, answers = answered
    whole = answer_log_probs(session(), "M2", "M0", prompts, answers)
    monkeypatch.setattr(trainer.preferences.log_probs, "MAX_BATCH_TOKENS", 64)
    parts = answer_log_probs(session(2047), "M2", "M0", prompts, answers)
    assert [one.logp for one in parts.values()] == pytest.approx([one.logp for one in whole.values()], rel=1e-5)
    for prompt in prompts:
        assert parts[f"{prompt.id}-c0"].logp == parts[f"{prompt.id}-c2"].logp != parts[f"{prompt.id}-c1"].logp


def test_an_answer_is_truncated_as_in_dpo(session, answered, by_hand, perturbed_model):
    prompts, answers = answered
    model = by_hand(perturbed_model)
    prompt, answer = replace(prompts[0], instruction=prompts[0].instruction * 5), answers[1]
    before = len(tokenize_example(model.tokenizer, SFTExample("", "", prompt.instruction, answer.text)).prompt)
    tokens = model.logps(prompt.instruction, answer.text)
    kept = answer_log_probs(session(before + 4), "M2", "M0", [prompt], [answer])[answer.id]
    assert kept.tokens == 4 < len(tokens)
    assert kept.logp == pytest.approx(tokens[:4].sum().item(), rel=1e-5)
    gone = answer_log_probs(session(before), "M2", "M0", [prompt], [answer])[answer.id]
    assert (gone.tokens, gone.logp) == (0, 0)


def test_an_ended_stage_is_read_and_not_computed_again(session, answered, monkeypatch):
    prompts, answers = answered
    run = session()
    before = answer_log_probs(run, "M2", "M0", prompts, answers)
    monkeypatch.setattr(trainer.finetune.load_model, "load_for_training", None)
    assert answer_log_probs(run, "M2", "M0", prompts, answers) == before
    with pytest.raises(TypeError):
        answer_log_probs(run, "M3", "M0", prompts, answers)


def test_bfloat16_is_close(perturbed_model, by_hand, pairs):
    """Under bfloat16 the weights stay float32, as in training."""
    model = by_hand(perturbed_model)
    tokens = [tokenize_example(model.tokenizer, SFTExample("", "", one.prompt, one.chosen)) for one in pairs]
    fused = model.model
    add_fused_lm_head(fused)
    exact, rough = (batch_log_probs(fused, tokens, dtype) for dtype in (torch.float32, torch.bfloat16))
    assert rough == pytest.approx(exact, rel=0.02)
    assert rough != exact
