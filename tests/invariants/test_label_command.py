"""Labels through the real command line: a judge is asked once, and every prompt stands in one line of the breakdown."""

import csv
import io
import json

import pytest

from helpers.servers import serving
from srlm.config_file import load_config
from srlm.runs import start_run

KEY = {"OPENAI_API_KEY": "k"}
N = 30


@pytest.fixture
def run(tmp_path):
    """A run without a model: whoever answers is on a server."""
    start_run(tmp_path / "runs", "r", load_config("quickstart", [])).close()
    return ("--runs", tmp_path / "runs", "--run", "r")


@pytest.fixture
def references(tmp_path):
    path = tmp_path / "model_outputs.json"
    rows = [{"instruction": f"What is {n} + {n}?", "output": str(2 * n), "generator": "sums"} for n in range(N)]
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_a_judge_labels_once_and_the_lines_hold_every_prompt(cli, run, references):
    with serving() as server:
        models = [server.spec("openai", name) for name in ("one", "two")]
        judge = ("--judge", server.spec("openai", "judge"))
        for suite in (("alpaca", "--prompts", references), ("verifiable", "--data", "countdown", "--limit", 20)):
            result = cli("eval", *models, "--suite", *suite, *judge, *run, env=KEY)
            assert result.code == 0, result.err
        before = len(server.answered)
        early = cli("compare", *models, "--by", "complexity", *run)
        assert early.code == 2
        assert "srlm label --judge" in early.errors[-1]
        told = cli("label", *judge, "--estimate", *run, env=KEY)
        assert (told.code, len(server.answered)) == (0, before)
        assert f"{1 + N + 20} calls to make" in told.out
        outputs = []
        for _ in range(2):
            labelled = cli("label", *judge, *run, env=KEY)
            assert labelled.code == 0, labelled.err
            outputs.append(labelled.out)
        # One list of categories for the prompts that came with none, and a call for each prompt; then nothing.
        assert len(server.answered) == before + 1 + N + 20
        assert outputs[0] == outputs[1]
        assert "Of 20 prompts (set 20:" in outputs[0]
    found = {}
    for by in ("category", "complexity", "length"):
        result = cli("compare", *models, "--by", by, "--format", "json", *run)
        assert result.code == 0, result.err
        found[by] = [side for side in json.loads(result.out)["sides"] if side["baseline"]]
        assert [side["title"].split(",")[0] for side in found[by]] == [
            "win rate against the reference",
            "Countdown items solved",
        ]
    for sides in found.values():
        for side, prompts in zip(sides, (N, 20), strict=True):
            assert side["columns"] == models
            assert sum(row["models"][models[0]]["n"] for row in side["metrics"]) == prompts
    assert [row["label"].rpartition(" (n")[0] for row in found["category"][1]["metrics"]] == ["other: 4 categories"]
    labels = {row["label"].rpartition(" (n")[0] for row in found["category"][0]["metrics"]}
    assert labels <= {"Sums", "Plain questions", "no label", "other: 2 categories"}
    assert "no label" in labels
    (length, _) = found["length"]
    assert [row["label"] for row in length["metrics"]] == [f"1-3 sentences (n = {N})"]
    assert "difference" in length["metrics"][0]["models"][models[1]]


def test_labels_of_a_file_and_every_format(cli, run, references, tmp_path):
    mine = tmp_path / "labels.jsonl"
    rows = [{"prompt_id": f"alpaca-{n:04d}", "category": "even" if n % 2 else "odd"} for n in range(1, N)]
    mine.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with serving() as server:
        models = [server.spec("openai", name) for name in ("one", "two")]
        judge = ("--judge", server.spec("openai", "judge"))
        assert cli("eval", *models, "--prompts", references, *judge, *run, env=KEY).code == 0
    by = ("--by", "category", "--labels", mine)
    for format in ("table", "markdown"):
        result = cli("compare", *models, *by, "--format", format, *run)
        assert result.code == 0, result.err
        for line in ("even (n = 15)", "odd (n = 14)", "no label (n = 1, too few to tell)", "by category"):
            assert line in result.out
    result = cli("compare", *models, *by, "--format", "csv", *run)
    lines = [row for row in csv.DictReader(io.StringIO(result.out)) if row["metric"] == "win_rate:category:even"]
    assert [(row["model"], row["baseline"], row["n"]) for row in lines] == [(one, models[0], "15") for one in models]
    assert lines[1]["p_holm"]
    for words, named in (
        (("--labels", mine), "--labels goes with --by"),
        (("--by", "length", "--labels", mine), "has a label of this kind (length)"),
        (("--by", "category", "--labels", tmp_path / "no.jsonl"), "there is no such file"),
    ):
        refused = cli("compare", *models, *words, *run)
        assert (refused.code, refused.out) == (2, "")
        assert named in " ".join(refused.errors[-1].split())


def test_a_run_without_evaluations_has_nothing_to_label(cli, run):
    result = cli("label", "--judge", "openai:m", *run, env=KEY)
    assert result.code == 2
    assert "Begin with: srlm eval" in result.errors[-1]
