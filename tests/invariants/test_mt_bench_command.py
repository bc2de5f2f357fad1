"""The suite mt-bench through the real command line: twice is once, and what is missing is named before any call."""

import json

import pytest

from helpers.servers import serving
from srlm.config_file import load_config
from srlm.runs import start_run

KEY = {"OPENAI_API_KEY": "k"}

QUESTIONS = [
    {"question_id": 81, "category": "writing", "turns": ["Write a line.", "Write another."]},
    {"question_id": 111, "category": "math", "turns": ["What is 1 + 1?", "And twice that?"]},
]
REFERENCE = {"question_id": 111, "choices": [{"index": 0, "turns": ["2", "4"]}]}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "reference_answer").mkdir()
    (tmp_path / "question.jsonl").write_text("".join(json.dumps(one) + "\n" for one in QUESTIONS), encoding="utf-8")
    (tmp_path / "reference_answer" / "gpt-4.jsonl").write_text(json.dumps(REFERENCE), encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(tmp_path):
    """A run without a model: whoever answers is on a server."""
    start_run(tmp_path / "runs", "r", load_config("quickstart", [])).close()
    return tmp_path / "runs"


def written(run):
    return {path.name: path.read_bytes() for path in sorted((run / "r" / "evals").rglob("*")) if path.is_file()}


def test_a_second_eval_asks_nothing_and_changes_nothing(cli, run, folder):
    at = ("--runs", run, "--run", "r")
    seen = []
    with serving() as server:
        models = [server.spec("openai", name) for name in ("one", "two")]
        judge = ("--judge", server.spec("openai", "judge"))
        for _ in range(2):
            result = cli("eval", *models, "--suite", "mt-bench", "--prompts", folder, *judge, *at, env=KEY)
            assert result.code == 0, result.err
            seen.append((written(run), len(server.answered)))
    assert seen[0] == seen[1]
    # Two models, two questions, two turns. This server gives both models the same answers: each is graded once.
    assert seen[0][1] == 8 + 4
    result = cli("compare", *models, "--format", "json", *at)
    assert (result.code, result.err) == (0, "")
    found = {metric["key"]: metric for metric in json.loads(result.out)["metrics"]}
    assert (found["mt_bench"]["unit"], found["mt_bench"]["models"][models[1]]["n"]) == ("grade", 4)
    assert found["mt_bench_graded"]["models"][models[0]]["value"] == 1
    assert "difference" in found["mt_bench_math_code_reasoning"]["models"][models[1]]


@pytest.mark.parametrize(
    ("suite", "words", "named"),
    [
        ("mt-bench", ("--prompts", "nowhere.jsonl"), "nowhere.jsonl: there is no such file"),
        ("alpaca,mt-bench", ("--prompts", "question.jsonl"), "one after the other"),
    ],
)
def test_questions_that_are_missing_are_named_in_one_line(cli, run, suite, words, named):
    result = cli("eval", "openai:m", "--suite", suite, *words, "--runs", run, "--run", "r", env=KEY)
    assert (result.code, result.out) == (2, "")
    assert named in result.errors[-1]
