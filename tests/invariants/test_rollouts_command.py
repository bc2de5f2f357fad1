"""`srlm train` that learns from rollouts: a model judges its own answers, and every wrong setting is said first.

The policy is the tiny model, and the kills are real.
"""

import shutil
import signal

import pytest

from helpers.kills import kill_when

CONFIG = """\
model: {model}
start: instruct
iterations: 1
device: cpu
dtype: float32
learn_from: rollouts
judge: {{rubric: brief, scoring: expected, least_mass: 0}}
rollouts: {{task: puzzle, problems: 6}}
grpo: {{steps: 6, batch_size: 8, num_generations: 4, max_completion_length: 8, learning_rate: 1.0e-3,
       gradient_checkpointing: false, save_steps: 2}}
"""


@pytest.fixture(scope="module")
def config(tiny_model, tmp_path_factory):
    file = tmp_path_factory.mktemp("rollouts") / "rollouts.yaml"
    file.write_text(CONFIG.format(model=tiny_model), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def train(cli, config):
    """A function: `srlm train` of that configuration into a folder of runs."""

    def run(runs, *changes, options=(), name="r"):
        words = [word for change in changes for word in ("--set", change)]
        return cli("train", config, "--runs", runs, "--name", name, *words, *options)

    return run


@pytest.fixture(scope="module")
def whole(train, run_folder, tmp_path_factory):
    """A run that nothing disturbed."""
    runs = tmp_path_factory.mktemp("whole")
    result = train(runs)
    assert result.code == 0, result.err
    return run_folder(runs / "r", result)


def test_a_model_learns_from_its_own_judgement(whole, train):
    stages = {file.name for file in (whole.folder / "M2").iterdir()}
    wanted = {"problems.jsonl", "rollouts.jsonl", "audit.jsonl", "health.jsonl", "training.jsonl", "checkpoint"}
    assert stages == wanted
    assert len(whole.records("M2/problems")) == 6
    rollouts = whole.records("M2/rollouts")
    assert len(rollouts) == 6 * 8
    assert all(one["scored"] == 1 and one["reward"] is not None for one in rollouts)
    assert {stage for _, stage, *_ in whole.calls()} == {"M2/rollouts"}
    assert "M2: 48 answers in 6 steps" in whole.printed.err
    card = (whole.folder / "M2" / "checkpoint" / "README.md").read_text(encoding="utf-8")
    assert "group-relative policy optimisation (GRPO), by TRL" in card
    again = train(whole.folder.parent)
    assert again.code == 0
    assert "Nothing to do" in again.out


@pytest.mark.slow
def test_killed_inside_the_training_a_run_ends_with_the_same_bytes(cli, config, whole, train, run_folder, tmp_path):
    broken = run_folder(tmp_path / "r")
    training = broken.folder / "M2" / "training"
    words = ("train", config, "--runs", tmp_path, "--name", "r")
    for step in (2, 4):
        code = kill_when(cli, words, lambda step=step: (training / f"step-{step}").exists())
        assert code == -signal.SIGKILL
        assert not (broken.folder / "M2" / "checkpoint").exists()
    result = train(tmp_path)
    assert result.code == 0, result.err
    assert broken.results() == whole.results()
    assert broken.losses("M2") == whole.losses("M2")
    assert [call[0] for call in broken.calls()] == [call[0] for call in whole.calls()]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("grpo.num_generations=1", "grpo.num_generations: input should be greater than or equal to 2, not 1"),
        ("grpo.batch_size=10", "must be a multiple of num_generations, 4"),
        ("reward=[]", "has no source with a weight"),
        ("rollouts.task=chess", "The task 'chess' does not exist"),
        ("rollouts.judged_by=M7", "For rollouts.judged_by, the model 'M7' does not exist"),
        ("rollouts.problems=1", "A step has 2 groups"),
        ("rollouts.vote=majority", "rollouts.vote is majority, and an answer gets 1 verdict:"),
        ("rollouts.right_from=7", "rollouts.right_from is 7, and the rubric brief scores on the scale 0-5"),
        ("rollouts.difficulty=[5, 9]", "no problem would be left"),
        ("rollouts.difficulty=[3, 2]", "the lower bound, 3.0, must be below the upper one, 2.0"),
        ("grpo.max_completion_length=2000", "leaves no room for"),
        ("grpo.use_vllm=colocate", "TRL uses vLLM on CUDA alone"),
        ("judge.frozen=M1", "name the judge of the rollouts in rollouts.judged_by"),
        ("pairs.min_gap=1", "learn_from is rollouts, so there are no pairs and pairs.min_gap has no effect"),
        ("sft.epochs=2", "sft.epochs has no effect"),
    ],
)
def test_wrong_settings_end_before_anything_is_written(train, tmp_path, change, message):
    result = train(tmp_path, change)
    assert result.code == 2
    (error,) = result.errors
    assert message in " ".join(error.split())
    assert not (tmp_path / "r").exists()


def test_a_setting_of_the_judge_without_one_is_refused(train, tmp_path):
    program = tmp_path / "check.py"
    program.write_text("def score(prompt, answer):\n    return 1\n", encoding="utf-8")
    result = train(tmp_path, f"reward={program}:score", "rollouts.shows=answer")
    assert result.code == 2
    assert "rollouts.shows is about the judge, and reward does not have it" in " ".join(result.err.split())


def test_a_task_file_without_what_is_needed_is_said_line_by_line(train, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def prompt():\n    return 'Hello'\n\ndef extract(text):\n    return text\n", encoding="utf-8")
    result = train(tmp_path, f"rollouts.task={file}")
    assert result.code == 2
    lines = [" ".join(line.split()) for line in result.err.splitlines()]
    assert any("mine.py cannot be used" in line for line in lines)
    assert any(line.startswith("problems is missing: write problems()") for line in lines)
    assert any(line.startswith("line 1: prompt() cannot be called as it should") for line in lines)
    assert not (tmp_path / "r").exists()


def test_a_model_without_a_chat_template_is_refused(train, tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "bare")
    (tmp_path / "bare" / "chat_template.jinja").unlink()
    result = train(tmp_path, f"model={tmp_path / 'bare'}")
    assert result.code == 2
    assert "has no chat template" in result.err
