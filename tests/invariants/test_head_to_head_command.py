"""The suite head-to-head through the real command line: nothing is paid for twice, and what is missing is said."""

import json

import pytest

from helpers.servers import serving
from srlm.config_file import load_config
from srlm.runs import start_run

KEY = {"OPENAI_API_KEY": "k"}
LIMIT = 6
CARD = 2 * 60
"""Labelled pairs of the judge's card, in both orders."""


@pytest.fixture
def run(tmp_path):
    """A run without a model: whoever answers is on a server."""
    start_run(tmp_path / "runs", "r", load_config("quickstart", [])).close()
    return tmp_path / "runs"


@pytest.fixture
def servers():
    """Two that answer differently, and a third that judges."""
    with serving() as first, serving(scores=True) as second, serving() as judge:
        yield first, second, judge


def words(servers, *more):
    first, second, judge = servers
    models = (first.spec("openai", "one"), second.spec("openai", "two"))
    return models, ("--judge", judge.spec("openai", "judge"), "--limit", LIMIT, *more)


def files(run):
    folder = run / "r" / "evals"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def outcomes(folder):
    """What came of the pair, and the records beside it."""
    found = sorted((folder / "evals" / "head-to-head").glob("*~*.json"))
    records = sorted((folder / "evals" / "head-to-head").glob("*.jsonl"))
    return [json.loads(path.read_text())["outcomes"] for path in found], [path.read_bytes() for path in records]


def test_a_second_eval_asks_nothing_in_whatever_order_and_alpacas_answers_are_used(cli, run, servers):
    models, options = words(servers)
    at = ("--runs", run, "--run", "r")
    first, second, judge = servers
    assert cli("eval", *models, "--suite", "alpaca", *options, *at, env=KEY).code == 0
    answered, judged = len(first.answered) + len(second.answered), len(judge.answered)
    assert answered == 2 * LIMIT

    result = cli("eval", *models, "--suite", "head-to-head", *options, *at, env=KEY)
    assert result.code == 0, result.err
    assert "pair by pair" in result.out
    assert len(first.answered) + len(second.answered) == answered
    # A server of tests may say the same as the other: a pair of equal answers is one call in both orders.
    asked = len(judge.answered) - judged
    assert LIMIT < asked <= 2 * LIMIT
    seen = files(run)

    again = cli("eval", *reversed(models), "--suite", "head-to-head,alpaca", *options, *at, env=KEY)
    assert again.code == 0, again.err
    assert "Nothing is left to ask" in again.err
    assert len(judge.answered) == judged + asked
    assert files(run) == seen
    assert len([name for name in seen if name.startswith("head-to-head/") and name.endswith(".json")]) == 1


def test_what_was_broken_off_goes_on_and_comes_to_the_same(cli, run, servers, tmp_path):
    models, options = words(servers)
    at = ("--runs", run, "--run", "r")
    judge = servers[2]
    judge.alive = CARD // 2 + 3
    broken = cli("eval", *models, "--suite", "head-to-head", *options, *at, "--timeout", 2, env=KEY)
    assert broken.code == 7, broken.err
    assert not any(name.endswith(".json") for name in files(run))
    kept = len(judge.answered)
    judge.alive = None
    result = cli("eval", *models, "--suite", "head-to-head", *options, *at, env=KEY)
    assert result.code == 0, result.err
    bodies = [json.dumps(attempt.body, sort_keys=True) for attempt in judge.answered]
    assert kept < len(bodies) == len(set(bodies))

    start_run(tmp_path / "runs", "unbroken", load_config("quickstart", [])).close()
    other = ("--runs", run, "--run", "unbroken")
    assert cli("eval", *models, "--suite", "head-to-head", *options, *other, env=KEY).code == 0
    # The judge's card also says how long its calls took.
    assert outcomes(run / "unbroken") == outcomes(run / "r")


def test_compare_shows_wins_elo_and_the_pairs(cli, run, servers):
    models, options = words(servers)
    third = servers[1].spec("openai", "three")
    at = ("--runs", run, "--run", "r")
    result = cli("eval", *models, third, "--suite", "head-to-head", *options, *at, env=KEY)
    assert result.code == 0, result.err
    result = cli("compare", *models, third, "--format", "json", *at)
    assert (result.code, result.err) == (0, "")
    data = json.loads(result.out)
    found = {metric["key"]: metric for metric in data["metrics"]}
    wins = found["head_to_head"]["models"][models[1]]["difference"]
    assert wins["wins"] + wins["ties"] + wins["losses"] == LIMIT
    assert found["head_to_head_elo"]["unit"] == "elo"
    assert found["head_to_head_elo"]["models"][models[0]]["value"] == 0
    (side,) = data["sides"]
    assert len(side["columns"]) == 3
    table = cli("compare", *models, third, *at)
    assert "pair by pair" in table.out


def test_the_estimate_is_what_is_asked(cli, run, servers):
    models, options = words(servers, "--baseline", words(servers)[0][0])
    at = ("--runs", run, "--run", "r")
    result = cli("eval", *models, "--suite", "head-to-head", *options, *at, "--estimate", env=KEY)
    assert result.code == 0, result.err
    assert not any(server.log for server in servers)
    assert f"openai:judge: {CARD + 2 * LIMIT} calls to make" in result.out
    assert f"openai:one: {LIMIT} calls to make" in result.out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("openai:m", "--suite", "head-to-head"), "needs two models"),
        (("openai:m", "openai:n", "--suite", "head-to-head", "--baseline", "openai:o"), "'openai:o' does not exist"),
        (("openai:m", "--baseline", "openai:m"), "--baseline is of the suite head-to-head"),
    ],
)
def test_models_that_cannot_meet_are_refused_in_one_line(cli, run, words, named):
    result = cli("eval", *words, "--runs", run, "--run", "r", env=KEY)
    assert (result.code, result.out) == (2, "")
    assert named in result.errors[-1]
