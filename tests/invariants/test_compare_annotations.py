"""`srlm compare FILE` on published annotations and judgements: no run, no call, one error with its record."""

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
    result = cli("compare", annotations, cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    for part in (
        "tuned [v2]",
        "win rate against the reference",
        "length-controlled win rate",
        "without a preference",
        "1 (3.3 %)",
        "fitted without difficulties of the prompts",
        "length fitted",
    ):
        assert part in " ".join(result.out.split())
    assert {path.name for path in tmp_path.iterdir()} == {"annotations.json"}


def test_the_json_is_the_same_from_a_packed_file(cli, annotations):
    packed = annotations.with_name("annotations.json.gz")
    packed.write_bytes(gzip.compress(annotations.read_bytes()))
    one, two = (cli("compare", path, "--format", "json") for path in (annotations, packed))
    assert one.out == two.out
    data = json.loads(one.out)
    assert data["schema"] == 1
    preferences = [row["preference"] - 1 for row in records() if row["preference"] is not None]
    (rate,) = [row["models"]["tuned [v2]"] for row in data["metrics"] if row["key"] == "win_rate"]
    assert rate["value"] == pytest.approx(sum(preferences) / len(preferences))
    (file,) = data["files"]
    assert (rate["n"], file["counts"]["without_preference"]) == (29, 1)
    assert (file["baseline"], file["annotator"]) == ("base", "someone")
    assert file["length_control"]["way"] == "fitted"


def test_every_form_has_the_counts(cli, annotations):
    for form, sign in (
        ("latex", "without a preference"),
        ("html", "without a preference"),
        ("csv", "alpaca_file_draws"),
    ):
        result = cli("compare", annotations, "--format", form)
        assert result.code == 0, result.err
        assert sign in result.out


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
        (("--alpaca-difficulties", "nothing.csv"), ("nothing.csv: there is no such file.",)),
        (("--prompts", "nothing.json"), ("nothing.json: there is no such file.",)),
        (("--labels", "labels.jsonl"), ("--labels goes with --by",)),
        (("--allow-mismatch", "judges"), ("'judges'", "Did you mean 'judge'")),
    ],
)
def test_options_that_make_no_sense_are_refused(cli, annotations, words, parts):
    check_refused(cli("compare", annotations, *words), *parts)


def test_a_damaged_file_is_named_with_its_record(cli, annotations):
    data = records()
    data[7]["preference"] = "better"
    annotations.write_text(json.dumps(data), encoding="utf-8")
    check_refused(cli("compare", annotations), "annotations.json: record 8:", "not 'better'")
    data[7] = data[2]
    annotations.write_text(json.dumps(data), encoding="utf-8")
    check_refused(cli("compare", annotations), "record 8: has the instruction of record 3 again.")
    whole = json.dumps(data, indent=1)
    annotations.write_text(whole[: len(whole) // 2], encoding="utf-8")
    check_refused(cli("compare", annotations), "annotations.json, line ", "not JSON")


def test_the_rate_of_a_table_without_enough_difficulties_is_refused(cli, annotations, tmp_path):
    table = tmp_path / "df_gamed.csv"
    table.write_text("preference,index,std_delta_len,instruction_difficulty\n0.5,0,1,0\n", encoding="utf-8")
    check_refused(cli("compare", annotations, "--alpaca-difficulties", table), "difficulties of AlpacaEval's 1 prompts")


def test_the_benchmarks_prompts_name_the_records_that_are_missing(cli, annotations, tmp_path):
    prompts = tmp_path / "model_outputs.json"
    outputs = [{"instruction": f"Question {place}?", "output": "b", "generator": "base"} for place in range(31)]
    prompts.write_text(json.dumps(outputs), encoding="utf-8")
    result = cli("compare", annotations, "--prompts", prompts)
    assert result.code == 0, result.err
    assert "1 of 31 prompts have no record of tuned [v2] (31)" in " ".join(result.out.split())
    prompts.write_text(json.dumps(outputs[:20]), encoding="utf-8")
    check_refused(cli("compare", annotations, "--prompts", prompts), "Record 21 of the annotations of tuned [v2]")


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


def test_grades_are_printed_without_a_run(cli, judged, tmp_path):
    result = cli("compare", judged, cwd=tmp_path)
    assert result.code == 0, result.err
    text = " ".join(result.out.split())
    for line in ("Comparison with M1", "FastChat's judgements by gpt-4", "M[2]", "mathematics, coding", "turn 2"):
        assert line in text
    assert "2 of 160 turns of M[2] have no grade (1 unread, 0 failed, 1 without a record)" in text
    assert {path.name for path in tmp_path.iterdir()} == {judged.name}


def test_grades_as_json(cli, judged):
    data = json.loads(cli("compare", judged, "--format", "json").out)
    first, second = data["files"]
    assert (data["schema"], first["suite"], first["judge"]) == (1, "mt-bench", "gpt-4")
    assert first["means"]["overall"]["both"]["value"] == sum(one["score"] for one in judgements()[:160]) / 160
    assert (second["means"]["overall"]["both"]["n"], second["means"]["overall"]["missing"]) == (158, 2)


def test_judgements_that_fastchat_appended_are_read_by_the_rule_that_is_named(cli, judged):
    again = [one | {"score": 10, "judgment": "Rating: [[10]]"} for one in judgements()[:160]]
    with judged.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(one) + "\n" for one in again)
    check_refused(cli("compare", judged), "line 320: has the judgement of M1 on turn 1 of question 81", "--repeats")
    means = {}
    for rule in ("first", "last", "mean"):
        result = cli("compare", judged, "--repeats", rule, "--format", "json")
        assert result.code == 0, result.err
        (row,) = [row["models"]["M1"] for row in json.loads(result.out)["metrics"] if row["key"] == "mt_bench"]
        means[rule] = row["value"]
    assert means["last"] == 10
    assert means["mean"] == pytest.approx((means["first"] + 10) / 2)


def test_a_judgement_file_that_is_cut_short_is_named_with_its_line(cli, judged):
    text = judged.read_text(encoding="utf-8")
    judged.write_text(text[: len(text) // 2], encoding="utf-8")
    line = text[: len(text) // 2].count("\n") + 1
    check_refused(cli("compare", judged), f"gpt-4_single.jsonl, line {line}:", "not JSON")


def test_questions_of_ones_own_are_named(cli, judged, tmp_path):
    own = [one | {"question_id": one["question_id"] + 1000} for one in judgements()]
    judged.write_text("".join(json.dumps(one) + "\n" for one in own), encoding="utf-8")
    check_refused(cli("compare", judged), "there is no question 1081", "--prompts FILE")
    questions = tmp_path / "question.jsonl"
    lines = [{"question_id": 1000 + number, "category": "poetry", "turns": ["a", "b"]} for number in range(81, 161)]
    questions.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    result = cli("compare", judged, "--prompts", questions)
    assert result.code == 0, result.err
    assert "poetry, turn 1" in result.out
