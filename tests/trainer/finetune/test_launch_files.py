"""The recipes for accelerate: it reads them, and trainings with srlm's default settings run with them to the end."""

import pytest
import torch
from safetensors.torch import load_file

from helpers.recipes import recipe, settings
from srlm.config.finetune import DPOConfig, LoraConfig, SFTConfig
from srlm.console import Progress
from srlm.errors import UsageError
from trainer.finetune.distributed import own_device
from trainer.finetune.job import DPOJob, SFTJob
from trainer.finetune.launch import run_job
from trainer.finetune.launcher_settings import receives_weights, require_usable
from trainer.finetune.recipes import RECIPES

QUIET = Progress(quiet=True)
NAMES = list(RECIPES)


@pytest.mark.parametrize("name", NAMES)
def test_accelerate_reads_it(name):
    from accelerate.commands.config.config_args import load_config_from_file

    text = RECIPES[name].read_text(encoding="utf-8")
    config = load_config_from_file(str(RECIPES[name]))  # refuses keys that it does not know
    assert config.mixed_precision == "bf16"
    assert config.distributed_type in text


@pytest.fixture
def job(tiny_model, perturbed_model, examples, pairs, tmp_path):
    """A function: a job with srlm's default settings, but for lengths and numbers of examples."""

    def make(kind, name, dtype="float32", **changes):
        folder = tmp_path / name / "checkpoint"
        folder.mkdir(parents=True)
        if kind == "sft":
            config = SFTConfig(max_length=256, **changes)
            return SFTJob(tiny_model, folder, tuple(examples), config, "cpu", dtype, 7, name)
        config = DPOConfig(max_length=256, **changes)
        return DPOJob(perturbed_model, folder, tuple(pairs), tuple(examples), config, "cpu", dtype, 7, name)

    return make


def test_a_training_with_default_settings_gives_the_same_model_with_fsdp(job, log):
    """One process is enough to shard: all of accelerate's and transformers' checks are made, and FSDP's hooks run."""
    alone, sharded = job("sft", "alone"), job("sft", "sharded")
    run_job(alone, None, QUIET)
    with recipe("fsdp"):
        run_job(sharded, None, QUIET)
    assert [entry["loss"] for entry in log(sharded.folder)] == pytest.approx(
        [entry["loss"] for entry in log(alone.folder)], rel=1e-5
    )
    before, after = (load_file(one.folder / "model.safetensors") for one in (alone, sharded))
    assert before.keys() == after.keys()  # tied weights are written once
    for tensor in before:
        torch.testing.assert_close(after[tensor], before[tensor], rtol=0, atol=1e-6)


def test_fsdp_computes_in_bfloat16_and_sums_gradients_in_float32_after_every_micro_batch(job, monkeypatch):
    """Else it would keep the gradients of all weights in every process from one micro-batch to the next."""
    from torch.distributed import fsdp

    shard, policies, reduced = fsdp.fully_shard, [], []
    monkeypatch.setattr(fsdp, "fully_shard", lambda *a, **rest: (policies.append(rest["mp_policy"]), shard(*a, **rest)))
    monkeypatch.setattr(fsdp.FSDPModule, "set_requires_gradient_sync", lambda _, wanted, **__: reduced.append(wanted))
    with recipe("fsdp"):
        run_job(job("dpo", "job", "bfloat16", per_device_train_batch_size=4, lora=LoraConfig(rank=2)), None, QUIET)
    assert set(policies) == {fsdp.MixedPrecisionPolicy(torch.bfloat16, torch.float32, None)}
    assert False not in reduced


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("config", [SFTConfig(), DPOConfig()], ids=["sft", "dpo"])
def test_default_settings_are_accepted_with_it(name, config, monkeypatch):
    for variable, value in settings(name).items():
        monkeypatch.setenv(variable, value)
    require_usable(config, "sft")


@pytest.mark.parametrize(
    ("name", "variable", "value", "changes", "says"),
    [
        ("fsdp", "FSDP_STATE_DICT_TYPE", "SHARDED_STATE_DICT", {}, "set it to FULL_STATE_DICT"),
        ("fsdp", "FSDP_ACTIVATION_CHECKPOINTING", "true", {}, "sft.gradient_checkpointing=true has the same effect"),
        ("fsdp", "FSDP_ACTIVATION_CHECKPOINTING", "true", {"gradient_checkpointing": False}, "with other dropout"),
        ("deepspeed", "ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL", "false", {}, "zero3_save_16bit_model to true"),
    ],
)
def test_settings_that_train_something_else_or_save_no_model_are_refused(
    name, variable, value, changes, says, monkeypatch
):
    for key, found in {**settings(name), variable: value}.items():
        monkeypatch.setenv(key, found)
    with pytest.raises(UsageError, match=says) as error:
        require_usable(SFTConfig(**changes), "sft")
    assert "\n" not in str(error.value)


def test_recomputation_by_fsdp_is_accepted_where_it_has_nothing_to_repeat(monkeypatch):
    for key, value in {**settings("fsdp"), "FSDP_ACTIVATION_CHECKPOINTING": "true"}.items():
        monkeypatch.setenv(key, value)
    require_usable(SFTConfig(dropout=0, gradient_checkpointing=False), "sft")


@pytest.mark.parametrize(
    ("rank", "efficient", "received"), [("0", "true", False), ("3", "true", True), ("3", "false", False)]
)
def test_processes_after_the_first_receive_their_weights(rank, efficient, received, monkeypatch):
    assert not receives_weights()
    found = {**settings("fsdp"), "RANK": rank, "FSDP_CPU_RAM_EFFICIENT_LOADING": efficient}
    for key, value in found.items():
        monkeypatch.setenv(key, value)
    assert receives_weights() is received


@pytest.mark.parametrize(
    ("processes", "number", "name", "device"),
    [
        ("1", "0", "ddp", "cuda"),
        ("8", "3", "ddp", "cuda:3"),
        ("16", "3", "ddp", "cuda:3"),
        ("1", "0", "fsdp", "cpu"),
        ("8", "3", "fsdp", "cpu"),
        ("1", "0", "deepspeed", "cpu"),
    ],
)
def test_a_model_is_loaded_to_its_own_gpu_or_where_it_is_sharded(processes, number, name, device, monkeypatch):
    for key, value in {**settings(name), "WORLD_SIZE": processes, "LOCAL_RANK": number}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    assert own_device("auto") == device
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert own_device("auto") == "cpu"
