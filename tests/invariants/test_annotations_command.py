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
        (("--suite", "reward"), ("suite alpaca",)),
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
