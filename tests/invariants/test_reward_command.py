"""The reward suite through the real command line: several ways, judges that read nothing, and no run at all."""

import json

import pytest

RANKED = [
    {
        "id": f"q{number}",
        "instruction": f"Name {number} things that are red.",
        "answers": [
            {"text": "Roses, cherries and rust." + " And bricks." * number, "rank": 0},
            {"text": "No.", "rank": 1},
            {"text": "Grass is green and so is the sea on some days of the year.", "rank": 2},
        ],
        "split": "validation",
    }
    for number in range(1, 5)
]


@pytest.fixture
def ranked(tmp_path):
    folder = tmp_path / "ranked"
    folder.mkdir()
    rows = [*RANKED, {**RANKED[0], "id": "t1", "split": "train"}]
    (folder / "eft.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    demonstration = {"id": "d1", "instruction": "Name a red thing.", "response": "A rose."}
    (folder / "ift.jsonl").write_text(json.dumps(demonstration) + "\n", encoding="utf-8")
    return folder


def test_several_ways_are_one_table_and_are_asked_once(cli, own_run, ranked):
    ways = ("--rubric", "additive,levels", "--scoring", "expected")
    command = ("eval", "M1", "--suite", "reward", "--ranked", ranked, *ways, *own_run.at)
    first = cli(*command)
    assert first.code == 0, first.err
    assert "Comparison with M1" in first.out
    assert "differ in" in first.out
    for name in ("longer wins", "shorter wins", "first in the file wins", "random"):
        assert name in first.out
    calls = own_run.calls("evals/reward")
    assert len(calls) == 2 * 12
    assert cli(*command).out == first.out
    assert own_run.calls("evals/reward") == calls


def test_other_rubrics_are_compared_only_when_it_is_asked_for(cli, own_run, ranked):
    for rubric in ("additive", "levels"):
        options = ("--ranked", ranked, "--rubric", rubric, "--scoring", "expected")
        assert cli("eval", "M1", "--suite", "reward", *options, *own_run.at).code == 0
    # The run's own way has the plain name; the other one says how it judged.
    names = sorted(path.stem for path in own_run.folder.glob("evals/reward/*.json"))
    assert len(names) == 2
    models = [json.loads((own_run.folder / f"evals/reward/{name}.json").read_text())["model"] for name in names]
    refused = cli("compare", *models, *own_run.at)
    assert (refused.code, refused.out) == (2, "")
    assert "--allow-mismatch rubric" in refused.err
    wrong = cli("compare", *models, "--allow-mismatch", "colour", *own_run.at)
    assert wrong.code == 2
    assert "colour" in wrong.err
    agreed = cli("compare", *models, "--allow-mismatch", "rubric", "--format", "json", *own_run.at)
    assert agreed.code == 0, agreed.err
    data = json.loads(agreed.out)
    assert "differ in rubric" in data["captions"][0]
    (side,) = data["sides"]
    found = {row["key"]: row["models"] for row in side["metrics"]}
    assert found["trivial_pairwise_half"]["first in the file wins"]["value"] == 1
    assert found["trivial_pairwise_half"]["shorter wins"]["value"] == pytest.approx(
        1 - found["trivial_pairwise_half"]["longer wins"]["value"]
    )
    assert found["trivial_spearman"]["first in the file wins"]["value"] == pytest.approx(1)


def test_a_model_that_none_trained_needs_no_run(cli, finished_run, ranked, tmp_path):
    checkpoint = finished_run.folder / "M1" / "checkpoint"
    options = ("--suite", "reward", "--ranked", ranked, "--scoring", "expected", "--runs", tmp_path / "fresh")
    result = cli("eval", checkpoint, *options)
    assert result.code == 0, result.err
    assert "There is no run in" in result.err
    assert (tmp_path / "fresh" / "evaluations" / "evals" / "reward").is_dir()
    missing = cli("eval", "M1", "--suite", "reward", "--runs", tmp_path / "nowhere")
    assert (missing.code, (tmp_path / "nowhere").exists()) == (2, False)
    assert "Start one with: srlm train" in missing.err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--rubric", "additif"), "additif"),
        (("--scoring", "guessed"), "guessed"),
        (("--ranked", "oasst:nowhere.jsonl"), "nowhere.jsonl"),
    ],
)
def test_what_is_wrong_is_named(cli, own_run, options, named):
    result = cli("eval", "M1", "--suite", "reward", *options, *own_run.at)
    assert (result.code, result.out) == (2, "")
    assert named in result.err
    assert "Traceback" not in result.err
