"""The suite mt-bench through the real command line: twice is once, and what is missing is named before any call."""

import json

import pytest
from servers import serving

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


def test_a_second_eval_asks_nothing_and_changes_nothing(cli, own_run, folder):
    seen = []
    with serving() as server:
        command = ("eval", "M1", "M2", "--suite", "mt-bench", "--prompts", folder, "--max-tokens", 8, *own_run.at)
        for _ in range(2):
            result = cli(*command, "--judge", server.spec("openai", "judge"), env={"OPENAI_API_KEY": "k"})
            assert result.code == 0, result.err
            written = {name: one for name, one in own_run.digests().items() if name.startswith("evals/")}
            seen.append((own_run.calls("evals/%"), written, len(server.answered)))
    assert seen[0] == seen[1]
    assert len(own_run.calls("evals/mt-bench")) == 16
    result = cli("compare", "M1", "M2", "--format", "json", *own_run.at)
    assert (result.code, result.err) == (0, "")
    found = {metric["key"]: metric for metric in json.loads(result.out)["metrics"]}
    assert (found["mt_bench"]["unit"], found["mt_bench"]["models"]["M2"]["n"]) == ("grade", 4)
    assert found["mt_bench_graded"]["models"]["M1"]["value"] == 1
    assert "difference" in found["mt_bench_math_code_reasoning"]["models"]["M2"]


@pytest.mark.parametrize(
    ("suite", "words", "named"),
    [
        ("mt-bench", (), "by --prompts FILE"),
        ("mt-bench", ("--prompts", "nowhere.jsonl"), "nowhere.jsonl: there is no such file"),
        ("alpaca,mt-bench", ("--prompts", "question.jsonl"), "one after the other"),
    ],
)
def test_questions_that_are_missing_are_named_in_one_line(cli, own_run, suite, words, named):
    result = cli("eval", "M1", "--suite", suite, *words, *own_run.at)
    assert (result.code, result.out) == (2, "")
    assert named in result.errors[-1]
