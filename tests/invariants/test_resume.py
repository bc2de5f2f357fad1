"""A run that is killed, in each of its stages, ends with the same bytes as one that never was.

The kills are real: SIGKILL from outside, at a random moment inside a stage, ten times in one run directory.
"""

import random
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

PATIENCE_SECONDS = 120
ATTEMPTS = 6
BLOCK = """
import sys

class Block:
    def find_spec(name, path=None, target=None):
        if name in {"torch", "transformers", "trl", "datasets", "accelerate"}:
            raise ImportError(f"{name} is not to be imported here")

sys.meta_path.insert(0, Block)
"""


@dataclass(frozen=True)
class Training:
    """A model in training. `late`: its weights are written already, its folder has not its name yet."""

    model: str
    late: bool = False

    def __str__(self) -> str:
        return f"{self.model} training"

    def reached(self, run: Path, share: float, total: int) -> bool:
        unfinished = run / self.model / "checkpoint.unfinished"
        return (unfinished / "model.safetensors").exists() if self.late else unfinished.exists()

    def linger(self, share: float) -> float:
        return 0 if self.late else 2 * share

    def inside(self, run: Path, total: int) -> bool:
        folder = run / self.model
        return (folder / "checkpoint.unfinished").exists() and not (folder / "checkpoint").exists()


@dataclass(frozen=True)
class Asking:
    """Calls of a model, some of them in the ledger already."""

    stage: str

    def __str__(self) -> str:
        return self.stage

    def reached(self, run: Path, share: float, total: int) -> bool:
        return answered(run, self.stage) > share * 0.6 * total

    def linger(self, share: float) -> float:
        return 0

    def inside(self, run: Path, total: int) -> bool:
        return 0 < answered(run, self.stage) < total and not (run / f"{self.stage}.jsonl").exists()


STAGES = [
    Training("SFT"),
    Training("M1", late=True),
    Asking("M2/instructions"),
    Asking("M2/candidates"),
    Asking("M2/verdicts"),
    Training("M2"),
    Asking("M3/instructions"),
    Asking("M3/candidates"),
    Asking("M3/verdicts"),
    Training("M3", late=True),
]


def answered(run: Path, stage: str) -> int:
    """Committed calls of a stage, read while another process writes."""
    try:
        with closing(sqlite3.connect(f"file:{run / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
            return int(ledger.execute("SELECT count(*) FROM calls WHERE stage = ?", (stage,)).fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # not there yet, or being made at this moment


def kill_inside(cli, command, run: Path, stage: Training | Asking, share: float, total: int) -> int:
    """Start the command, kill it inside a stage, and return its exit code."""
    process = cli.fork(*command)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < deadline and not stage.reached(run, share, total):
            time.sleep(0.0005)
        time.sleep(stage.linger(share))
    finally:
        process.kill()
        process.communicate()
    return process.returncode


@pytest.fixture(scope="module")
def killed(cli, tiny_config, finished_run, tmp_path_factory):
    """A run that was killed once inside each stage, and then left alone. Second: how each kill went."""
    place = tmp_path_factory.mktemp("killed")
    run, before = place / "runs" / "r", place / "before"
    command = ("train", tiny_config, "--runs", run.parent, "--name", run.name)
    chance = random.Random(0)
    kills: dict[str, tuple[int, bool]] = {}
    run.mkdir(parents=True)
    for stage in STAGES:
        total = len(finished_run.calls(stage.stage)) if isinstance(stage, Asking) else 0
        shutil.copytree(run, before)
        # A process that ran out of the stage before the kill came is no test of it: go back, and be quicker.
        for attempt in range(ATTEMPTS):
            code = kill_inside(cli, command, run, stage, chance.random() / (1 + attempt), total)
            kills[str(stage)] = (code, stage.inside(run, total))
            if kills[str(stage)] == (-signal.SIGKILL, True):
                break
            shutil.rmtree(run)
            shutil.copytree(before, run)
        shutil.rmtree(before)
    result = cli(*command)
    assert result.code == 0, result.err
    return type(finished_run)(run), kills


@pytest.mark.parametrize("stage", map(str, STAGES))
def test_the_kill_hit_its_stage(killed, stage):
    assert killed[1][stage] == (-signal.SIGKILL, True)


def test_every_file_is_as_if_it_had_never_been_killed(killed, finished_run):
    whole, broken = finished_run.results(), killed[0].results()
    assert {name for name in whole | broken if whole.get(name) != broken.get(name)} == set()
    expected = {f"seeds/{name}.jsonl" for name in ("ift", "eft", "validation")}
    for model in ("M2", "M3"):
        kinds = ("instructions", "refused", "candidates", "verdicts", "rewards", "pairs", "dropped", "health")
        expected |= {f"{model}/{kind}.jsonl" for kind in kinds}
    expected |= {f"{model}/checkpoint/model.safetensors" for model in ("SFT", "M1", "M2", "M3")}
    assert expected <= set(whole)


def test_every_call_is_answered_as_if_it_had_never_been_killed(killed, finished_run):
    assert killed[0].calls() == finished_run.calls()


def test_no_two_models_are_the_same(finished_run):
    digests = finished_run.digests()
    weights = [digests[f"{model}/checkpoint/model.safetensors"] for model in ("SFT", "M1", "M2", "M3")]
    assert len(set(weights)) == len(weights)


def test_a_finished_run_is_left_alone_and_no_library_is_imported_for_it(cli, tiny_config, own_run):
    before = own_run.digests()
    result = cli.apart("train", tiny_config, "--runs", own_run.folder.parent, "--name", "r", customize=BLOCK)
    assert result.code == 0, result.err
    assert "Nothing to do" in result.out
    assert own_run.digests() == before


def test_equal_answers_do_not_change_what_a_resumed_run_writes(cli, tiny_config, tmp_path):
    changes = [
        word
        for change in (
            "iterations=1",
            "candidates=8",
            "candidate_sampling.max_tokens=1",
            "candidate_sampling.top_p=0.5",
            "batch_tokens=1150",
        )
        for word in ("--set", change)
    ]
    run = tmp_path / "r"
    command = ("train", tiny_config, "--runs", tmp_path, "--name", "r", *changes)
    first = cli(*command)
    assert first.code == 0, first.err
    stages = ("verdicts", "rewards", "pairs", "dropped")
    whole = {stage: (run / "M2" / f"{stage}.jsonl").read_bytes() for stage in stages}
    # What a process leaves that is killed after its last verdict was committed, before the stage's file was written.
    for stage in (*stages, "health"):
        (run / "M2" / f"{stage}.jsonl").unlink()
    shutil.rmtree(run / "M2" / "checkpoint")
    again = cli(*command)
    assert again.code == 0, again.err
    assert [stage for stage in stages if (run / "M2" / f"{stage}.jsonl").read_bytes() != whole[stage]] == []


def test_ctrl_c_stops_with_one_line(cli, tiny_config, tmp_path):
    process = cli.start("train", tiny_config, "--runs", tmp_path, "--name", "r")
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (tmp_path / "r" / "SFT" / "checkpoint.unfinished").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Stopped." in err
    assert "Traceback" not in err


def test_a_second_process_on_the_same_run_is_told_so(cli, tiny_config, tmp_path):
    command = ("train", tiny_config, "--runs", tmp_path, "--name", "r", "--set", "iterations=0")
    first = cli.start(*command)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (tmp_path / "r" / "SFT" / "checkpoint.unfinished").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        second = cli(*command)
        _, err = first.communicate(timeout=PATIENCE_SECONDS)
    finally:
        first.kill()
    assert first.returncode == 0, err
    assert second.code == 2
    assert "Traceback" not in second.err
    assert second.err.startswith("Error: Another process ")
