"""Checkpoints that think, as contestants and as judges, through the real command line: as a server's thoughts are."""

import json

import pytest

from helpers.thinking_models import TEMPLATES, thinking_checkpoint
from srlm.config_file import load_config
from srlm.runs import start_run

DRAFT = "First look."
QUESTIONS = [{"question_id": 81, "category": "writing", "turns": ["Write a line.", "Write another."]}]
PAIRS = [{"prompt": f"Name {n} colours.", "chosen": "red, blue", "rejected": "none " * n} for n in range(1, 4)]
FILE = [{"id": f"{n}", "instruction": f"Name {n} colours.", "output": "red " * n} for n in range(1, 3)]


@pytest.fixture(scope="module", params=TEMPLATES)
def thought(request, once, cli):
    """A folder in which every command was given that asks a model or reads what one said; once for all tests."""

    def make(folder):
        start_run(folder / "runs", "r", load_config("quickstart", ["candidate_sampling.max_tokens=16"])).close()
        (folder / "question.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)), encoding="utf-8")
        (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, PAIRS)), encoding="utf-8")
        (folder / "file.jsonl").write_text("\n".join(map(json.dumps, FILE)), encoding="utf-8")
        says = {"writer": "Plain words.", "scorer": "It is so.\nScore: 4", "grader": "It is so.\nRating: [[7]]"}
        says |= {"voter": "A"}
        model = {name: thinking_checkpoint(folder / name, request.param, answer) for name, answer in says.items()}
        model["endless"] = thinking_checkpoint(folder / "endless", request.param, "", closes=False)
        at = ("--runs", folder / "runs", "--run", "r")
        asks = ("--suite", "alpaca", "--limit", 2)
        said = {
            "voted": ("eval", model["writer"], *asks, "--judge", model["voter"], *at),
            "unread": ("judge", "card", model["scorer"], "--pairs", "pairs.jsonl", "--samples", 1),
            "endless": ("eval", model["endless"], *asks, "--judge", model["voter"], *at),
            "graded": (
                *("eval", model["writer"], "--suite", "mt-bench", "--prompts", "question.jsonl"),
                *("--judge", model["grader"], "--max-tokens", 16, *at),
            ),
            "checked": ("eval", model["writer"], "--suite", "verifiable", "--data", "countdown", "--limit", 2, *at),
            "reward": ("eval", model["scorer"], "--suite", "reward", "--limit", 2, "--scoring", "sampled", *at),
            "judge": ("judge", "file.jsonl", "--judge", model["scorer"], "--samples", 1, "--output", "judged.jsonl"),
            "compare": ("compare", model["writer"], "--format", "json", *at),
            "report": ("report", "--output", "page.html", "--runs", folder / "runs", "r"),
        }
        for name, words in said.items():
            result = cli(*words, cwd=folder)
            assert result.code == 0, (name, result.err)
            (folder / f"{name}.out").write_text(result.out + result.err, encoding="utf-8")

    return once(f"thinking-{request.param.replace(' ', '-')}", make)


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_no_verdict_is_read_out_of_a_thought(thought):
    found = [row for path in (thought / "runs").rglob("*verdicts.jsonl") for row in rows(path)]
    found += [verdict for row in rows(thought / "judged.jsonl") for verdict in row["verdicts"]]
    values = {one["reading"]["value"] for one in found if one["reading"]["kind"] == "scored"}
    assert {4.0, 7.0} <= values
    assert values.isdisjoint({2.0})
    for one in found:
        assert DRAFT not in json.dumps(one["reading"])
        if "probabilities" not in json.dumps(one["reading"]) or one["reading"].get("probabilities") is None:
            assert DRAFT in one["thoughts"]


def test_answers_are_measured_without_their_thoughts(thought):
    answers = [row for path in (thought / "runs").rglob("*answers.jsonl") for row in rows(path)]
    assert {row["text"] for row in answers} == {"Plain words.", ""}
    assert all(DRAFT in row["thoughts"] for row in answers)
    for path in (thought / "runs").rglob("model_outputs.json"):
        assert DRAFT not in path.read_text(encoding="utf-8")


def test_who_only_thinks_is_said_to(thought):
    assert "their tokens went into reasoning" in (thought / "endless.out").read_text(encoding="utf-8")


def test_what_a_choice_was_not_about_to_say_is_unread(thought):
    """After its closed thought this judge says other words than A or B: what these two share is no preference."""
    card = (thought / "unread.out").read_text(encoding="utf-8")
    assert DRAFT not in card
    assert "unparsed verdicts, below it" in card


def test_what_is_printed_and_shown_has_no_thought(thought):
    for name in ("compare.out", "voted.out", "graded.out", "judge.out", "page.html"):
        assert DRAFT not in (thought / name).read_text(encoding="utf-8")
