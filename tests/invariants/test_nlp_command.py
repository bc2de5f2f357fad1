"""The suite nlp through the real command line: only the result on standard output, twice is once, one line of error."""

import json

import pytest

ROWS = [
    {
        "id": f"q{number}",
        "question": f"What is {number} and one?",
        "choices": {"text": [str(number + 1), "none"], "label": ["A", "B"]},
        "answerKey": "A",
    }
    for number in range(6)
]


@pytest.fixture
def mirror(tmp_path):
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "arc_easy.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return folder


def test_a_second_eval_does_nothing_and_changes_nothing(cli, own_run, mirror):
    command = ("eval", "M1", "M2", "--suite", "nlp", "--tasks", "arc_easy", "--limit", 4, "--data", mirror, *own_run.at)
    first = cli(*command)
    assert first.code == 0, first.err
    assert first.out.startswith("Results are in ")
    assert [line.split("  ")[0] for line in first.err.splitlines()] == [
        "lm-eval reads arc_easy",
        "M1: arc_easy, 8 requests ...",
        "M1: arc_easy",
        "M2: arc_easy, 8 requests ...",
        "M2: arc_easy",
    ]
    written = own_run.digests()
    second = cli(*command)
    assert (second.code, second.out) == (0, first.out)
    assert "nothing is left to do" in second.err
    assert own_run.digests() == written
    compared = cli("compare", "M1", "M2", "--format", "json", *own_run.at)
    assert (compared.code, compared.err) == (0, "")
    metrics = {metric["key"]: metric["models"] for metric in json.loads(compared.out)["metrics"]}
    assert metrics["nlp_arc_easy_acc"]["M2"]["n"] == 4
    assert 0 < metrics["nlp_arc_easy_acc"]["M2"]["difference"]["p_holm"] <= 1


def test_what_cannot_be_done_is_said_before_any_work(cli, own_run, mirror):
    (mirror / "piqa.jsonl").write_text('{"goal": "x"\n', encoding="utf-8")
    for words, named in (
        (("M1", "--tasks", "arc_eazy", "--data", mirror), "lm-eval's task 'arc_eazy' does not exist"),
        (("M1", "--tasks", "arc_easy,piqa", "--data", mirror), "piqa.jsonl, line 1: not JSON"),
        (("M1", "--tasks", "arc_easy", "--data", mirror / "piqa.jsonl"), "is no folder"),
        (("M1", "--suite", "reward", "--tasks", "arc_easy"), "--tasks is of the suite nlp"),
        (("openai:x@http://127.0.0.1:9/v1", "--tasks", "arc_easy", "--data", mirror), "a server does not tell"),
    ):
        result = cli("eval", "--suite", "nlp", *words, *own_run.at, env={"OPENAI_API_KEY": "k"})
        assert (result.code, result.out) == (2, "")
        (error,) = result.errors
        assert named in " ".join(error.split())
    assert not (own_run.folder / "evals" / "nlp").exists()
