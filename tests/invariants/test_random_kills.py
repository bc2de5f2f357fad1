"""Killed at 30 random moments, runs of quickstart's size end with the same bytes as one that never was.

A life of a run ends by SIGKILL to its whole process group, at a random moment between its going to work, which is when
it has imported what it needs, and two fifths of the unbroken run's work later; the next life goes on from there. When a
run has ended all the same, another begins, until there were ten kills, three times over.

    pytest tests/invariants/test_random_kills.py -s            prints where each kill hit
    SRLM_TEST_SEED=7 pytest tests/invariants/test_random_kills.py -s     draws other delays

The delays come from the seed; where they hit depends on the machine as well.
"""

import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from itertools import count

import pytest

pytestmark = pytest.mark.slow

PARTS, KILLS = 3, 10
SHARE = 0.4
PATIENCE_SECONDS = 240
MODELS = ("SFT", "M1", "M2", "M3")
CONFIG = """\
preset: quickstart
model: {model}
device: cpu
dtype: float32
batch_tokens: 1536
candidate_sampling: {{temperature: 1.0, top_p: 1.0}}
# Epochs and save_steps: trainings long enough to be killed inside, and to go on inside. Dropout: the random states that
# it is drawn from must go on, too.
sft: {{learning_rate: 2.0e-3, epochs: 2, save_steps: 2, dropout: 0.1}}
instructions: {{sampling: {{temperature: 0.8, top_p: 1.0}}, rouge_limit: 1.0, min_words: 1}}
judge: {{scoring: expected, rubric: {rubric}}}
dpo: {{learning_rate: 1.0e-4, epochs: 8, save_steps: 2, dropout: 0.1}}
"""
"""The preset's counts, with rates for a model of 40,000 weights; it cannot write a judgement that could be read."""

STAGES = [
    *("seeds/validation.jsonl", "SFT/checkpoint", "M1/judgements.jsonl", "M1/checkpoint"),
    *(
        f"{model}/{stage}"
        for model in ("M2", "M3")
        for stage in (
            *("instructions.jsonl", "candidates.jsonl", "verdicts.jsonl", "canary_verdicts.jsonl", "pairs.jsonl"),
            *("health.jsonl", "reference.jsonl", "checkpoint"),
        )
    ),
]
"""What a run writes, in order: the first that is missing is what a kill hit."""

AT_WORK = """
import os, sys
from pathlib import Path

class Mark:
    def find_spec(name, path=None, target=None):
        if name == "trainer.finetune.resume":
            Path(os.environ["AT_WORK"]).touch()

sys.meta_path.insert(0, Mark)
write = sys.stderr.write

def marked(text):
    if os.environ["TRAINS"] == "False" and "This will take about" in text:
        Path(os.environ["AT_WORK"]).touch()
    return write(text)

sys.stderr.write = marked
"""
"""Leaves a file when a process's start-up is over: in one that goes on with a training, when it imports what comes last
before it trains; in one that goes on with generation, when it has measured how long it will take."""


@dataclass(frozen=True)
class Kill:
    """The run, seconds that the life had worked, its return code, what it hit, and the training's states there."""

    run: str
    after: float
    code: int
    stage: str
    states: tuple[str, ...]

    def __str__(self) -> str:
        return f"  {self.run}  after {self.after:5.1f} s  {self.stage:24} {' '.join(self.states)}".rstrip()


def say(text: object) -> None:
    """For those who look on, with pytest -s, and for the report of a failure."""
    print(text, flush=True)  # noqa: T201


def live(cli, words, mark, trains: bool, seconds: float) -> tuple[int, str, float]:
    """One life of a run, killed when it has worked for so long: its return code, last words, and seconds of work."""
    mark.unlink(missing_ok=True)
    process = cli.fork(*words, customize=AT_WORK, env={"AT_WORK": str(mark), "TRAINS": str(trains)})
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    began = time.monotonic()
    try:
        _, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        _, err = process.communicate()
    return process.returncode, err, time.monotonic() - began


def hit(run) -> tuple[str, tuple[str, ...]]:
    """The stage that a dead process was in, and the states of a training that it left there."""
    stage = next((stage for stage in STAGES if not (run.folder / stage).exists()), "the end")
    training = run.folder / stage.removesuffix("checkpoint") / "training"
    return stage, tuple(sorted(path.name for path in training.glob("*-*")))


@pytest.fixture(scope="module")
def unbroken(cli, tiny_model, tiny_config, run_folder, tmp_path_factory):
    """The run that nothing disturbed, its seconds of work, and a function that begins a run or goes on with it."""
    place = tmp_path_factory.mktemp("random")
    config = place / "quickstart.yaml"
    config.write_text(CONFIG.format(model=tiny_model, rubric=tiny_config.parent / "short.md"), encoding="utf-8")

    def life(run, seconds: float) -> tuple[int, str, float]:
        words = ("train", config, "--runs", place, "--name", run.folder.name)
        return live(
            cli, words, place / "at-work", hit(run)[0] in (*STAGES[:4], "M2/checkpoint", "M3/checkpoint"), seconds
        )

    run = run_folder(place / "whole")
    code, err, work = life(run, PATIENCE_SECONDS)
    assert code == 0, err
    expected = run.results()
    assert {f"{model}/checkpoint/model.safetensors" for model in MODELS} < set(expected)
    for model in MODELS[2:]:
        kinds = ("instructions", "candidates", "verdicts", "rewards", "pairs")
        assert {f"{model}/{kind}.jsonl" for kind in kinds} < set(expected)
    say(f"\nThe unbroken run worked for {work:.1f} s.")
    return run, work, life


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_random_a_run_leaves_what_it_had_left_unkilled(unbroken, run_folder, part):
    whole, work, life = unbroken
    seed = f"{os.environ.get('SRLM_TEST_SEED', '0')}.{part}"
    say(f"\nKills with the seed {seed}")
    chance = random.Random(seed)
    names = (f"run-{part}-{number}" for number in count())
    runs = [run_folder(whole.folder.parent / next(names))]
    kills: list[Kill] = []
    while True:
        enough = len(kills) == KILLS
        code, err, after = life(runs[-1], PATIENCE_SECONDS if enough else chance.uniform(0, SHARE * work))
        if code == 0 and enough:
            break
        if code == 0:
            runs.append(run_folder(whole.folder.parent / next(names)))
            continue
        assert code == -signal.SIGKILL and not enough, err
        kills.append(Kill(runs[-1].folder.name, after, code, *hit(runs[-1])))
        say(kills[-1])
    assert [kill.code for kill in kills] == [-signal.SIGKILL] * KILLS
    assert len({kill.stage for kill in kills}) > 2, "the kills are not spread over the work"
    assert any(state.startswith("step-") for kill in kills for state in kill.states), "no training went on inside"
    for run in runs:
        assert differing(run, whole) == set(), run.folder.name
        assert run.calls() == whole.calls(), run.folder.name
        for model in MODELS:
            assert run.losses(model) == whole.losses(model), f"{run.folder.name} {model}"


def differing(run, whole) -> set[str]:
    """Names of files that only one of the two has, or that have other bytes."""
    found, expected = run.results(), whole.results()
    return {name for name in found | expected if found.get(name) != expected.get(name)}
