"""Precision under FSDP and LoRA: log-probabilities are not rounded, and frozen weights in bfloat16 change nothing."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from helpers.recipes import recipe
from srlm.config.finetune import SFTConfig
from srlm.console import Progress
from trainer.finetune import precision
from trainer.finetune.job import SFTJob
from trainer.finetune.precision import precise_policy
from trainer.finetune.sft import train_sft


@pytest.fixture
def sharded_log_probs():
    """A function: the log-probabilities of 600 tokens under a policy of FSDP, whose sums are below -1000."""
    from accelerate.utils import FullyShardedDataParallelPlugin
    from torch.distributed.fsdp import fully_shard
    from trl.trainer.utils import add_fused_lm_head

    def compute(change):
        torch.manual_seed(0)
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        model = LlamaForCausalLM(LlamaConfig(vocab_size=512, tie_word_embeddings=True, **sizes))
        add_fused_lm_head(model)
        ids = torch.randint(0, 512, (2, 300))
        with recipe("fsdp"):
            plugin = FullyShardedDataParallelPlugin()
            plugin.set_mixed_precision("bf16")
            for part in (*model.model.layers, model):
                fully_shard(part, mp_policy=change(plugin.mixed_precision_policy))
            found = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids, fused_lm_head=True).log_probs
            found.sum().backward()
            return found.detach()

    return compute


def test_log_probabilities_under_fsdp_are_not_rounded(sharded_log_probs):
    rounded = sharded_log_probs(lambda policy: policy)
    assert rounded.dtype is torch.bfloat16  # accelerate's own policy; if it changes, ours is no longer needed
    assert all(total % 8 == 0 for total in rounded.sum(dim=1).tolist())
    found = sharded_log_probs(precise_policy)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found.sum(dim=1).double(), found.double().sum(dim=1), rtol=1e-6, atol=0)


def test_gradients_are_summed_in_float32():
    from torch.distributed.fsdp import MixedPrecision, MixedPrecisionPolicy

    half = torch.bfloat16
    assert precise_policy(MixedPrecisionPolicy(half, half, half)) == MixedPrecisionPolicy(half, torch.float32, None)
    assert precise_policy(MixedPrecision(half, half, half)) == MixedPrecision(half, torch.float32, half)


def test_frozen_weights_in_bfloat16_change_neither_losses_nor_weights(tiny_model, examples, tmp_path, log, monkeypatch):
    def train(name):
        folder = tmp_path / name / "checkpoint"
        folder.mkdir(parents=True)
        config = SFTConfig(max_length=256, batch_size=8, learning_rate=1e-2, lora={"rank": 2, "alpha": 8})
        train_sft(SFTJob(tiny_model, folder, tuple(examples), config, "cpu", "bfloat16", 3, name), Progress(quiet=True))
        return folder

    halved = []
    store = precision.store_frozen_in_bfloat16
    monkeypatch.setattr(precision, "store_frozen_in_bfloat16", lambda model, **_: (store(model), halved.append(model)))
    ours = train("ours")
    dtypes = {name: one.dtype for name, one in halved[0].named_parameters()}
    assert {dtype for name, dtype in dtypes.items() if "base_layer" in name} == {torch.bfloat16}
    assert {dtype for name, dtype in dtypes.items() if "base_layer" not in name} == {torch.float32}
    monkeypatch.setattr(precision, "store_frozen_in_bfloat16", lambda model, **_: None)
    plain = train("plain")
    assert [entry["loss"] for entry in log(ours)] == [entry["loss"] for entry in log(plain)]
    assert (ours / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()
    assert {one.dtype for one in load_file(ours / "model.safetensors").values()} == {torch.float32}
