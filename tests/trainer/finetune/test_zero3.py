"""LoRA under DeepSpeed ZeRO-3 is refused: before the run by the launcher, and in the process that would train."""

import json

import pytest
import yaml

from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.console import Progress
from srlm.errors import UsageError
from trainer.finetune import zero3
from trainer.finetune.job import SFTJob
from trainer.finetune.launch import run_job_in_process
from trainer.finetune.recipes import RECIPES
from trainer.finetune.zero3 import launcher_has_zero3, refuse_lora_with_zero3

LORA = DPOConfig(lora={"rank": 16})


def accelerate_file(folder, stage, kind="DEEPSPEED", **more):
    path = folder / "accelerate.yaml"
    path.write_text(yaml.safe_dump({"distributed_type": kind, "deepspeed_config": {"zero_stage": stage, **more}}))
    return path


def test_a_file_of_accelerate_is_read(tmp_path):
    launcher = f"accelerate launch --config_file {accelerate_file(tmp_path, 3)}"
    with pytest.raises(UsageError, match=r"dpo\.lora\.rank is 16, and the launcher sets DeepSpeed ZeRO-3") as error:
        refuse_lora_with_zero3(LORA, launcher)
    assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match=r"sft\.lora\.rank is 2"):
        refuse_lora_with_zero3(SFTConfig(lora={"rank": 2}), launcher)
    refuse_lora_with_zero3(DPOConfig(), launcher)


def test_the_recipe_is_recognised():
    assert launcher_has_zero3(f"accelerate launch --config_file {RECIPES['deepspeed']}")
    assert launcher_has_zero3("deepspeed --num_processes 2")
    for name in ("ddp", "fsdp"):
        refuse_lora_with_zero3(LORA, f"accelerate launch --config_file {RECIPES[name]}")
        refuse_lora_with_zero3(LORA, name)


def test_inside_the_quotes_of_another_command(tmp_path):
    file = accelerate_file(tmp_path, 3)
    assert launcher_has_zero3(f"""srun bash -c 'exec accelerate launch --config-file={file} "$@"' train""")


@pytest.mark.parametrize(("stage", "kind"), [(2, "DEEPSPEED"), (3, "FSDP")])
def test_other_settings_are_not_refused(tmp_path, stage, kind):
    refuse_lora_with_zero3(LORA, f"accelerate launch --config_file {accelerate_file(tmp_path, stage, kind)}")


@pytest.mark.parametrize(
    "launcher", ["", "torchrun --standalone --nproc-per-node 2", "accelerate launch --config_file x"]
)
def test_launchers_without_a_file_are_not_refused(launcher):
    refuse_lora_with_zero3(LORA, launcher)


def test_options_and_deepspeeds_own_file_decide(tmp_path):
    own = tmp_path / "deepspeed.json"
    own.write_text(json.dumps({"zero_optimization": {"stage": 3}}))
    assert launcher_has_zero3(f"accelerate launch --use_deepspeed --deepspeed_config_file {own}")
    file = accelerate_file(tmp_path, None, deepspeed_config_file=str(own))
    assert launcher_has_zero3(f"accelerate launch --config_file {file}")
    assert launcher_has_zero3("accelerate launch --use_deepspeed --zero_stage 3")
    assert not launcher_has_zero3(f"accelerate launch --config_file {accelerate_file(tmp_path, 3)} --zero_stage 2")


def test_the_file_that_accelerate_reads_by_default(tmp_path, monkeypatch):
    monkeypatch.setattr(zero3, "_recipe_or_default", lambda launcher: accelerate_file(tmp_path, 3))
    assert launcher_has_zero3("accelerate launch")


def test_the_process_that_would_train_refuses_too(tmp_path, monkeypatch):
    """Where the launcher's text does not say it."""
    job = SFTJob(tmp_path, tmp_path, (), SFTConfig(lora={"rank": 4}), "cpu", "float32", 1, "M1")
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "3")
    with pytest.raises(UsageError, match=r"--set sft\.lora\.rank=0"):
        run_job_in_process(job, Progress(quiet=True))


def test_before_anything_is_written(cli, tiny_config, tmp_path):
    launcher = f"accelerate launch --config_file {accelerate_file(tmp_path, 3)}"
    runs = tmp_path / "runs"
    result = cli("train", tiny_config, "--runs", runs, "--set", f"launcher={launcher}", "--set", "dpo.lora.rank=4")
    assert result.code == 2
    assert "ZeRO-3" in result.err
    assert not runs.exists()
