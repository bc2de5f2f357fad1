"""`srlm eval --annotations FILE` by the command line: no run, no call, one error with its record."""

import gzip
import json

import pytest


def records(n=30):
    return [
        {
            "instruction": f"Question {place}?",
            "output_1": "b" * (20 + place % 7),
            "generator_1": "base",
            "output_2": "m" * (15 + place % 11),
            "generator_2": "tuned [v2]",
            "annotator": "someone",
            "preference": None if place == 4 else 1 + (place * 37 % 100) / 100,
        }
        for place in range(n)
    ]


@pytest.fixture
def annotations(tmp_path):
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(records()), encoding="utf-8")
    return path


def test_win_rates_are_printed_without_a_run(cli, annotations, tmp_path):
    result = cli("eval", "--annotations", annotations, cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert "tuned [v2] against base" in result.out
    for part in (
        "win rate",
        "length-controlled win rate",
        "1 without a preference",
        "without AlpacaEval's difficulties",
    ):
        assert part in result.out
    assert {path.name for path in tmp_path.iterdir()} == {"annotations.json"}


def test_the_json_is_the_same_from_a_packed_file(cli, annotations):
    packed = annotations.with_name("annotations.json.gz")
    packed.write_bytes(gzip.compress(annotations.read_bytes()))
    one, two = (cli("eval", "--annotations", path, "--format", "json") for path in (annotations, packed))
    assert one.out == two.out
    data = json.loads(one.out)
    assert data["schema"] == 1
    preferences = [row["preference"] - 1 for row in records() if row["preference"] is not None]
    assert data["win_rate"]["value"] == pytest.approx(sum(preferences) / len(preferences))
    assert (data["win_rate"]["n"], data["counts"]["without_preference"]) == (29, 1)
    assert data["length_controlled"]["way"] == "fitted"


def check_refused(result, *parts):
    assert result.code == 2, result.out + result.err
    assert result.out == ""
    (message,) = result.errors
    assert result.err == message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("M1",), ("without models",)),
        (("--judge", "smollm2"), ("without --judge",)),
        (("--limit", "10", "--rubric", "levels"), ("without --limit and --rubric",)),
        (("--suite", "reward"), ("suite alpaca",)),
        (("--suite", "alpaca,mt-bench"), ("suite alpaca",)),
        (("--suite", "mt-bench", "--gamed", "x.csv"), ("no length control",)),
        (("--gamed", "nothing.csv"), ("nothing.csv: there is no such file.",)),
        (("--prompts", "nothing.json"), ("nothing.json: there is no such file.",)),
    ],
)
def test_options_that_do_not_go_together_are_refused(cli, annotations, words, parts):
    check_refused(cli("eval", "--annotations", annotations, *words), *parts)


@pytest.mark.parametrize("words", [("eval",), ("eval", "M1", "--gamed", "x.csv"), ("eval", "M1", "--format", "json")])
def test_without_annotations_a_model_is_needed_and_their_options_are_not(cli, words):
    check_refused(cli(*words), "--annotations")


def test_a_damaged_file_is_named_with_its_record(cli, annotations):
    data = records()
    data[7]["preference"] = "better"
    annotations.write_text(json.dumps(data), encoding="utf-8")
    check_refused(cli("eval", "--annotations", annotations), "annotations.json: record 8:", "not 'better'")
    data[7] = data[2]
    annotations.write_text(json.dumps(data), encoding="utf-8")
    check_refused(cli("eval", "--annotations", annotations), "record 8: has the instruction of record 3 again.")
    whole = json.dumps(data, indent=1)
    annotations.write_text(whole[: len(whole) // 2], encoding="utf-8")
    check_refused(cli("eval", "--annotations", annotations), "annotations.json, line ", "not JSON")


def test_the_rate_of_a_table_without_enough_difficulties_is_refused(cli, annotations, tmp_path):
    gamed = tmp_path / "df_gamed.csv"
    gamed.write_text("preference,index,std_delta_len,instruction_difficulty\n0.5,0,1,0\n", encoding="utf-8")
    check_refused(cli("eval", "--annotations", annotations, "--gamed", gamed), "difficulties of 1 prompts")


def judgements():
    """Of two models on MT-Bench's 80 questions; one grade of the second is unread, and its last record is missing."""
    found = []
    for model in ("M1", "M[2]"):
        for question in range(81, 161):
            for turn in (1, 2):
                score = 1 + (question + turn) % 10 if (model, question, turn) != ("M[2]", 90, 2) else -1
                words = f"Rating: [[{score}]]" if score > 0 else "Fine."
                found.append({"question_id": question, "model": model, "judge": ["gpt-4", "single-v1"], "turn": turn})
                found[-1] |= {"score": score, "judgment": words}
    return found[:-1]


@pytest.fixture
def judged(tmp_path):
    path = tmp_path / "gpt-4_single.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in judgements()), encoding="utf-8")
    return path


def test_grades_are_printed_model_by_model_without_a_run(cli, judged, tmp_path):
    result = cli("eval", "--suite", "mt-bench", "--annotations", judged, cwd=tmp_path)
    assert result.code == 0, result.err
    for line in ("MT-Bench of M1, graded by gpt-4", "MT-Bench of M[2], graded by gpt-4", "mathematics, coding"):
        assert line in result.out
    assert result.out.count("Attention:") == 1
    assert "2 of 160 turns have no grade (1 unread, 0 failed, 1 without a record)" in result.out
    assert {path.name for path in tmp_path.iterdir()} == {judged.name}


def test_grades_as_json(cli, judged):
    data = json.loads(cli("eval", "--suite", "mt-bench", "--annotations", judged, "--format", "json").out)
    assert (data["schema"], data["suite"], data["judge"]) == (1, "mt-bench", "gpt-4")
    first, second = data["models"]
    assert first["figures"]["overall"]["both"]["value"] == sum(one["score"] for one in judgements()[:160]) / 160
    assert (second["figures"]["overall"]["both"]["n"], second["figures"]["overall"]["missing"]) == (158, 2)


def test_a_judgement_file_that_is_cut_short_is_named_with_its_line(cli, judged):
    text = judged.read_text(encoding="utf-8")
    judged.write_text(text[: len(text) // 2], encoding="utf-8")
    line = text[: len(text) // 2].count("\n") + 1
    check_refused(
        cli("eval", "--suite", "mt-bench", "--annotations", judged), f"gpt-4_single.jsonl, line {line}:", "not JSON"
    )
