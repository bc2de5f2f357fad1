"""Training through a launcher: its errors, and models that are not written."""

import os
import sys
from dataclasses import replace

import pytest

from helpers.told_progress import Told
from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.console import Progress
from srlm.errors import Diverged, TrainingFailed, UsageError
from trainer.finetune.job import DPOJob, SFTJob
from trainer.finetune.launch import JUDGE_VARIABLE, read_job, run_job

QUIET = Progress(quiet=True)
TWO = "torchrun --standalone --nproc-per-node 2"


@pytest.fixture
def sft(tiny_model, examples, tmp_path):
    """A function: the job of an SFT of three updates."""

    def make(name: str, batch_size: int = 8) -> SFTJob:
        folder = tmp_path / name / "checkpoint"
        folder.mkdir(parents=True)
        config = SFTConfig(
            batch_size=batch_size, per_device_train_batch_size=4, learning_rate=1e-3, max_length=256, dropout=0
        )
        return SFTJob(tiny_model, folder, tuple(examples), config, "cpu", "float32", 7, name)

    return make


@pytest.fixture
def dpo(perturbed_model, pairs, examples, tmp_path):
    """A function: the job of a DPO of two updates with every term of the loss."""

    def make(name: str) -> DPOJob:
        folder = tmp_path / name / "checkpoint"
        folder.mkdir(parents=True)
        config = DPOConfig(
            batch_size=8,
            per_device_train_batch_size=4,
            learning_rate=1e-3,
            max_length=256,
            nll_coef=0.2,
            label_smoothing="agreement",
            replay=5,
            dropout=0,
        )
        return DPOJob(
            perturbed_model, folder, tuple(pairs), tuple(examples), config, "cpu", "float32", 7, name, consistency=0.9
        )

    return make


@pytest.mark.slow
def test_an_error_of_the_first_process_is_the_message(sft):
    job = sft("odd", batch_size=5)
    with pytest.raises(UsageError, match="batch_size = 5 is not divisible by the number of processes, 2"):
        run_job(job, TWO, QUIET)


def test_the_output_of_a_launcher_that_fails_is_in_the_log(sft):
    job = sft("job")
    with pytest.raises(TrainingFailed, match=r"ended with an error, see .*launch\.log"):
        run_job(job, "python -c 'import sys; sys.exit(\"no such device\")'", QUIET)
    assert "no such device" in (job.folder.parent / "launch.log").read_text(encoding="utf-8")


def test_a_launcher_that_is_killed_is_told_apart(sft):
    with pytest.raises(TrainingFailed, match="were killed, as the system does when its memory is used up, see"):
        run_job(sft("job"), "python -c 'import os; os.kill(os.getpid(), 9)'", QUIET)


def test_the_password_of_a_judges_address_is_in_no_file(judged_by_itself, perturbed_model, tmp_path, monkeypatch):
    folder = tmp_path / "rollouts" / "checkpoint"
    folder.mkdir(parents=True)
    job, judge = judged_by_itself(perturbed_model, folder), "openai:judge@http://me:secret@127.0.0.1:9/v1"
    named = job.rewards.rollouts.model_copy(update={"judged_by": judge})
    job = replace(job, rewards=replace(job.rewards, judge_model=judge, rollouts=named))
    seen = tmp_path / "seen"
    script = f"import os; open({str(seen)!r}, 'w').write(os.environ[{JUDGE_VARIABLE!r}]); raise SystemExit(1)"
    (tmp_path / "launcher").write_text(f"#!{sys.executable}\n{script}\n", encoding="utf-8")
    (tmp_path / "launcher").chmod(0o755)
    with pytest.raises(TrainingFailed):
        run_job(job, str(tmp_path / "launcher"), QUIET)
    file = folder.parent / "job.json"
    assert "secret" not in file.read_text(encoding="utf-8")
    assert "127.0.0.1:9" in file.read_text(encoding="utf-8")
    monkeypatch.setenv(JUDGE_VARIABLE, seen.read_text(encoding="utf-8"))
    assert read_job(file).rewards.judge_model == judge
    monkeypatch.delenv(JUDGE_VARIABLE)
    assert read_job(file).rewards.judge_model == "openai:judge@http://127.0.0.1:9/v1"
    assert JUDGE_VARIABLE not in os.environ


def test_a_launcher_that_does_not_exist_is_named(sft):
    with pytest.raises(UsageError, match="launcher: acelerate cannot be started"):
        run_job(sft("job"), "acelerate launch", QUIET)


def test_a_job_survives_serialisation(sft, dpo):
    from trainer.finetune.job import JOB

    for job in (sft("one"), dpo("two")):
        assert JOB.validate_json(JOB.dump_json(job)) == job


def test_what_a_process_reports_arrives_and_code_in_the_current_folder_is_not_run(sft, tmp_path, monkeypatch):
    """The current folder holds data, which may include an untrusted json.py."""
    here = tmp_path / "here"
    here.mkdir()
    for name in ("json", "torch", "trainer", "sitecustomize"):
        (here / f"{name}.py").write_text("open('it-ran', 'w')\nraise SystemExit('it ran')\n", encoding="utf-8")
    monkeypatch.chdir(here)
    job = sft("job")
    longer = replace(job.examples[0], completion=job.examples[0].completion * 100)
    config = job.config.model_copy(update={"learning_rate": 1e30})
    job = replace(job, examples=(*job.examples, longer), config=config)
    progress = Told()
    with pytest.raises(Diverged, match=r"job: the training diverged\. At step 2 of 3 .*sft.learning_rate"):
        run_job(job, "python", progress)
    (line,) = progress.lines
    assert f"1 of {len(job.examples)} examples are longer than 256 tokens and are left out" in line
    assert not (here / "it-ran").exists()
    assert list(job.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("launcher", "says"),
    [
        ("it's", "is not a shell command"),
        ("''", "is empty"),
        ('""', "is empty"),
        ("'  '", "is empty"),
        ('"torchrun\\0"', "NUL"),
        ("acelerate launch", "acelerate cannot be started"),
        ("./none", "none cannot be started"),
    ],
)
def test_a_launcher_that_cannot_be_started_is_refused_before_anything_is_written(
    cli, tiny_config, tmp_path, launcher, says
):
    result = cli("train", tiny_config, "--runs", tmp_path / "runs", "--set", f"launcher={launcher}")
    assert (result.code, result.out, len(result.errors)) == (2, "", 1)
    assert "launcher" in result.err
    assert says in result.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("launcher", ["true", "echo", "python -c pass"])
def test_a_launcher_that_wrote_no_model_is_an_error(sft, launcher):
    with pytest.raises(TrainingFailed, match=r"wrote no complete model: 0 of .* weights are in .*launch\.log"):
        run_job(sft("job"), launcher, QUIET)


def test_a_launcher_that_wrote_a_part_of_a_model_is_an_error(sft, tiny_model):
    job = sft("job")
    save = f"""
from safetensors.torch import load_file, save_file
tensors = load_file({str(tiny_model / "model.safetensors")!r})
tensors.pop("model.norm.weight")
save_file(tensors, {str(job.folder / "model.safetensors")!r})
"""
    script = job.folder.parent / "save.py"
    script.write_text(save, encoding="utf-8")
    with pytest.raises(TrainingFailed, match=r"wrote no complete model: [\d,]+ of [\d,]+ weights"):
        run_job(job, f"python {script}", QUIET)


def test_a_model_without_weights_is_refused_by_the_process_that_wrote_it(sft, monkeypatch):
    """As DeepSpeed and FSDP do where their settings save parts alone, which `require_usable` may not know."""
    from transformers import Trainer

    monkeypatch.setattr(Trainer, "save_model", lambda *_: None)
    with pytest.raises(TrainingFailed, match=r"No weights were written to .*fsdp_state_dict_type = FULL_STATE_DICT"):
        run_job(sft("job"), None, QUIET)
