"""Alarms of rollouts on the command line: a judge that calls everything right, with --strict and without it."""

import pytest

CONFIG = """\
model: {model}
start: instruct
iterations: 1
device: cpu
dtype: float32
learn_from: rollouts
reward: {program}:praise
rollouts: {{task: puzzle, problems: 6, right_from: 4.5}}
grpo: {{steps: 4, batch_size: 16, num_generations: 8, max_completion_length: 8, learning_rate: 1.0e-3,
       gradient_checkpointing: false, save_steps: 1}}
monitor: {{audit_steps: 3}}
"""


@pytest.fixture(scope="module")
def config(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alarms")
    program, file = folder / "praise.py", folder / "alarms.yaml"
    program.write_text("def praise(prompt, answer):\n    return 5\n", encoding="utf-8")
    file.write_text(CONFIG.format(model=tiny_model, program=program), encoding="utf-8")
    return file


def test_an_alarm_ends_a_strict_run_which_goes_on_without_it(cli, config, run_folder, tmp_path):
    stopped = cli("train", config, "--runs", tmp_path, "--name", "r", "--strict")
    assert stopped.code == 5
    (error,) = stopped.errors
    message = " ".join(error.split())
    assert "M2: steps 1 to 3: of the answers that the judge calls right only 0% are" in message
    assert "monitor.min_precision = 50%" in message
    checkpoint = tmp_path / "r" / "M2" / "training" / "step-2"
    assert str(checkpoint) in message
    assert {"config.json", "model.safetensors", "chat_template.jinja"} <= {one.name for one in checkpoint.iterdir()}
    again = cli("train", config, "--runs", tmp_path, "--name", "r", "--strict")
    assert again.code == 5, "the step is made again, and so is the alarm"
    whole = cli("train", config, "--runs", tmp_path, "--name", "r")
    assert whole.code == 0, whole.err
    assert "praise.py:praise" in (tmp_path / "r" / "reward.jsonl").read_text(encoding="utf-8")
    warnings = [line for line in whole.err.splitlines() if "M2: warning: steps 1 to 3" in line]
    assert len(warnings) == 1
    assert "alarms: precision at step 3" in whole.err
    assert "precision of the judge" in whole.out and "right by the checker" in whole.out
    shown = cli("show", "M2-s00004-0015", "--runs", tmp_path, "--run", "r")
    assert shown.code == 0, shown.err
    assert "reward 5.00, judged right, wrong" in shown.out and "5.0" in shown.out
