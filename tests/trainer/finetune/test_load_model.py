"""Dropout settings of a checkpoint's architecture."""

import pytest
from transformers import AutoConfig

from srlm.errors import ModelError
from trainer.finetune.load_model import dropout_settings


def test_dropout_is_refused_for_an_architecture_without_it(tmp_path):
    AutoConfig.for_model("mamba", hidden_size=8, num_hidden_layers=1).save_pretrained(tmp_path)
    assert dropout_settings(tmp_path, 0) == []
    with pytest.raises(ModelError, match=r"--set sft.dropout=0 --set dpo.dropout=0"):
        dropout_settings(tmp_path, 0.1)
