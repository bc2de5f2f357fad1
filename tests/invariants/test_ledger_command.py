"""`srlm ledger`: what was called, as a table and as JSON; calls to a file and back; an evaluation replayed by them."""

import json
import socket

import pytest
from typer.testing import CliRunner

from helpers.refusals import WITHOUT, check_refused
from helpers.servers import serving
from srlm.cli.main import app
from srlm.engines.openai import OpenAIEngine
from srlm.ledger import Call, Ledger
from srlm.types import Completion, Message, Request

FIGURES = {
    "calls",
    "prompt_tokens",
    "completion_tokens",
    "seconds",
    "untimed",
    "cost",
    "unpriced",
    "failures",
    "failed",
}


def call(letter, seconds=1.5, cost=0.25):
    asked = Request((Message("user", letter),))
    return Call(letter * 64, asked, Completion("fine", "stop", 1000, 200), seconds, cost)


@pytest.fixture
def filled(tmp_path):
    """A ledger with all that there is to show."""
    path = tmp_path / "some" / "l.sqlite"
    ledger = Ledger(path)
    ledger.commit("M2/candidates", "M1", [call("a", 61.25, 0.0), call("b", 61.25, 0.0)])
    ledger.commit("evals/alpaca", "openai:x", [call("c"), call("d", cost=None)], ["HTTP 429", "HTTP 429", "timeout"])
    ledger.commit("evals/alpaca", "openai:[bold]y", [call("e", cost=None)])
    ledger.commit("evals/card", "openai:z", [], ["connection reset"])
    ledger.close()
    return path


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


# --- what was called --------------------------------------------------------------------------------------------------


def cells(result):
    """The table as rows of words; every kind of line between cells is a separator."""
    lines = [line.replace("┃", "│").split("│")[1:-1] for line in result.out.splitlines()]
    return [[cell.strip() for cell in line] for line in lines if line]


def test_table(cli, filled):
    result = cli("ledger", "--ledger", filled)
    assert (result.code, result.err) == (0, "")
    rows = cells(result)
    assert rows[0] == ["stage", "model", "calls", "tokens in", "tokens out", "seconds", "dollars", "failed attempts"]
    assert rows[1:6] == [
        ["M2/candidates", "M1", "2", "2,000", "400", "122.5", "0.0000", "0"],
        ["evals/alpaca", "openai:[bold]y", "1", "1,000", "200", "1.5", "unknown", "0"],
        ["evals/alpaca", "openai:x", "2", "2,000", "400", "3.0", "0.2500 + 1 call unknown", "3"],
        ["evals/card", "openai:z", "0", "0", "0", "-", "-", "1"],
        ["total", "", "5", "5,000", "1,000", "127.0", "0.2500 + 2 calls unknown", "4"],
    ]
    assert rows[7:] == [
        ["evals/alpaca", "openai:x", "HTTP 429", "2"],
        ["evals/alpaca", "openai:x", "timeout", "1"],
        ["evals/card", "openai:z", "connection reset", "1"],
    ]
    assert "The price list is from genai-prices" in result.out


def test_json(cli, filled):
    result = cli("ledger", "--ledger", filled, "--format", "json")
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    assert found.keys() == {"schema", "prices", "rows", "total"}
    assert found["schema"] == 1
    assert found["prices"].startswith("genai-prices ")
    assert all(row.keys() == FIGURES | {"stage", "model"} for row in found["rows"])
    assert found["total"].keys() == FIGURES
    paid = found["rows"][2]
    assert (paid["stage"], paid["model"], paid["calls"]) == ("evals/alpaca", "openai:x", 2)
    assert (paid["prompt_tokens"], paid["completion_tokens"]) == (2000, 400)
    assert (paid["seconds"], paid["untimed"], paid["cost"], paid["unpriced"]) == (3.0, 0, 0.25, 1)
    assert (paid["failures"], paid["failed"]) == ({"HTTP 429": 2, "timeout": 1}, 3)
    assert (found["rows"][1]["cost"], found["rows"][1]["unpriced"]) == (None, 1)
    assert (found["total"]["calls"], found["total"]["cost"], found["total"]["failed"]) == (5, 0.25, 4)


def test_without_a_price_list(cli, filled):
    result = cli.apart("ledger", "--ledger", filled, customize=WITHOUT.format(library="genai_prices"))
    assert result.code == 0, result.err
    assert "0.2500 + 2 calls unknown" in result.out, "what a call cost was said when it was made"


def test_the_ledger_of_a_run(cli, finished_run):
    """What the table says is what is in the run."""
    before = finished_run.digests()
    result = cli("ledger", "--format", "json", *finished_run.at)
    assert result.code == 0, result.err
    found = json.loads(result.out)
    calls = finished_run.calls()
    assert found["total"]["calls"] == len(calls)
    assert {(row["stage"], row["model"]) for row in found["rows"]} == {(stage, model) for _, stage, model, *_ in calls}
    for row in found["rows"]:
        replies = [json.loads(reply) for _, _, _, _, reply, *_ in finished_run.calls(row["stage"])]
        assert row["calls"] == len(replies)
        assert row["completion_tokens"] == sum(reply["completion_tokens"] for reply in replies)
        assert row["cost"] == 0, "a local model is free, and that is known"
        assert row["seconds"] > 0
    assert cli("ledger", *finished_run.at).code == 0
    assert finished_run.digests() == before


# --- calls to a file and back -----------------------------------------------------------------------------------------


def test_a_judged_evaluation_is_replayed_without_its_judge(cli, finished_run, tmp_path):
    """The colleague has the run without its ledger, the exported calls, no key, and a judge that does not answer."""
    mine, theirs = finished_run.copy(tmp_path / "mine" / "r"), finished_run.copy(tmp_path / "theirs" / "r")
    port = free_port()
    with serving(port=port) as server:
        words = ("eval", "M1", "M2", "--suite", "alpaca", "--judge", server.spec("openai", "x"), "--limit", "3")
        judged = cli(*words, *mine.at, env={"SRLM_API_KEY": "sk-own"})
        assert judged.code == 0, judged.err
        asked = len(server.log)
    assert asked > 0
    exported = cli("ledger", "--export", tmp_path / "calls.jsonl", *mine.at)
    assert (exported.code, exported.err) == (0, "")
    assert exported.out == f"Exported {len(mine.calls()):,} calls to {tmp_path / 'calls.jsonl'}.\n"
    assert "sk-own" not in (tmp_path / "calls.jsonl").read_text(encoding="utf-8")

    for file in theirs.folder.glob("ledger.sqlite*"):
        file.unlink()
    refused = cli("ledger", *theirs.at)
    check_refused(refused, str(theirs.folder / "ledger.sqlite"), "no model was called")
    imported = cli("ledger", "--import", tmp_path / "calls.jsonl", *theirs.at)
    assert (imported.code, imported.err) == (0, "")
    place = theirs.folder / "ledger.sqlite"
    assert imported.out == f"Imported {len(mine.calls()):,} calls into {place}.\n"
    assert theirs.calls() == mine.calls()
    replayed = cli(*words, *theirs.at)
    assert replayed.code == 0, replayed.err
    assert theirs.calls() == mine.calls(), "a call was made"
    assert evaluated(theirs) == evaluated(mine) != {}

    again = cli("ledger", "--import", tmp_path / "calls.jsonl", *theirs.at)
    count = f"{len(mine.calls()):,}"
    assert again.out == f"Imported 0 calls into {place}; {count} were there already and stay as they are.\n"
    assert theirs.calls() == mine.calls()


def test_a_provider_needs_its_key_only_for_calls_that_are_left(cli, finished_run, tmp_path):
    run = finished_run.copy(tmp_path / "r")
    words = ("eval", "M1", "--suite", "alpaca", "--judge", "openai:gpt-4o", "--limit", "2", *run.at)
    check_refused(cli(*words), "openai:gpt-4o needs a key", "OPENAI_API_KEY")
    assert run.calls("evals/%") == [], "a model worked before the key was looked for"
    assert "openai:gpt-4o: " in cli(*words, "--estimate").out

    class Answered(OpenAIEngine):
        async def call(self, client, request, able=None):
            return Completion("A", "stop", 1, 1, (0.75, 0.25))

    with pytest.MonkeyPatch.context() as patch:  # the provider is out of reach, so its answers are put in here
        patch.setattr("srlm.engines.openai.OpenAIEngine", Answered)
        patch.setenv("OPENAI_API_KEY", "sk-own")
        assert CliRunner().invoke(app, [str(word) for word in words]).exit_code == 0
    replayed = cli(*words)
    assert replayed.code == 0, replayed.err


def evaluated(run):
    return {name: digest for name, digest in run.digests().items() if name.startswith("evals")}


def test_import_into_a_file_of_ones_own(cli, filled, tmp_path):
    assert cli("ledger", "--ledger", filled, "--export", tmp_path / "calls.jsonl").code == 0
    other = tmp_path / "new" / "other.sqlite"
    assert cli("ledger", "--ledger", other, "--import", tmp_path / "calls.jsonl").code == 0
    one, two = (json.loads(cli("ledger", "--ledger", path, "--format", "json").out) for path in (filled, other))
    assert two["total"]["calls"] == one["total"]["calls"] == 5
    assert two["total"]["cost"] == one["total"]["cost"]
    assert two["total"]["failed"] == 0, "failures are no answers: they are not exported"


def test_a_wrong_line_is_refused_and_nothing_is_imported(cli, filled, tmp_path):
    path = tmp_path / "calls.jsonl"
    assert cli("ledger", "--ledger", filled, "--export", path).code == 0
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:3], lines[3].replace('"stop"', '"stopped"'), lines[4]]), encoding="utf-8")
    before = filled.read_bytes()
    check_refused(cli("ledger", "--ledger", filled, "--import", path), f"{path}, line 4: ", "Nothing was imported")
    assert filled.read_bytes() == before


# --- what is refused --------------------------------------------------------------------------------------------------


def test_no_run(cli, tmp_path):
    check_refused(cli("ledger", "--runs", tmp_path), str(tmp_path), "srlm train")


def test_no_such_ledger(cli, tmp_path):
    check_refused(cli("ledger", "--ledger", tmp_path / "l.sqlite"), str(tmp_path / "l.sqlite"), "no such file")
    assert list(tmp_path.iterdir()) == []


def test_no_such_file_to_import(cli, tmp_path):
    result = cli("ledger", "--ledger", tmp_path / "l.sqlite", "--import", tmp_path / "calls.jsonl")
    check_refused(result, str(tmp_path / "calls.jsonl"), "no such file")
    assert list(tmp_path.iterdir()) == [], "an empty ledger was made"


def test_two_ledgers(cli, filled, own_run):
    check_refused(cli("ledger", "--ledger", filled, *own_run.at), "--ledger", "--run")


def test_two_steps_at_once(cli, filled, tmp_path):
    check_refused(cli("ledger", "--ledger", filled, "--export", tmp_path / "a", "--import", tmp_path / "b"), "--import")


def test_a_file_that_is_no_ledger(cli, tmp_path):
    (tmp_path / "l.sqlite").write_text("key,stage,model\n" * 100, encoding="utf-8")
    check_refused(cli("ledger", "--ledger", tmp_path / "l.sqlite"), str(tmp_path / "l.sqlite"), "no ledger")


def test_the_ledger_is_not_written_over(cli, filled):
    before = filled.read_bytes()
    check_refused(cli("ledger", "--ledger", filled, "--export", filled), "--export")
    assert filled.read_bytes() == before
