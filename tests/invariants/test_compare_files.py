"""`srlm compare`, `gate` and `report` over files that other tools wrote, or that srlm wrote for them."""

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


def figures(comparison):
    return {one["key"]: one["models"] for one in comparison["metrics"]}


def test_lm_evals_files_are_the_results_that_they_were_written_from(cli, own_run, tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "arc_easy.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    evaluated = cli("eval", "M1", "M2", "--suite", "nlp", "--tasks", "arc_easy", "--data", mirror, *own_run.at)
    assert evaluated.code == 0, evaluated.err
    files = [next((own_run.folder / "evals" / "nlp" / model).glob("results_*.json")) for model in ("M1", "M2")]
    words = [f"{model}={file}" for model, file in zip(("M1", "M2"), files, strict=True)]
    ours = cli("compare", "M1", "M2", "--format", "json", *own_run.at)
    theirs = cli("compare", *words, "--format", "json", "--runs", tmp_path)  # no run is looked for
    assert (theirs.code, theirs.err) == (0, "")
    assert figures(json.loads(theirs.out)) == figures(json.loads(ours.out))
    both = cli("compare", "M1", f"copy={files[0]}", "--format", "json", "--allow-mismatch", "prompts", *own_run.at)
    assert both.code == 0, both.err
    accuracy = figures(json.loads(both.out))["nlp_arc_easy_acc"]
    assert accuracy["M1"]["value"] == accuracy["copy"]["value"]
    again = cli("compare", "M1", words[0], *own_run.at)
    assert (again.code, again.out) == (2, "")
    assert "M1 has results of nlp in the run and in a file" in again.errors[0]


def test_alpaca_evals_files_need_no_run(cli, own_run, tmp_path):
    evaluated = cli("eval", "M1", "M2", "--suite", "alpaca", "--judge", "M2", "--limit", 6, *own_run.at)
    assert evaluated.code == 0, evaluated.err
    files = [own_run.folder / "evals" / "alpaca" / model / "annotations.json" for model in ("M1", "M2")]
    ours = cli("compare", "M1", "M2", "--format", "json", *own_run.at)
    theirs = cli("compare", *files, "--baseline", files[1], "--format", "json", "--runs", tmp_path / "nowhere")
    assert (theirs.code, theirs.err) == (0, "")
    comparison = json.loads(theirs.out)
    assert (comparison["baseline"], comparison["judges"][0]["card"]) == ("M2", None)
    before, after = figures(json.loads(ours.out))["win_rate"], figures(comparison)["win_rate"]
    assert {model: one["value"] for model, one in after.items()} == {
        model: pytest.approx(one["value"]) for model, one in before.items()
    }
    for form, sign in (("latex", r"\begin{tabular}"), ("html", "<table>"), ("markdown", "|---|"), ("csv", "metric,")):
        result = cli("compare", *files, "--format", form)
        assert result.code == 0, result.err
        assert sign in result.out


def test_what_cannot_be_compared_is_said_in_one_line(cli, tmp_path):
    file = tmp_path / "a.json"
    file.write_text(json.dumps([{"question": "?"}]), encoding="utf-8")
    for words, named in (
        ((file,), "is no file of results that srlm knows"),
        ((tmp_path / "b.json",), "there is no such file"),
        (("M1", "--runs", tmp_path), "There is no run in"),
    ):
        result = cli("compare", *words)
        assert (result.code, result.out) == (2, "")
        assert named in result.errors[0]
        assert len(result.errors) == 1


POLICY = """\
rules:
  - {metric: win_rate, kind: non-inferiority, margin: 5 points}
"""


def annotations(path, model, shift):
    """AlpacaEval's annotations of 300 prompts; a larger shift is a better model."""
    records = [
        {
            "instruction": f"Question {place}?",
            "output_1": "b" * 40,
            "generator_1": "base",
            "output_2": "m" * (30 + place % 20),
            "generator_2": model,
            "annotator": "someone",
            "preference": 1 + min(1, (place * 37 % 80) / 100 + shift),
        }
        for place in range(300)
    ]
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def test_the_gate_decides_on_files(cli, tmp_path):
    (tmp_path / "gate.yaml").write_text(POLICY, encoding="utf-8")
    one, two = annotations(tmp_path / "one.json", "one", 0.1), annotations(tmp_path / "two.json", "two", 0.15)
    better = cli("gate", two, "--baseline", one, cwd=tmp_path)
    assert (better.code, better.err) == (0, "")
    assert better.out.startswith("Pass: two against one")
    worse = cli("gate", f"mine={one}", "--baseline", two, cwd=tmp_path)
    assert (worse.code, worse.err) == (1, "")
    assert worse.out.startswith("Regression: mine against two")


def test_the_gate_needs_one_model_a_file(cli, tmp_path):
    (tmp_path / "gate.yaml").write_text(POLICY.replace("win_rate", "mt_bench"), encoding="utf-8")
    lines = [
        {"question_id": 81, "model": model, "judge": ["gpt-4", "v1"], "turn": 1, "score": 5, "judgment": "[[5]]"}
        for model in ("M1", "M2", "M2")
    ]
    file = tmp_path / "gpt-4_single.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    for words, named in (((), "--repeats first, last or mean"), (("--repeats", "last"), "has results of 2 models")):
        result = cli("gate", file, "--baseline", file, *words, cwd=tmp_path)
        assert (result.code, result.out) == (2, "")
        assert named in result.errors[0]


def test_the_report_of_files_is_one_page(cli, tmp_path):
    one, two = annotations(tmp_path / "one.json", "one", 0.1), annotations(tmp_path / "two.json", "two", 0.3)
    result = cli("report", one, two, cwd=tmp_path)
    assert result.code == 0, result.err
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "two is significantly better than one in win rate against the reference" in page
    again = cli("report", one, two, "--baseline", two, "--output", tmp_path / "b.html", cwd=tmp_path)
    assert again.code == 0, again.err
    assert "one is significantly worse than two" in (tmp_path / "b.html").read_text(encoding="utf-8")
    for words, named in (
        ((one, "M1"), "M1 is no file of results"),
        (("M1", "M2"), "M1, M2 are no files of results"),
        (("M1", "--repeats", "last"), "go with files of results"),
    ):
        refused = cli("report", *words, cwd=tmp_path)
        assert (refused.code, refused.out) == (2, "")
        assert named in refused.errors[0]
