"""From a finished run to a comparison: show, eval, compare, by the real command line and into pipes."""

import csv
import io
import json

import pytest

from srlm.errors import UNREAD_EXIT

ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def evaluated(cli, finished_run, tiny_model, tmp_path_factory):
    """A copy of the finished run with results of M1 and M2, what the evaluation printed, and its command."""
    run = finished_run.copy(tmp_path_factory.mktemp("evaluated") / "r")
    command = ("eval", "M1", "M2", "--suite", "alpaca,reward", "--judge", tiny_model, "--limit", "4", *run.at)
    result = cli(*command)
    assert result.code == 0, result.err
    return run, result, command


def compare(cli, run, format):
    result = cli("compare", "M1", "M2", "--format", format, *run.at)
    assert (result.code, result.err) == (0, "")
    assert ESCAPE not in result.out
    return result.out


def test_train_prints_its_result_into_a_pipe(finished_run):
    out = finished_run.printed.out
    assert ESCAPE not in out + finished_run.printed.err
    assert f"M1, M2, M3 are in {finished_run.folder} (" in out
    assert "srlm eval M1 M2 M3" in out
    (row,) = [line for line in out.splitlines() if "preference pairs" in line]
    pairs = [len(finished_run.records(f"{model}/pairs")) for model in ("M2", "M3")]
    assert [int(word) for word in row.split() if word.isdigit()] == pairs


def test_train_prints_nothing_but_its_own_progress_on_standard_error(finished_run):
    lines = finished_run.printed.err.splitlines()
    begins = ("This will take about ", "SFT: ", "M1: ", "M2: ", "M3: ")
    assert [line for line in lines if not line.startswith(begins)] == []
    assert sum("DPO of" in line for line in lines) == 2


def test_eval_prints_the_card_of_its_judge_once(evaluated):
    _, printed, _ = evaluated
    assert printed.out.count("agrees with the labelled order in") == 1


def test_show_tells_where_a_pair_came_from(cli, finished_run):
    (pair, *_) = finished_run.records("M2/pairs")
    prompt = next(one for one in finished_run.records("M2/instructions") if one["id"] == pair["prompt_id"])
    candidates = [one for one in finished_run.records("M2/candidates") if one["prompt_id"] == prompt["id"]]
    verdicts = [
        one for one in finished_run.records("M2/verdicts") if one["answer_ids"][0] in {one["id"] for one in candidates}
    ]
    assert len(prompt["parents"]) == 8
    assert len(candidates) == len(verdicts) == 5

    result = cli("show", pair["id"], *finished_run.at)

    assert (result.code, result.err) == (0, "")
    assert ESCAPE not in result.out
    lines = [line.strip() for line in result.out.splitlines()]
    assert prompt["instruction"] in lines
    assert "Its 8 shots" in lines
    for shot in prompt["parents"]:
        assert any(line.startswith(f"{shot}  ") for line in lines), shot
    for candidate in candidates:
        (head,) = [line for line in lines if line.startswith(f"Candidate {candidate['id']} by M1: reward ")]
        assert head.endswith("CHOSEN") == (candidate["id"] == pair["chosen_id"])
        assert head.endswith("REJECTED") == (candidate["id"] == pair["rejected_id"])
        assert "".join(candidate["text"].split()) in "".join(result.out.split())
    for verdict in verdicts:
        assert any(line.startswith(f"{verdict['id']} by M1, rubric short:") for line in lines), verdict["id"]
    assert any(line.startswith(f"Pair {pair['id']}: {pair['chosen_id']} over {pair['rejected_id']}") for line in lines)


@pytest.mark.parametrize("rest", ["", "-c0", "-c0-v0", "-pair"])
def test_show_takes_every_kind_of_id(cli, finished_run, rest):
    result = cli("show", f"M3-p0000{rest}", *finished_run.at)
    assert result.code == 0, result.err
    assert result.out.startswith("Instruction M3-p0000 ")


def test_show_leaves_the_run_as_it_is(cli, own_run):
    before = own_run.digests()
    cli("show", "M2-p0000", *own_run.at)
    assert own_run.digests() == before


def test_eval_says_what_is_next(evaluated):
    run, result, _ = evaluated
    assert "srlm compare M1 M2" in result.out
    assert str(run.folder / "evals") in result.out
    assert ESCAPE not in result.out + result.err
    assert "Traceback" not in result.err


def test_eval_leaves_what_training_made(evaluated, finished_run):
    before, after = finished_run.digests(), evaluated[0].digests()
    cards = {f"{model}/checkpoint/README.md" for model in ("M1", "M2")}
    assert {name for name in before if before[name] != after.get(name)} == {"ledger.sqlite", *cards}


def test_a_second_eval_asks_nothing_and_changes_nothing(cli, evaluated):
    run, _, command = evaluated
    calls, files = run.calls(), run.digests()
    result = cli(*command)
    assert result.code == 0, result.err
    assert run.calls() == calls
    results = {name: digest for name, digest in run.digests().items() if name.startswith("evals/")}
    assert results == {name: digest for name, digest in files.items() if name.startswith("evals/")}


def test_the_same_eval_twice_after_a_smaller_one_reports_the_same(cli, own_run):
    command = ("eval", "M1", "--suite", "reward", *own_run.at)
    reported = []
    for limit in (2, 5, 5):
        result = cli(*command, "--limit", limit)
        assert result.code == 0, result.err
        reported.append((own_run.folder / "evals" / "reward" / "M1.json").read_bytes())
    assert reported[1] == reported[2]


def test_compare_as_a_table(cli, evaluated):
    out = compare(cli, evaluated[0], "table")
    assert "Comparison with M1" in out
    assert "win rate against the reference" in out
    assert "pairwise accuracy as judge" in out
    assert "…" not in out


def test_compare_as_json(cli, evaluated):
    data = json.loads(
        compare(cli, evaluated[0], "json"), parse_constant=lambda name: pytest.fail(f"{name} is not JSON")
    )
    assert data["models"] == ["M1", "M2"]
    assert data["baseline"] == "M1"
    metrics = {metric["key"]: metric for metric in data["metrics"]}
    assert {"win_rate", "length", "rm_pairwise_half", "parse_rate"} <= metrics.keys()
    win = metrics["win_rate"]["models"]["M2"]
    assert win["n"] == 4
    assert 0 <= win["low"] <= win["value"] <= win["high"] <= 1
    assert 0 < win["difference"]["p_holm"] <= 1


def test_compare_as_csv(cli, evaluated):
    out = compare(cli, evaluated[0], "csv")
    rows = list(csv.DictReader(io.StringIO(out), strict=True))
    data = json.loads(compare(cli, evaluated[0], "json"))
    compared, beside = [row for row in rows if row["baseline"]], [row for row in rows if not row["baseline"]]
    assert {row["metric"] for row in compared} == {metric["key"] for metric in data["metrics"]}
    assert {row["model"] for row in compared} == {"M1", "M2"}
    assert {row["metric"] for row in beside} == {metric["key"] for side in data["sides"] for metric in side["metrics"]}
    for row in rows:
        assert None not in row
        assert None not in row.values()
        for field in ("value", "low", "high", "difference", "p_holm"):
            assert row[field] == "" or isinstance(float(row[field]), float)


def test_compare_as_markdown(cli, evaluated):
    lines = compare(cli, evaluated[0], "markdown").splitlines()
    assert lines[0] == "| | M1 (baseline) | M2 |"
    table = lines[: lines.index("")]  # what stands beside it comes below
    assert len(table) > 5
    assert {line.count("|") for line in table} == {4}


def test_compare_names_the_baseline(cli, evaluated):
    result = cli("compare", "M1", "M2", "--baseline", "M2", "--format", "json", *evaluated[0].at)
    assert json.loads(result.out)["baseline"] == "M2"


def test_compare_does_not_write_into_the_run(cli, evaluated):
    before = evaluated[0].digests()
    compare(cli, evaluated[0], "table")
    assert evaluated[0].digests() == before


def test_a_reader_that_leaves_early_is_told_nothing(cli, finished_run):
    process = cli.start("show", "M2-p0000", *finished_run.at)
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode in {0, UNREAD_EXIT}  # all of it may have been written before
    assert err == ""
