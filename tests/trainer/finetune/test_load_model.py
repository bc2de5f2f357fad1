"""Loading the model of a training: dropout settings, and a model whose weights another process sends."""

import resource

import pytest
import torch
from transformers import AutoConfig

from srlm.errors import ModelError
from trainer.finetune.load_model import allocate_model, dropout_settings, load_for_training


def test_dropout_is_refused_for_an_architecture_without_it(tmp_path):
    AutoConfig.for_model("mamba", hidden_size=8, num_hidden_layers=1).save_pretrained(tmp_path)
    assert dropout_settings(tmp_path, 0) == []
    with pytest.raises(ModelError, match=r"--set sft.dropout=0 --set dpo.dropout=0"):
        dropout_settings(tmp_path, 0.1)


def test_an_allocated_model_is_the_loaded_one_but_for_the_values_of_its_weights(tiny_model):
    loaded, _ = load_for_training(tiny_model, "cpu", 0.1)
    empty = allocate_model(tiny_model, 0.1)
    assert empty.config == loaded.config
    assert empty.config.attention_dropout == 0.1
    shapes = [
        [(name, one.shape, one.dtype, one.device) for name, one in it.named_parameters()] for it in (empty, loaded)
    ]
    assert shapes[0] == shapes[1]  # tied weights are named once
    for (name, table), (_, expected) in zip(empty.named_buffers(), loaded.named_buffers(), strict=True):
        assert torch.equal(table, expected), name


def test_an_allocated_model_takes_no_memory(tmp_path):
    """400 MB of weights, of which the high-water mark of this process shows nothing."""
    sizes = {"hidden_size": 512, "intermediate_size": 512, "num_hidden_layers": 1, "num_attention_heads": 8}
    AutoConfig.for_model("llama", vocab_size=100_000, tie_word_embeddings=False, **sizes).save_pretrained(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = allocate_model(tmp_path, 0)
    kilobytes = sum(one.nbytes for one in model.parameters()) // 1024
    assert kilobytes > 390_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < kilobytes // 10
