"""The puzzle world through the real command line, at sizes that take seconds: nothing is learned, all is there."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from helpers.paths import ROOT
from srlm.puzzle.task import Puzzle

LEARN = ROOT / "tools" / "learn.py"
SMALL = [
    *("--set", "seeds.ift_limit=8"),
    *("--set", "seeds.eft_limit=16"),
    *("--set", "seeds.validation_limit=4"),
    *("--set", "sft.epochs=1"),
    *("--set", "instructions.count=12"),
    *("--set", "candidates=3"),
    *("--set", "dpo.epochs=1"),
    *("--set", "dpo.replay=2"),
]
READABLE = ("--set", "judge.scoring=expected")  # so little training leaves a judge whose words cannot be read


@pytest.fixture(scope="module")
def trained(cli, tmp_path_factory):
    """Runs of two seeds."""
    runs = tmp_path_factory.mktemp("puzzle")
    for seed in (0, 3):
        command = ("train", "puzzle", "--runs", runs, "--name", f"s{seed}", "--set", f"seed={seed}", *SMALL, *READABLE)
        result = cli(*command)
        assert result.code == 0, result.err
    return runs


def lines(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_the_loop_learns_from_puzzles_of_its_own(trained):
    seeds = {
        one["instruction"] for name in ("ift", "eft", "validation") for one in lines(trained / f"s0/seeds/{name}.jsonl")
    }
    made = [one["instruction"] for model in ("M2", "M3") for one in lines(trained / f"s0/{model}/instructions.jsonl")]
    assert len(set(made)) == len(made) == 24
    assert not seeds & set(made)
    assert {Puzzle(one).split for one in made} == {"loop"}


def test_the_commands_of_make_demo_end_with_a_chart_and_a_page(cli, trained):
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ndemo:")[1].split("\n\n")[0]
    commands = re.findall(r"^\t\$\(BIN\)/srlm (.*)$", recipe, re.MULTILINE)
    assert commands.pop(0).startswith("train puzzle --name demo")
    results = [cli(*command.replace("demo", "s0").split(), "--runs", trained) for command in commands]
    assert [result.code for result in results] == [0, 0, 0], results[-1].err
    assert re.search(r"^puzzles solved, %  0 .* 100$", results[1].out, re.MULTILINE)
    page = (trained / "s0/report.html").read_text(encoding="utf-8")
    assert 'id="verifiable"' in page


def test_m1_sees_each_demonstration_as_often_as_it_should(trained):
    (last,) = lines(trained / "s0/M1/training.jsonl")[-1:]
    assert last["step"] == (8 * 8 + 16) / 40


def test_the_checker_is_not_seen_by_the_loop(trained):
    """What a run knows of its own puzzles comes from its models: no prompt has a reference, no reward is the truth."""
    for model in ("M2", "M3"):
        prompts = {one["id"]: one for one in lines(trained / f"s0/{model}/instructions.jsonl")}
        assert {one["reference"] for one in prompts.values()} == {None}
        answers = {one["id"]: one for one in lines(trained / f"s0/{model}/candidates.jsonl")}
        rewards = [one for one in lines(trained / f"s0/{model}/rewards.jsonl") if one["value"] is not None]
        truths = [
            Puzzle(prompts[answers[one["answer_id"]]["prompt_id"]]["instruction"]).score(
                answers[one["answer_id"]]["text"]
            )
            for one in rewards
        ]
        assert [one["value"] for one in rewards] != truths
        assert {one["verdict_ids"] != [] for one in rewards} == {True}


def test_the_seed_of_a_run_gives_it_a_model_and_seeds_of_its_own(trained):
    stored = [yaml.safe_load((trained / f"s{seed}/run.yaml").read_text(encoding="utf-8")) for seed in (0, 3)]
    assert [(one["model"], one["seeds"]["source"]) for one in stored] == [("puzzle:0",) * 2, ("puzzle:3",) * 2]
    for file in ("seeds/ift", "seeds/eft", "M2/instructions"):
        assert lines(trained / f"s0/{file}.jsonl") != lines(trained / f"s3/{file}.jsonl")


def test_more_puzzles_than_there_are_end_in_one_message(cli, tmp_path):
    result = cli(
        *("train", "puzzle", "--runs", tmp_path, *SMALL, *READABLE, "--set", "instructions.count=9000"),
    )
    assert result.code == 2
    assert "needs 18000 new puzzles, and 8992 are left" in result.err
    assert not list(tmp_path.iterdir())  # said before anything is written
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("control", "says"),
    [
        ((), "the judge has not learned"),
        pytest.param(("--control", "no-eft"), "no preference pair", marks=pytest.mark.slow),
    ],
)
def test_the_learning_test_says_when_nothing_was_learned(cli, tmp_path, control, says):
    command = [sys.executable, str(LEARN), "--runs", str(tmp_path), "--tested", "20", *SMALL, *control]
    done = subprocess.run(command, env=cli.environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout.splitlines()[-1])
    assert says in record["ended"]
    assert record["gain"] == 0
    assert [(one["model"], one["solved"]["n"]) for one in record["models"]] == [("M1", 20)]


@pytest.mark.slow
def test_random_scores_come_in_before_the_loop_reads_them(cli, tmp_path):
    def learned(*options):
        command = [sys.executable, str(LEARN), "--tested", "20", *SMALL, *options]
        return subprocess.run(command, env=cli.environment, capture_output=True, text=True, timeout=240, check=False)

    assert learned("--runs", str(tmp_path / "plain")).returncode == 0
    told = ("--control", "random-scores", "--m1", str(tmp_path / "plain"), "--set", "dpo.beta=0.2")
    done = learned("--runs", str(tmp_path / "random"), *told)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout.splitlines()[-1])
    assert [one["model"] for one in record["models"]] == ["M1", "M2", "M3"]
    assert "dpo.beta=0.2" in record["changes"]
    run = tmp_path / "random" / "seed-0-random-scores"
    assert lines(run / "M2/verdicts.jsonl") == []
    assert len(lines(run / "M2/rewards.jsonl")) == 36
    same = "M1/checkpoint/model.safetensors"
    assert (run / same).read_bytes() == (tmp_path / "plain" / "seed-0" / same).read_bytes()
    other = learned("--m1", str(tmp_path / "plain"), "--set", "sft.epochs=2")
    assert other.returncode == 1
    assert "seed-0 has no M1 of these settings (sft.epochs 1.0 -> 2.0)" in other.stderr


def test_switches_are_compared_seed_by_seed(tmp_path):
    def record(seed, *solved, changes=()):
        models = [{key: {"value": share} for key in ("solved", "pass_at_4", "judge")} for share in solved]
        return json.dumps({"changes": changes, "seed": seed, "models": models})

    given = [
        record(1, 0.4, 0.6, 0.7),
        record(2, 0.5, 0.7, 0.9),
        record(3, 0.5, 0.7, 0.9),
        record(2, 0.5, 0.6, 0.7, changes=["dpo.replay=0"]),
        record(1, 0.4, 0.5, 0.6, changes=["dpo.replay=0"]),
        record(1, 0.4, changes=["dpo.nll_coef=0"]),
    ]
    file = tmp_path / "switches.jsonl"
    file.write_text("\n".join(given))
    table = subprocess.run(
        [sys.executable, str(LEARN.parent / "learn_switches.py"), str(file)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert table[2] == "| nothing | 3 | 0.667 | 0.833 |  | 0.833 | 0.833 |"
    # differences -0.1 and -0.2: mean -0.15, and Student's t with one degree of freedom times 0.05
    assert table[3] == "| `dpo.replay=0` | 2 | 0.550 | 0.650 | -0.150 [-0.785, +0.485] | 0.650 | 0.650 |"
    assert table[4].startswith("| `dpo.nll_coef=0` | 1 | none | 0.400 | -0.300 [")
