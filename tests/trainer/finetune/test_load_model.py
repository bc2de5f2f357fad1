"""Loading the model of a training: dropout settings, weights that do not fit, and those that another process sends."""

import resource

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

import trainer.finetune.load_model as loading
from helpers.tiny_models import save
from srlm.engines.load import load_model
from srlm.errors import ModelError, OutOfMemory
from trainer.finetune.load_model import allocate_model, dropout_settings, load_for_training, require_loadable


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


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), MemoryError()]
)
def test_weights_that_do_not_fit_are_an_error_of_the_training(tiny_model, monkeypatch, error):
    def full(*_, **__):
        raise error

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", full)
    with pytest.raises(OutOfMemory, match=r"take .* GB in float32 and do not fit into .* device cpu") as one:
        load_for_training(tiny_model, "cpu")
    assert one.value.exit_code == 8
    assert "\n" not in str(one.value)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_the_check_before_a_run_holds_a_model_from_the_hub_at_its_own_size(tmp_path, monkeypatch, dtype):
    file = save(tmp_path / "model", "llama") / "model.safetensors"
    save_file({name: weight.to(dtype) for name, weight in load_file(file).items()}, file, {"format": "pt"})
    taken = []
    load = loading.load_model
    monkeypatch.setattr(loading, "load_model", lambda *given: taken.append(given[1]) or load(*given))
    require_loadable(file.parent)
    assert taken == [torch.bfloat16 if dtype is torch.bfloat16 else torch.float32]


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
