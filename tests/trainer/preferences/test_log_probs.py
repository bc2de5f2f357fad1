"""How likely a model finds answers: the figures of transformers one at a time, whatever the batch."""

from dataclasses import replace

import pytest
import torch
from trl.trainer.utils import add_fused_lm_head

import trainer.finetune.trl_common
import trainer.preferences.log_probs
from srlm.config import TrainConfig
from srlm.config.finetune import DPOConfig
from srlm.console import Progress
from srlm.runs import start_run
from srlm.types import Answer, Prompt
from trainer.data.sft_examples import Example
from trainer.finetune.tokenize import read
from trainer.preferences.log_probs import likelihoods, log_probabilities
from trainer.session import Session


@pytest.fixture
def session(moved_model, tmp_path):
    """A run whose M0 is the moved model."""

    def make(max_length=2048):
        config = TrainConfig(
            model=str(moved_model), device="cpu", dtype="float32", dpo=DPOConfig(max_length=max_length)
        )
        return Session(config, start_run(tmp_path, f"r{max_length}", config), Progress(quiet=True))

    return make


@pytest.fixture
def answered(pairs):
    """Five instructions with two answers each, and the first answer once more."""
    prompts = [Prompt(pair.prompt_id, pair.prompt, "generated") for pair in pairs[:5]]
    texts = [(pair.prompt_id, text) for pair in pairs[:5] for text in (pair.chosen, pair.rejected, pair.chosen)]
    return prompts, [Answer(f"{key}-c{n % 3}", key, "M0", text, "stop") for n, (key, text) in enumerate(texts)]


def test_each_answer_has_what_transformers_gives_it(session, answered, by_hand, moved_model):
    prompts, answers = answered
    found = likelihoods(session(), "M2", "M0", prompts, answers)
    model = by_hand(moved_model)
    of_prompt = {prompt.id: prompt.instruction for prompt in prompts}
    assert list(found) == [answer.id for answer in answers]
    for answer in answers:
        tokens = model.logps(of_prompt[answer.prompt_id], answer.text)
        one = found[answer.id]
        assert (one.model, one.tokens) == ("M0", len(tokens))
        assert one.logp == pytest.approx(tokens.sum().item(), rel=1e-5)


def test_small_batches_change_nothing_and_the_same_text_is_the_same_to_the_bit(session, answered, monkeypatch):
    prompts, answers = answered
    whole = likelihoods(session(), "M2", "M0", prompts, answers)
    monkeypatch.setattr(trainer.preferences.log_probs, "READ", 64)
    parts = likelihoods(session(2047), "M2", "M0", prompts, answers)
    assert [one.logp for one in parts.values()] == pytest.approx([one.logp for one in whole.values()], rel=1e-5)
    for prompt in prompts:
        assert parts[f"{prompt.id}-c0"].logp == parts[f"{prompt.id}-c2"].logp != parts[f"{prompt.id}-c1"].logp


def test_an_answer_is_cut_where_dpo_cuts_it(session, answered, by_hand, moved_model):
    prompts, answers = answered
    model = by_hand(moved_model)
    prompt, answer = replace(prompts[0], instruction=prompts[0].instruction * 5), answers[1]
    before = len(read(model.tokenizer, Example("", "", prompt.instruction, answer.text)).prompt)
    tokens = model.logps(prompt.instruction, answer.text)
    kept = likelihoods(session(before + 4), "M2", "M0", [prompt], [answer])[answer.id]
    assert kept.tokens == 4 < len(tokens)
    assert kept.logp == pytest.approx(tokens[:4].sum().item(), rel=1e-5)
    gone = likelihoods(session(before), "M2", "M0", [prompt], [answer])[answer.id]
    assert (gone.tokens, gone.logp) == (0, 0)


def test_an_ended_stage_is_read_and_not_computed_again(session, answered, monkeypatch):
    prompts, answers = answered
    run = session()
    before = likelihoods(run, "M2", "M0", prompts, answers)
    monkeypatch.setattr(trainer.finetune.trl_common, "load_for_training", None)
    assert likelihoods(run, "M2", "M0", prompts, answers) == before
    with pytest.raises(TypeError):
        likelihoods(run, "M3", "M0", prompts, answers)


def test_a_lower_precision_is_near(moved_model, by_hand, pairs):
    """Under bfloat16 the weights stay float32, as in training."""
    model = by_hand(moved_model)
    tokens = [read(model.tokenizer, Example("", "", one.prompt, one.chosen)) for one in pairs]
    fused = model.model
    add_fused_lm_head(fused)
    exact, rough = (log_probabilities(fused, tokens, dtype) for dtype in (torch.float32, torch.bfloat16))
    assert rough == pytest.approx(exact, rel=0.02)
    assert rough != exact
