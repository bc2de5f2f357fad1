"""Text embeddings: the mean over a text's own tokens, independent of its batch."""

import numpy as np
import pytest

pytest.importorskip("torch")

from srlm.engines.embedding import MAX_TOKENS, embed
from srlm.errors import ModelError

TEXTS = ["Name three colours of a flag.", "", "Red", "Why is the sky blue? " * 20, "Red"]


@pytest.fixture(scope="module")
def found(tiny_model):
    return embed(tiny_model, TEXTS, device="cpu", dtype="float32")


def test_a_vector_is_the_mean_of_the_last_states(tiny_model, found):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    for text, vector in zip(TEXTS, found, strict=True):
        if text:
            ids = tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids[:, :MAX_TOKENS]
            with torch.inference_mode():
                states = model(ids, output_hidden_states=True).hidden_states[-1][0]
            assert np.allclose(states.mean(0).numpy(), vector, atol=1e-5)


def test_an_empty_text_is_nothing_and_equal_ones_are_equal(found):
    assert not found[1].any()
    assert np.allclose(found[2], found[4], atol=1e-6)
    assert not np.allclose(found[0], found[2], atol=1e-2)


def test_each_text_is_counted_once(tiny_model):
    ticks = []
    embed(tiny_model, TEXTS, device="cpu", dtype="float32", on_progress=lambda: ticks.append(1))
    assert len(ticks) == len(TEXTS)


def test_a_folder_without_a_model_is_said(tmp_path):
    with pytest.raises(ModelError):
        embed(tmp_path, TEXTS)
