"""Dropout settings of a checkpoint's architecture."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from srlm.engines.load import load_model
from srlm.errors import ModelError
from trainer.finetune.load_model import dropout_settings


def test_dropout_is_refused_for_an_architecture_without_it(tmp_path):
    AutoConfig.for_model("mamba", hidden_size=8, num_hidden_layers=1).save_pretrained(tmp_path)
    assert dropout_settings(tmp_path, 0) == []
    with pytest.raises(ModelError, match=r"--set sft.dropout=0 --set dpo.dropout=0"):
        dropout_settings(tmp_path, 0.1)


def test_dropout_of_a_nested_configuration(tmp_path):
    """A model of texts and images has the rates of its language model in text_config."""
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    language = {**sizes, "vocab_size": 32, "head_dim": 8, "num_key_value_heads": 1, "pad_token_id": 0}
    images = {**sizes, "image_size": 28, "patch_size": 14}
    config = AutoConfig.for_model("gemma3", text_config=language, vision_config=images, mm_tokens_per_image=4)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    names = dropout_settings(tmp_path, 0.1)
    assert names == ["attention_dropout"]
    model = load_model(tmp_path, torch.float32, "cpu", settings=dict.fromkeys(names, 0.1))
    rates = {module.attention_dropout for module in model.modules() if type(module).__name__ == "Gemma3Attention"}
    assert rates == {0.1}
