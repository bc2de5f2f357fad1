"""A training in processes of its own is the same training."""

from dataclasses import replace

import pytest

from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.console import Progress
from srlm.errors import TrainingFailed, UsageError
from trainer.finetune.job import Preference, Supervision
from trainer.finetune.launch import carry_out

QUIET = Progress(quiet=True)
TWO = "torchrun --standalone --nproc-per-node 2"


@pytest.fixture
def supervision(tiny_model, examples, tmp_path):
    """A job of three updates."""

    def make(name: str, batch_size: int = 8) -> Supervision:
        folder = tmp_path / name / "checkpoint"
        folder.mkdir(parents=True)
        config = SFTConfig(
            batch_size=batch_size, per_device_train_batch_size=4, learning_rate=1e-3, max_length=256, dropout=0
        )
        return Supervision(tiny_model, folder, tuple(examples), config, "cpu", "float32", 7, name)

    return make


@pytest.fixture
def preference(moved_model, pairs, examples, tmp_path):
    """A job of two updates with every term of the loss."""

    def make(name: str) -> Preference:
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
        return Preference(
            moved_model, folder, tuple(pairs), tuple(examples), config, "cpu", "float32", 7, name, consistency=0.9
        )

    return make


def losses(log, job) -> list[float]:
    return [entry["loss"] for entry in log(job.folder)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["supervision", "preference"])
def test_two_processes_learn_what_one_does(kind, request, log):
    make = request.getfixturevalue(kind)
    alone, beside = make("alone"), make("beside")
    carry_out(alone, None, QUIET)
    carry_out(beside, TWO, QUIET)
    assert losses(log, beside) == pytest.approx(losses(log, alone), rel=1e-4)
    assert len(losses(log, alone)) == alone.steps > 1
    assert (beside.folder / "model.safetensors").is_file()
    assert not (beside.folder.parent / "job.json").exists()


@pytest.mark.slow
def test_words_of_the_first_process_are_the_users(supervision):
    job = supervision("odd", batch_size=5)
    with pytest.raises(TrainingFailed, match="batch_size = 5 cannot be spread evenly over 2 processes"):
        carry_out(job, TWO, QUIET)


def test_a_launcher_that_fails_leaves_its_words(supervision):
    job = supervision("job")
    with pytest.raises(TrainingFailed, match=r"ended with an error, see .*launch\.log"):
        carry_out(job, "python -c 'import sys; sys.exit(\"no such device\")'", QUIET)
    assert "no such device" in (job.folder.parent / "launch.log").read_text(encoding="utf-8")


def test_a_launcher_that_is_not_there_is_named(supervision):
    with pytest.raises(UsageError, match="launcher: acelerate cannot be started"):
        carry_out(supervision("job"), "acelerate launch", QUIET)


def test_a_job_is_the_same_after_the_way_through_a_file(supervision, preference):
    from trainer.finetune.job import JOB

    for job in (supervision("one"), preference("two")):
        assert JOB.validate_json(JOB.dump_json(job)) == job


def test_a_training_that_diverges_says_so_and_code_in_the_current_folder_does_not_run(
    supervision, tmp_path, monkeypatch
):
    """The current folder is one of data, which may hold a json.py of anybody's."""
    here = tmp_path / "here"
    here.mkdir()
    for name in ("json", "torch", "trainer", "sitecustomize"):
        (here / f"{name}.py").write_text("open('it-ran', 'w')\nraise SystemExit('it ran')\n", encoding="utf-8")
    monkeypatch.chdir(here)
    job = supervision("job")
    job = replace(job, config=job.config.model_copy(update={"learning_rate": 1e30}))
    with pytest.raises(TrainingFailed, match=r"job: the training diverged\. At step 2 of 3 .*sft.learning_rate"):
        carry_out(job, "python", QUIET)
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
