"""The real command line against a judge whose calls fail in every way: nothing is lost, nothing is paid for twice."""

import json
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from helpers.servers import REASONS, preference, serving

PROMPTS = 12
MODEL = "gpt-4o-mini"
"""A model with a price, so that --max-cost can be kept; nothing is bought."""

CALLS = "SELECT request, reply FROM calls"


def command(own_run, server, protocol, *more, model=None):
    """Evaluate a model of the run, or one of the server's, which takes no time to load."""
    judge, model = server.spec(protocol, MODEL), model or server.spec(protocol, "gpt-4o")
    return ("eval", model, "--suite", "alpaca", "--judge", judge, "--limit", PROMPTS, *more, *own_run.at)


def ledger(own_run, query):
    """What it holds of the server's models: a local one has no colon in its name."""
    with closing(sqlite3.connect(f"file:{own_run.folder / 'ledger.sqlite'}?mode=ro", uri=True)) as found:
        return found.execute(f"{query} WHERE model LIKE '%:%'").fetchall()


def calls(own_run):
    """Requests and replies."""
    return [(json.loads(request), json.loads(reply)) for request, reply in ledger(own_run, CALLS)]


def failures(own_run):
    return Counter(reason for (reason,) in ledger(own_run, "SELECT reason FROM failures"))


def readings(own_run):
    (verdicts,) = (own_run.folder / "evals" / "alpaca").glob("*.verdicts.jsonl")
    return [json.loads(line)["reading"] for line in verdicts.read_text(encoding="utf-8").splitlines()]


def asked_for(server):
    return Counter(attempt.prompt for attempt in server.answered)


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_with_a_third_of_the_calls_failing_every_verdict_is_there(cli, own_run, protocol):
    with serving(faults=0.3, hang=5.0) as server:
        # A deadline of 10 s gives an attempt 4 s: a server that hangs for 5 is a timeout.
        words = command(own_run, server, protocol, "--timeout", 10, model="M1")
        result = cli(*words)
        assert result.code == 0, result.err
        asked, answered, failed = len(server.log), asked_for(server), list(server.failed)
        again = cli(*words)
        assert again.code == 0, again.err
        assert len(server.log) == asked, "a second command asked again"
    assert [one["kind"] for one in readings(own_run)] == ["scored"] * (2 * PROMPTS)
    assert max(answered.values()) == 1, "a call was made again though it had been answered"
    stored = calls(own_run)
    assert len(stored) == len(answered) > 2 * PROMPTS  # the judge's card was asked for, too
    assert failures(own_run) == Counter(REASONS[attempt.fault] for attempt in failed)
    assert {attempt.fault for attempt in failed} == set(REASONS), "more calls are needed for all faults to occur"
    for request, reply in stored:
        first = preference(request["messages"])
        assert reply["text"] == ("A" if first > 0.5 else "B" if protocol == "openai" else "B.")
        if protocol == "openai":
            assert reply["probabilities"] == pytest.approx([first, 1 - first])


def test_a_server_that_dies_is_one_error_and_its_successor_is_asked_for_the_rest(cli, own_run):
    with serving(alive=40) as dying:
        result = cli(*command(own_run, dying, "openai", "--timeout", 2))
        port, first = dying.port, asked_for(dying)
    assert result.code == 7
    (error,) = result.errors
    assert "answered nothing for 2 s; the last failure: connection reset" in error
    assert f"kept ({40 - PROMPTS} of this step)" in error
    assert "Traceback" not in result.err
    assert len(calls(own_run)) == len(first) == 40

    refused = cli(*command(own_run, dying, "openai", "--timeout", 1))
    assert refused.code == 7
    assert "the last failure: no connection" in refused.errors[0]
    assert len(calls(own_run)) == 40

    with serving(port=port) as back:
        result = cli(*command(own_run, back, "openai", "--timeout", 5))
        second = asked_for(back)
    assert result.code == 0, result.err
    assert max((first + second).values()) == 1
    assert len(calls(own_run)) == len(first) + len(second)
    assert [one["kind"] for one in readings(own_run)] == ["scored"] * (2 * PROMPTS)


def test_ctrl_c_keeps_what_came(cli, own_run):
    with serving(delay=0.15) as server:
        words = command(own_run, server, "openai", "--max-connections", 4)
        process = cli.start(*words)
        give_up = time.monotonic() + 120
        while len(server.answered) < 20 and process.poll() is None and time.monotonic() < give_up:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert "the same command goes on from here" in errors
        assert "Traceback" not in errors
        kept, before = len(calls(own_run)), len(server.answered)
        assert before - 8 <= kept <= before  # those in flight are lost, and those that had just come
        server.delay = 0.0
        result = cli(*words)
        assert result.code == 0, result.err
        assert len(server.answered) - before == len(calls(own_run)) - kept
    assert [one["kind"] for one in readings(own_run)] == ["scored"] * (2 * PROMPTS)


# --- money ------------------------------------------------------------------------------------------------------------


def test_an_estimate_asks_nobody_and_is_right(cli, own_run):
    pytest.importorskip("genai_prices")
    with serving() as server:
        words = command(own_run, server, "openai")
        before = own_run.digests()
        estimate = cli(*words, "--estimate")
        assert estimate.code == 0, estimate.err
        assert server.log == []
        assert own_run.digests() == before
        first, second, together = estimate.out.splitlines()
        result = cli(*words)
        assert estimate.out.strip() in result.err, "the estimate stands before the first call"
        asked = Counter(attempt.body["model"] for attempt in server.log)
        assert first.startswith(f"openai:gpt-4o: {asked['gpt-4o']} calls to make")
        assert second.startswith(f"openai:{MODEL}: {asked[MODEL]} calls to make")
        about, most = (float(part.split("$")[1].rstrip(".")) for part in together.split(", "))
        spent = sum(cost for (cost,) in ledger(own_run, "SELECT cost FROM calls"))
        assert 0 < spent < about < most
        again = cli(*words, "--estimate").out
        assert again == "Nothing is left to ask: every answer is in the ledger.\n"


def test_an_estimate_of_local_answers_generates_none(cli, own_run):
    with serving() as server:
        result = cli(*command(own_run, server, "openai", "--estimate", model="M1"))
    assert result.code == 0, result.err
    assert f"M1: {PROMPTS} calls to make" in result.out
    assert result.out.splitlines()[0].endswith("free.")
    assert own_run.calls("evals/%") == []


def test_an_unknown_price_is_said_to_be_unknown(cli, own_run):
    with serving() as server:
        words = command(own_run, server, "openai", model=server.spec("openai", "of-my-own"))
        assert "the price is unknown" in cli(*words, "--estimate").out
        refused = cli(*words, "--max-cost", 1)
        assert refused.code == 2
        assert "price of openai:of-my-own is unknown" in refused.errors[0]
        assert server.log == []


def test_max_cost_stops_before_it_is_passed_and_goes_on_with_more(cli, own_run):
    pytest.importorskip("genai_prices")
    limit = 0.003
    with serving() as server:
        words = command(own_run, server, "openai", "--max-tokens", 20)
        result = cli(*words, "--max-cost", limit)
        assert result.code == 6
        (error,) = result.errors
        assert "--max-cost 0.003 is reached" in error
        bought = len(server.answered)
        assert 0 < bought == len(calls(own_run))
        spent = sum(cost for (cost,) in ledger(own_run, "SELECT cost FROM calls"))
        assert limit / 2 < spent <= limit
        assert f"${spent:.4f} are spent" in error
        assert cli(*words, "--max-cost", 0).code == 6
        assert len(server.log) == bought
        assert cli(*words, "--max-cost", 1).code == 0
        assert max(asked_for(server).values()) == 1


CHEAP = (
    "judge.scoring=sampled",
    "judge.samples=1",
    "judge.sampling.max_tokens=8",
    "pairs.scored_by=frozen",
    "monitor.degenerate_answer_prompts=0",
)
"""The loop with a judge of the server's: its own verdicts are short, and cannot be read."""


@pytest.mark.slow
def test_max_cost_holds_for_all_stages_of_a_training_and_it_goes_on_with_more(cli, tiny_config, finished_run, tmp_path):
    pytest.importorskip("genai_prices")

    def train(server, name, *more):
        changes = (*CHEAP, f"judge.frozen={server.spec('openai', MODEL)}")
        words = [word for change in changes for word in ("--set", change)]
        run = type(finished_run)(tmp_path / name)
        return run, cli("train", tiny_config, "--runs", tmp_path, "--name", name, *words, *more)

    with serving(scores=True) as server:
        whole, result = train(server, "whole")
        assert result.code == 0, result.err
        costs = {model: sum(one[-1] for one in whole.calls(f"{model}/frozen_verdicts")) for model in ("M2", "M3")}
        everything = len(server.answered)
        assert everything == sum(len(whole.calls(f"{model}/frozen_verdicts")) for model in costs)
        # Enough for the first judging and half of the second: a cap for each stage alone would not be reached.
        limit = round(costs["M2"] + costs["M3"] / 2, 6)
        assert limit > max(costs.values())
        server.asked.clear()
        server.log.clear()

        part, result = train(server, "part", "--max-cost", f"{limit:f}")
        assert result.code == 6
        (error,) = result.errors
        assert f"--max-cost {limit:g} is reached" in error
        assert "Traceback" not in result.err
        bought = [one[-1] for one in part.calls("%frozen_verdicts")]
        assert (part.folder / "M2" / "checkpoint").exists()
        assert not (part.folder / "M3" / "frozen_verdicts.jsonl").exists()
        assert len(bought) == len(server.answered)
        assert len(part.calls("M2/frozen_verdicts")) < len(bought) < everything
        assert limit / 2 < sum(bought) <= limit

        _, nothing = train(server, "part", "--max-cost", 0)
        assert (nothing.code, len(server.answered)) == (6, len(bought))
        _, result = train(server, "part", "--max-cost", 2 * costs["M3"])
        assert result.code == 0, result.err
        assert len(server.answered) == everything
        assert max(asked_for(server).values()) == 1
    for stage in ("M2/frozen_verdicts", "M3/frozen_verdicts", "M3/pairs"):
        assert part.records(stage) == whole.records(stage)
    weights = [run.digests()["M3/checkpoint/model.safetensors"] for run in (whole, part)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(("begun", "setting"), [(False, "judge.frozen"), (True, "dpo.stopping.judge")])
def test_a_training_whose_judge_has_no_known_price_is_refused_before_any_work(
    cli, tiny_config, tmp_path, begun, setting
):
    with serving() as server:
        judge = server.spec("openai", "of-my-own")
        words = ("--runs", tmp_path, "--name", "r", "--set", f"{setting}={judge}", "--set", "judge.scoring=sampled")
        if begun:
            (tmp_path / "r").mkdir()
            (tmp_path / "r" / "run.yaml").write_text("model: x\n", encoding="utf-8")
        refused = cli("train", tiny_config, *words, "--max-cost", 1)
        assert refused.code == 2
        assert "price of openai:of-my-own is unknown" in refused.errors[0]
        assert [path.name for path in tmp_path.rglob("*")] == (["r", "run.yaml"] if begun else [])
        assert server.log == []
