"""Runs on the disk: two commands at once, commands that only ask, names, passwords, commands to be copied."""

import json
import os
import shlex
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
import yaml

pytest.importorskip("openai")

import srlm
from helpers.refusals import check_refused
from helpers.servers import serving
from srlm.renamed_settings import RENAMED

HERE = {"PYTHONPATH": str(Path(srlm.__file__).parents[1])}
"""The same code in a process of its own, whatever is installed."""
PASSWORD = "pw-SECRET"


def evaluation(server, runs, *more, model="a"):
    address = server.spec("openai", model)
    return (
        "eval",
        address,
        "--suite",
        "alpaca",
        "--judge",
        server.spec("openai", "j"),
        "--limit",
        3,
        "--runs",
        runs,
        *more,
    )


def asked_twice(server):
    return [key for key, times in Counter((one.body["model"], one.prompt) for one in server.log).items() if times > 1]


def replies(ledger):
    with closing(sqlite3.connect(ledger)) as connection:
        return {key: json.loads(reply)["text"] for key, reply in connection.execute("SELECT key, reply FROM calls")}


# --- two at once ------------------------------------------------------------------------------------------------------


def test_of_two_evaluations_at_once_the_second_waits_and_asks_nothing(cli, tmp_path):
    """There is no run yet: both would make it."""
    with serving(delay=0.1) as server:
        both = [cli.start(*evaluation(server, tmp_path), "--max-connections", 4, env=HERE) for _ in range(2)]
        printed = [process.communicate(timeout=120) for process in both]
        assert [process.returncode for process in both] == [0, 0], printed
        assert asked_twice(server) == []
        count = len(server.log)
    waited = [err for _, err in printed if "waits until that has ended" in err]
    assert len(waited) <= 1
    assert sum("Nothing is left to ask" in err for _, err in printed) == 1
    folder = tmp_path / "evaluations"
    kept = replies(folder / "ledger.sqlite")
    assert len(kept) == count
    (answers,) = (folder / "evals" / "alpaca").glob("*.answers.jsonl")
    stored = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    assert [one["text"] for one in stored] == [
        kept[one["call"]] if one["call"] in kept else text(kept, one) for one in stored
    ]


def text(kept, one):
    return next(reply for key, reply in kept.items() if key.startswith(one["call"]))


def test_one_waits_as_long_as_another_asks_and_other_runs_do_not(cli, tmp_path):
    from srlm.ledger_lock import lock_ledger

    said = []
    with serving() as server:
        assert cli(*evaluation(server, tmp_path / "one")).code == 0
        with lock_ledger(tmp_path / "one" / "evaluations" / "ledger.sqlite", said.append):
            assert cli(*evaluation(server, tmp_path / "two")).code == 0
            count = len(server.log)
            at = ("--runs", tmp_path / "one")
            for words in (
                ("ledger", *at),
                evaluation(server, tmp_path / "one", "--estimate"),
            ):
                assert cli(*words).code == 0
            waiting = cli.start(*evaluation(server, tmp_path / "one"), env=HERE)
            line = waiting.stderr.readline()
            assert "waits until that has ended" in line or "--judge" in line
            assert len(server.log) == count
        _, err = waiting.communicate(timeout=60)
        assert waiting.returncode == 0, err
        assert len(server.log) == count
    assert said == []


# --- commands that only ask, or cannot work ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--estimate",), 0),
        (("--suite", "reward", "--ranked", "nowhere.jsonl"), 2),
        (("--suite", "head-to-head", "--baseline", "q"), 2),
        (("--run", "a;b"), 2),
    ],
)
def test_nothing_is_made_for_a_command_that_only_asks_or_cannot_work(cli, tmp_path, more, code):
    with serving() as server:
        result = cli(*evaluation(server, tmp_path / "runs"), *more)
        assert result.code == code, result.err
        assert server.log == []
    assert list(tmp_path.iterdir()) == []


def test_no_ledger_is_made_for_a_judge_that_is_none(cli, tmp_path):
    result = cli("judge", "card", "nosuch", cwd=tmp_path)
    assert (result.code, len(result.errors)) == (2, 1)
    assert list(tmp_path.iterdir()) == []


def test_an_estimate_leaves_a_run_as_it_was(cli, tmp_path):
    with serving() as server:
        assert cli(*evaluation(server, tmp_path)).code == 0
        (tmp_path / "evaluations" / "ledger.sqlite").unlink()
        before = sorted(tmp_path.rglob("*"))
        assert cli(*evaluation(server, tmp_path, "--estimate")).code == 0
    assert sorted(tmp_path.rglob("*")) == before


# --- names and passwords ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "a\nb",
        "a\x1b[31mb",
        "a;touch x",
        "-x",
        "$(x)",
        "a'b",
        "a|b",
        " a",
        "a ",
        "a.",
        "nul",
        "con.x",
        "x" * 101,
        "a\\b",
    ],
)
def test_names_that_no_run_can_have(cli, tiny_config, tmp_path, name):
    result = cli("train", tiny_config, "--runs", tmp_path / "runs", f"--name={name}")
    check_refused(result, repr(name), "letters, digits")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["r", "modèle 模型", "2026-11-30", "a b (c)", "lr=1e-5,x+y"])
def test_names_that_a_run_can_have(tmp_path, name):
    from srlm.config import TrainConfig
    from srlm.runs import open_run, start_run

    start_run(tmp_path, name, TrainConfig(model="smollm2"))
    assert open_run(tmp_path, name).name == name


def test_a_password_is_in_no_file_of_the_run_that_it_makes_and_the_run_goes_on(cli, tmp_path):
    with serving() as server:
        model = f"openai:x@http://user:{PASSWORD}@127.0.0.1:{server.port}/v1"
        words = ("eval", model, "--suite", "alpaca", "--judge", model, "--limit", 2, "--runs", tmp_path)
        for _ in range(2):
            result = cli(*words)
            assert result.code == 0, result.err
            assert PASSWORD not in result.out + result.err
        count = len(server.log)
        again = cli("eval", "M0", *words[2:])
        assert (again.code, len(server.log)) == (0, count), again.err
    assert [str(one) for one in tmp_path.rglob("*") if one.is_file() and PASSWORD.encode() in one.read_bytes()] == []


def test_a_password_in_the_configuration_of_a_training_is_not_stored(tmp_path):
    from srlm.config_file import load_config
    from srlm.runs import start_run

    def config(password):
        judge = f"openai:x@http://user:{password}@h/v1"
        return load_config("quickstart", [f"judge.frozen={judge}"])

    run = start_run(tmp_path, "r", config(PASSWORD))
    stored = run.folder / "run.yaml"
    assert PASSWORD not in stored.read_text()
    assert start_run(tmp_path, "r", config("another")).config == run.config
    stored.write_text(stored.read_text().replace("http://h", f"http://user:{PASSWORD}@h"))  # of an earlier version
    start_run(tmp_path, "r", config(PASSWORD))
    assert PASSWORD not in stored.read_text()


# --- runs of earlier versions -----------------------------------------------------------------------------------------


def test_a_run_from_before_settings_were_renamed_is_resumed_evaluated_and_compared(cli, own_run, tiny_config):
    stored = own_run.folder / "run.yaml"
    data = yaml.safe_load(stored.read_text(encoding="utf-8"))
    for section, names in RENAMED.items():
        old_of = {new: old for old, new in names.items()}
        data[section] = {old_of.get(key, key): value for key, value in data[section].items()}
    stored.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    before, calls = own_run.digests(), own_run.calls()
    for config in (tiny_config, stored):
        result = cli("train", config, "--runs", own_run.folder.parent, "--name", "r")
        assert "Nothing to do" in result.out, result.err
    assert own_run.digests() == before
    shutil.rmtree(own_run.folder / "M2" / "checkpoint")
    result = cli("train", tiny_config, "--runs", own_run.folder.parent, "--name", "r")
    assert (result.code, own_run.calls()) == (0, calls), result.err
    again = own_run.digests()
    assert {name for name in before if again[name] != before[name]} <= {
        "ledger.sqlite", "M2/training.jsonl", "M2/checkpoint/README.md"
    }  # fmt: skip
    assert cli("eval", "M1", "M2", "--suite", "reward", *own_run.at).code == 0
    compared = cli("compare", "M1", "M2", *own_run.at)
    assert compared.code == 0, compared.err
    assert stored.read_text(encoding="utf-8") == yaml.safe_dump(data, sort_keys=False)


# --- commands to copy -------------------------------------------------------------------------------------------------


def test_the_printed_command_can_be_copied_whatever_the_folder_is_called(cli, tmp_path):
    runs = tmp_path / "it's ü 模型; x"
    with serving() as server:
        result = cli(*evaluation(server, runs, "--run", "my run"))
        assert result.code == 0, result.err
        result = cli(*evaluation(server, runs, "--run", "my run", model="b"))
    line = result.out.partition("Next: ")[2]
    words = shlex.split(line)
    assert words[:2] == ["srlm", "compare"]
    compared = cli(*words[1:])
    assert compared.code == 0, compared.err


# --- files that a user names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("report", "--no-map", "--output"), ("ledger", "--export")])
def test_a_file_of_another_kind_is_not_overwritten_and_an_earlier_one_is(cli, tmp_path, command):
    with serving() as server:
        assert cli(*evaluation(server, tmp_path / "runs")).code == 0
    at = ("--runs", tmp_path / "runs")
    kept = tmp_path / "kept.sqlite"
    kept.write_bytes(b"SQLite format 3\0")
    for place, words in ((kept, "Name another file"), (tmp_path, "is a folder")):
        check_refused(cli(*command, place, *at), str(place), words)
    assert kept.read_bytes() == b"SQLite format 3\0"
    for _ in range(2):
        assert cli(*command, tmp_path / "mine", *at).code == 0
    if os.name == "posix":
        assert cli(*command, "/dev/null", *at).code == 0
        assert Path("/dev/null").is_char_device()


def test_a_place_where_nothing_can_be_written_is_found_by_doctor(cli):
    if not Path("/proc/self").exists():
        pytest.skip("there is no folder here in which even root cannot write")
    result = cli("doctor", "--runs", "/proc/runs")
    assert result.code == 2
    assert "nothing can be written in /proc" in " ".join(result.out.split())
