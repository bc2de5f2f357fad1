"""`srlm train` with a program, a reward model and combinations: what it learns from, and every way that it can stop.

The rewards of pairs, vetoes and resumed runs are checked against the functions themselves, by the real command line.
"""

import json
import shutil
from textwrap import dedent

import pytest

from helpers.reward_models import reward_model

PROGRAM = '''\
"""Short answers are better. `WHERE` counts the calls."""

import os
from pathlib import Path


def score(prompt, answer):
    counted = Path(os.environ["WHERE"])
    with counted.open("a", encoding="utf-8") as file:
        file.write("x")
    if counted.with_suffix(".stop").exists() and counted.stat().st_size > 12:
        raise ValueError("the table of words is missing")
    return None if len(answer) % 7 == 0 else -len(answer) / 10


def short(prompt, answer):
    return len(answer) < 60
'''

FAST = ("seeds.eft=false", "iterations=1", "monitor.degenerate_answer_prompts=1", "instructions.count=8")
"""One iteration after a short SFT; the judge is not trained, because it does not decide."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working folder with the program and a reward model."""
    folder = tmp_path_factory.mktemp("rewards")
    (folder / "check.py").write_text(PROGRAM, encoding="utf-8")
    reward_model(folder / "rm")
    return folder


@pytest.fixture(scope="module")
def train(cli, tiny_config, place):
    """`srlm train` of the tiny model in that folder, into a run of the name."""

    def run(name, reward, *changes, options=()):
        words = [word for one in (*FAST, f"reward={reward}", *changes) for word in ("--set", one)]
        where = str(place / f"{name}.calls")
        command = ("train", tiny_config, "--runs", place / "runs", "--name", name, *words, *options)
        return cli(*command, cwd=place, env={"WHERE": where})

    return run


def records(place, name, stage):
    return [json.loads(line) for line in (place / "runs" / name / f"{stage}.jsonl").read_text("utf-8").splitlines()]


def results(place, name):
    """The bytes of what was computed."""
    folder = place / "runs" / name
    files = [file for file in folder.rglob("*") if file.suffix in {".jsonl", ".safetensors"}]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.name != "training.jsonl"}


@pytest.fixture(scope="module")
def by_program(train, place):
    """A run with the program that nothing disturbed."""
    result = train("program", "check.py:score")
    assert result.code == 0, result.err
    return result


def test_the_rewards_are_those_of_the_program_and_pairs_follow_them(by_program, place):
    answers = {one["id"]: one["text"] for one in records(place, "program", "M2/candidates")}
    rewards = {one["answer_id"]: one["value"] for one in records(place, "program", "M2/rewards")}
    assert {key: None if len(text) % 7 == 0 else -len(text) / 10 for key, text in answers.items()} == rewards
    pairs = records(place, "program", "M2/pairs")
    assert pairs
    assert all(len(one["chosen"]) < len(one["rejected"]) for one in pairs)
    assert all(one["chosen_reward"] == rewards[one["chosen_id"]] for one in pairs)
    verdicts = records(place, "program", "M2/verdicts")
    assert {one["judge"] for one in verdicts} == {"check.py:score"}
    assert len({one["rubric"] for one in verdicts}) == 1
    assert "M1: judge" not in by_program.err


def test_the_monitor_has_no_scale_for_it(by_program, place):
    (health,) = records(place, "program", "M2/health")
    values = sorted(one["value"] for one in records(place, "program", "M2/rewards") if one["value"] is not None)
    assert (health["highest"], health["top_share"], health["score_histogram"]) == (None, None, {})
    assert (health["quartiles"][0], health["quartiles"][4]) == (values[0], values[-1])
    assert health["parse_rate"] == pytest.approx(len(values) / health["candidates"], abs=1e-4)
    assert "rewards, lowest to highest by quarters" in by_program.out


def test_show_tells_how_an_answer_was_scored(by_program, cli, place):
    (pair, *_) = records(place, "program", "M2/pairs")
    result = cli("show", pair["id"], "--runs", place / "runs", "--run", "program")
    assert result.code == 0
    assert f"{pair['chosen_id']}-r0 by check.py:score, program:" in result.out
    report = cli("report", "program", "--runs", place / "runs", "--output", place / "r.html", "--no-map")
    assert report.code == 0, report.err
    assert "is rewarded by check.py:score" in (place / "r.html").read_text("utf-8")


def test_the_model_card_names_the_program_and_no_folder(by_program, place):
    card = (place / "runs" / "program" / "M2" / "checkpoint" / "README.md").read_text("utf-8")
    assert "check.py:score (weight 1)" in card
    assert str(place) not in card


@pytest.mark.slow
def test_a_run_that_the_program_stopped_goes_on_and_calls_it_once_for_each_answer(by_program, train, place):
    stop, counted = place / "stopped.stop", place / "stopped.calls"
    stop.touch()
    result = train("stopped", "check.py:score")
    assert result.code == 2
    (error,) = result.errors
    assert "check.py, line 12: the reward program raised ValueError: the table of words is missing" in error
    assert "Traceback" not in result.err
    assert counted.stat().st_size == 13
    stop.unlink()
    result = train("stopped", "check.py:score")
    assert result.code == 0, result.err
    whole, resumed = (place / f"{name}.calls" for name in ("program", "stopped"))
    assert resumed.stat().st_size == whole.stat().st_size + 1  # the call that raised is repeated
    assert results(place, "stopped") == results(place, "program")


def test_an_edited_program_is_noticed(by_program, train, place):
    shutil.copytree(place / "runs" / "program", place / "runs" / "edited")
    shutil.rmtree(place / "runs" / "edited" / "M2" / "checkpoint")
    for stage in ("verdicts", "rewards", "pairs", "dropped", "health"):
        (place / "runs" / "edited" / "M2" / f"{stage}.jsonl").unlink()
    other = train("edited", "check.py:short")
    assert "reward check.py:score -> check.py:short" in other.err
    (place / "check.py").write_text(PROGRAM.replace("/ 10", "/ 20"), encoding="utf-8")
    try:
        result = train("edited", "check.py:score")
    finally:
        (place / "check.py").write_text(PROGRAM, encoding="utf-8")
    assert result.code == 2
    assert "check.py:score program:" in result.err
    assert "Give the new one its own --name" in result.err


@pytest.mark.slow
def test_a_reward_model_decides_with_its_logits(train, place):
    result = train("model", "rm")
    assert result.code == 0, result.err
    verdicts = records(place, "model", "M2/verdicts")
    assert {one["judge"] for one in verdicts} == {"rm"}
    assert {one["rubric"].partition(":")[0] for one in verdicts} == {"reward-model"}
    rewards = {one["answer_id"]: one["value"] for one in records(place, "model", "M2/rewards")}
    for pair in records(place, "model", "M2/pairs"):
        of_prompt = [value for key, value in rewards.items() if key.startswith(f"{pair['prompt_id']}-c")]
        assert (rewards[pair["chosen_id"]], rewards[pair["rejected_id"]]) == (max(of_prompt), min(of_prompt))


@pytest.mark.slow
def test_a_combination_is_a_mean_with_vetoes(train, place):
    reward = (
        "[{source: judge, weight: 1}, {source: check.py:score, weight: 3}, {source: check.py:short, veto_below: 1}]"
    )
    result = train("several", reward)
    assert result.code == 0, result.err
    values = {}
    for one in records(place, "several", "M2/verdicts"):
        values.setdefault(one["answer_ids"][0], {})[one["judge"]] = one["reading"].get("value")
    texts = {one["id"]: one["text"] for one in records(place, "several", "M2/candidates")}
    rewards = {one["answer_id"]: one for one in records(place, "several", "M2/rewards")}
    assert set(rewards) == set(texts) == set(values)
    for key, reward in rewards.items():
        assert set(values[key]) == {"M1", "check.py:score", "check.py:short"}
        own, program = values[key]["M1"], values[key]["check.py:score"]
        expected = None if own is None or program is None else (own + 3 * program) / 4
        assert reward["value"] == (None if expected is None else pytest.approx(expected))
        assert reward["vetoed_by"] == (["check.py:short"] if len(texts[key]) >= 60 else [])
    pairs = records(place, "several", "M2/pairs")
    assert pairs
    assert all(not rewards[one["chosen_id"]]["vetoed_by"] for one in pairs)
    for one in pairs:
        banned = [key for key in rewards if key.startswith(f"{one['prompt_id']}-c") and rewards[key]["vetoed_by"]]
        usable = [key for key in banned if rewards[key]["value"] is not None]
        assert (one["rejected_id"] in usable) == bool(usable)
        assert ("vetoed" in one["reason"]) == bool(usable)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def score(prompt, answer)\n    return 1\n", "line 1: the reward program is no Python"),
        ("def rate(prompt, answer):\n    return 1\n", "the function 'score' does not exist"),
    ],
)
def test_a_bad_program_is_one_message(train, place, text, said):
    (place / "bad.py").write_text(dedent(text), encoding="utf-8")
    name = f"bad-{abs(hash(text))}"
    result = train(name, "bad.py:score")
    assert result.code == 2
    (error,) = result.errors
    assert said in error
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        ("missing.py:score", "missing.py: the reward program does not exist"),
        ("no-such-model", "For reward, the source 'no-such-model' does not exist"),
        ("check.py", "names a file and no function in it"),
        ("[judge, judge]", "names the source judge twice"),
    ],
)
def test_a_source_that_does_not_exist_is_refused_before_anything_is_written(train, place, reward, said):
    result = train("nothing", reward)
    assert result.code == 2
    (error,) = result.errors
    assert said in error
    assert not (place / "runs" / "nothing").exists()


def test_a_classifier_of_two_labels_and_a_language_model_are_refused(train, place, tiny_model):
    reward_model(place / "two", labels=2)
    assert "gives 2 logits for a text" in train("nothing", "two").err
    assert "is a language model, and has no score to give" in train("nothing", tiny_model).err
    assert "is rm, a reward model, which writes no verdicts" in train("nothing", "judge", "judge.frozen=rm").err
    assert not (place / "runs" / "nothing").exists()


def test_a_reward_without_a_scale_has_no_highest_value_to_keep_positives_by(train):
    result = train("nothing", "check.py:score", "learn_from=positives")
    assert "Set positives.min_reward" in result.err
    assert result.code == 2


# --- measured before any training -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measure(cli, place):
    """A command in that folder, with runs of its own."""
    return lambda *words: cli(*words, cwd=place, env={"WHERE": str(place / "measured.calls"), "SRLM_RUNS": "measured"})


@pytest.mark.parametrize("spec", ["check.py:score", "rm"])
def test_the_card_of_a_source_calls_it_once(measure, place, spec):
    first = measure("judge", "card", spec, "--limit", "12", "--format", "json")
    assert first.code == 0, first.err
    card = json.loads(first.out)
    assert card["pairs"] == 12
    assert card["scores"]["scoring"] == {"check.py:score": "program", "rm": "reward model"}[spec]
    assert 0 <= card["scores"]["agreement"]["low"] <= card["scores"]["agreement"]["value"] <= 1
    counted = place / "measured.calls"
    before = counted.stat().st_size if counted.exists() else 0
    assert json.loads(measure("judge", "card", spec, "--limit", "12", "--format", "json").out) == card
    assert (counted.stat().st_size if counted.exists() else 0) == before
    estimate = measure("judge", "card", spec, "--limit", "20", "--estimate")
    assert "calls to make" in estimate.out
    assert (counted.stat().st_size if counted.exists() else 0) == before


def test_a_file_of_answers_is_scored_with_the_card(measure, place):
    rows = [{"instruction": f"Name {n}.", "output": "x" * n} for n in range(1, 9)]
    (place / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    result = measure("judge", "answers.jsonl", "--judge", "check.py:score", "--format", "json")
    assert result.code == 0, result.err
    summary = json.loads(result.out)
    assert (summary["answers"], summary["scored"], summary["histogram"]) == (8, 7, [])
    judged = [json.loads(line) for line in (place / "answers.judged.jsonl").read_text("utf-8").splitlines()]
    assert [one["reward"] for one in judged] == [None if n == 7 else -n / 10 for n in range(1, 9)]
    table = measure("judge", "answers.jsonl", "--judge", "check.py:score")
    assert table.code == 0
    assert "with a value, %" in table.out
    assert "prompt injection" not in table.out


def test_the_suite_reward_measures_sources_and_compares_them(measure):
    result = measure("eval", "check.py:score", "rm", "--suite", "reward", "--limit", "6")
    assert result.code == 0, result.err
    found = measure("compare", "check.py:score", "rm", "--format", "csv")
    assert found.code == 0, found.err
    assert "rm_pairwise_half" in found.out
    assert "check.py:score" in found.out
    other = measure("eval", "check.py:score", "--suite", "alpaca", "--judge", "rm")
    assert other.code == 2
    assert "scores answers and writes no text" in other.err


COMBINED = """\
model: smollm2
seeds: {eft: false}
reward:
  - {source: check.py:score, weight: 3}
  - {source: rm, weight: 1}
  - {source: check.py:short, veto_below: 1}
"""


@pytest.fixture(scope="module")
def combined(place):
    """The run file of a combination, and the folders of what it is measured with."""
    (place / "mine.yaml").write_text(COMBINED, encoding="utf-8")
    (place / "judged.yaml").write_text(COMBINED.replace("reward:", "reward:\n  - judge"), encoding="utf-8")
    return place


def test_a_combination_is_measured_by_its_run_file_and_calls_each_source_once(combined, cli):
    def run(*words):
        result = cli(*words, cwd=combined, env={"WHERE": str(combined / "combined.calls"), "SRLM_RUNS": "combined"})
        assert result.code == 0, result.err
        return result.out

    short = ("--limit", "12", "--ledger", "combined.sqlite", "--format", "json")
    own = json.loads(run("judge", "card", "check.py:score", *short))
    calls = (combined / "combined.calls").stat().st_size
    card = json.loads(run("judge", "card", "mine.yaml", *short))
    assert (combined / "combined.calls").stat().st_size == calls
    assert (card["judge"], card["scores"]["scoring"]) == ("mine.yaml", "combination")
    assert 0 < card["scores"]["vetoed"]["value"] < 1
    assert card["scores"]["reliability"]["parsed"] == own["scores"]["reliability"]["parsed"]
    assert json.loads(run("judge", "card", "mine.yaml", *short)) == card
    assert "rm: " in run("judge", "card", "mine.yaml", *short[2:], "--limit", "20", "--estimate")

    answers = [{"instruction": f"Name {n}.", "output": "x" * n} for n in (1, 7, 80)]
    (combined / "three.jsonl").write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")
    values = {}
    for spec in ("mine.yaml", "check.py:score", "rm"):
        run("judge", "three.jsonl", "--judge", spec, "--ledger", "combined.sqlite", "--output", f"{spec[:2]}.jsonl")
        lines = (combined / f"{spec[:2]}.jsonl").read_text("utf-8").splitlines()
        values[spec] = [json.loads(line) for line in lines]
    of_all, program, model = values.values()
    assert [one["vetoed_by"] for one in of_all] == [[], [], ["check.py:short"]]
    assert of_all[1]["reward"] is None
    for place in (0, 2):
        expected = (3 * program[place]["reward"] + model[place]["reward"]) / 4
        assert of_all[place]["reward"] == pytest.approx(expected)

    run("eval", "mine.yaml", "check.py:score", "--suite", "reward", "--limit", "6")
    table = run("compare", "mine.yaml", "check.py:score", "--format", "csv")
    assert "rm_vetoed" in table


def test_a_combination_with_the_judge_needs_a_model_for_it(combined, measure):
    result = measure("judge", "card", "judged.yaml")
    assert result.code == 2
    (error,) = result.errors
    assert "judge.frozen is not set. Give judge.frozen a model" in error
    other = measure("eval", "mine.yaml", "--suite", "alpaca", "--judge", "rm")
    assert other.code == 2
    assert "is a combination of rewards and writes no text" in other.err
