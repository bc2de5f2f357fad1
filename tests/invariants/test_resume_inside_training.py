"""A run that is killed inside SFT and inside DPO goes on from the trainer's last checkpoint, to the same bytes.

The kills are real: SIGKILL from outside, as soon as a checkpoint of the training lies there.
"""

import signal
import time

import pytest

PATIENCE_SECONDS = 120
SETTINGS = [
    word
    for change in (
        "iterations=1",
        *("sft.save_steps=3", "sft.epochs=20", "sft.dropout=0.1"),
        *("dpo.save_steps=3", "dpo.epochs=20", "dpo.dropout=0.1"),
    )
    for word in ("--set", change)
]


def command(config, run, *more):
    return ("train", config, "--runs", run.parent, "--name", run.name, *SETTINGS, *more)


def kill_after_a_checkpoint(cli, words, training):
    """Kill the command when its training has written a checkpoint later than what is there already."""
    before = set(training.glob("step-*"))
    process = cli.fork(*words)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < deadline and not set(training.glob("step-*")) - before:
            time.sleep(0.001)
    finally:
        process.kill()
        process.communicate()
    return process.returncode


@pytest.mark.slow
def test_killed_twice_inside_each_training_a_run_ends_with_the_same_bytes(cli, tiny_config, finished_run, tmp_path):
    folder = type(finished_run)
    whole, broken = folder(tmp_path / "whole"), folder(tmp_path / "broken")
    result = cli(*command(tiny_config, whole.folder))
    assert result.code == 0, result.err
    for model in ("SFT", "M1", "M2"):
        training = broken.folder / model / "training"
        steps = []
        for _ in range(2):
            code = kill_after_a_checkpoint(cli, command(tiny_config, broken.folder), training)
            assert code == -signal.SIGKILL
            assert not (broken.folder / model / "checkpoint").exists()
            steps.append(max(int(path.name.removeprefix("step-")) for path in training.glob("step-*")))
        assert 0 < steps[0] < steps[1]
    # Out of memory, as it were: the run goes on with a setting of the machine changed, and takes it for its own.
    result = cli(*command(tiny_config, broken.folder, "--set", "dpo.save_steps=0"))
    assert result.code == 0, result.err
    assert "save_steps: 0" in (broken.folder / "run.yaml").read_text(encoding="utf-8")
    unbroken, mended = whole.digests(), broken.digests()
    names = {name for name in unbroken | mended if not name.rpartition("/")[2].startswith(".")}
    differing = {name for name in names if unbroken.get(name) != mended.get(name)}
    times = {f"{model}/training.jsonl" for model in ("SFT", "M1", "M2")}
    assert differing == {"run.yaml", "ledger.sqlite", *times}
    for model in ("SFT", "M1", "M2"):
        curves = [
            [entry["loss"] for entry in run.records(f"{model}/training") if "loss" in entry] for run in (whole, broken)
        ]
        assert curves[0] == curves[1]
        assert len(curves[0]) > 20
