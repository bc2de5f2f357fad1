"""A key leaves this machine only towards its own provider, and is written down nowhere."""

import traceback
from base64 import b64encode

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from helpers.servers import Odd, chat, serving
from srlm.engines.client_config import ClientConfig
from srlm.engines.open import open_engine
from srlm.errors import EngineError
from srlm.types import Message, Request

OPENAI_KEY, ANTHROPIC_KEY, OWN_KEY = "sk-test-SECRET-openai", "sk-test-SECRET-anthropic", "sk-test-SECRET-own"
KEYS = {"OPENAI_API_KEY": OPENAI_KEY, "ANTHROPIC_API_KEY": ANTHROPIC_KEY, "SRLM_API_KEY": OWN_KEY}
MARK = "sk-test-SECRET"


def files_with(folder, text):
    return [str(file) for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


def nothing_leaked(cli, own_run, *results):
    printed = "".join(result.out + result.err for result in results)
    return MARK not in printed and not files_with(own_run.folder, MARK) and not files_with(cli.home, MARK)


def command(own_run, judge):
    return ("eval", "M1", "--suite", "alpaca", "--judge", judge, "--limit", "2", *own_run.at)


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
@pytest.mark.parametrize("status", [401, 400, 404])
def test_no_key_in_what_a_refusal_leaves(cli, own_run, protocol, status):
    """The server repeats the key in every field of its error."""
    with serving(status=status) as server:
        result = cli(*command(own_run, server.spec(protocol, "x")), env=KEYS)
        assert OWN_KEY in "".join(server.log[0].headers.values())
    assert result.code == {401: 2, 400: 7, 404: 2}[status]
    assert len(result.errors) == 1, result.err
    assert {401: "SRLM_API_KEY", 400: "the first failure: HTTP 400", 404: "has no model"}[status] in result.errors[0]
    assert "Traceback" not in result.err
    assert nothing_leaked(cli, own_run, result)
    assert own_run.calls("evals/card") == []


def test_no_key_in_what_passing_failures_leave(cli, own_run):
    with serving(status=503) as server:
        words = (*command(own_run, server.spec("openai", "x")), "--timeout", "1")
        result = cli(*words, env=KEYS)
    assert result.code == 7
    assert "the last failure: HTTP 503" in result.errors[0]
    assert nothing_leaked(cli, own_run, result)


def test_no_key_in_what_a_closed_port_leaves(cli, own_run):
    result = cli(*command(own_run, "anthropic:x@http://127.0.0.1:1"), "--timeout", "1", env=KEYS)
    assert result.code == 7
    assert "no connection" in result.errors[0]
    assert nothing_leaked(cli, own_run, result)


@pytest.mark.parametrize("piece", ["{}", "{:.14}", "key=\\u001b[1m{}", "{:.6}...cret"])
@pytest.mark.parametrize("status", [400, 402, 429, 500])
def test_no_piece_of_a_key_in_the_words_that_are_shown(cli, own_run, tmp_path, piece, status):
    """The server's own words are part of the message, also where it repeats the key in them."""
    echo = f'{{"error": {{"message": "I got {piece.format(OWN_KEY)} from you", "code": "{OWN_KEY}"}}}}'.encode()
    with serving(odd=lambda body: Odd(echo, status, (("Retry-After", "9000"),))) as server:
        result = cli("judge", "card", server.spec("openai", "x"), *few_pairs(tmp_path), "--timeout", "1", env=KEYS)
    assert result.code == (2 if status == 402 else 7)
    assert len(result.errors) == 1, result.err
    assert "I got" in result.errors[0]
    assert "from you" in result.errors[0]
    assert OWN_KEY[:8] not in result.out + result.err
    assert files_with(tmp_path, MARK) == files_with(cli.home, MARK) == []


@pytest.mark.parametrize("data", [chat(f"Your key is {OWN_KEY}."), chat("Score: 4", reasoning=f"{OWN_KEY}")])
def test_a_key_in_an_answer_is_not_kept(cli, tmp_path, data):
    with serving(odd=lambda body: Odd(data)) as server:
        result = cli("judge", "card", server.spec("openai", "x"), *few_pairs(tmp_path), env=KEYS)
    assert result.code == 0, result.err
    assert MARK not in result.out + result.err
    assert files_with(tmp_path, MARK) == files_with(cli.home, MARK) == []


def few_pairs(folder):
    """Options of `srlm judge card` for one labelled pair, with all that is written in a folder."""
    pairs = folder / "pairs.jsonl"
    rows = [f'{{"prompt": "Add 1 and {n}.", "chosen": "{1 + n}", "rejected": "No idea."}}\n' for n in range(2)]
    pairs.write_text("".join(rows))
    return ("--pairs", str(pairs), "--samples", "1", "--ledger", str(folder / "ledger.sqlite"))


def test_a_traceback_of_every_error_has_no_key(monkeypatch):
    """An exception may be logged by whoever uses srlm as a library: with its whole chain, and its notes."""
    monkeypatch.setenv("SRLM_API_KEY", OWN_KEY)
    for protocol in ("openai", "anthropic"):
        for status in (400, 401, 403, 404, 500):
            with serving(status=status) as server:
                engine = open_engine(server.spec(protocol, "x"), client=ClientConfig(timeout=0.5, initial_backoff=0.1))
                request = Request((Message("user", "A or B?"),), choices=("A", "B"))
                try:
                    told = repr(list(engine.run([[request]])))
                except EngineError as error:
                    told = "".join(traceback.format_exception(error)) + repr(error.args)
            assert str(status) in told
            assert MARK not in told


def test_the_providers_key_is_not_sent_to_another_address(cli, own_run):
    with serving() as server:
        words = command(own_run, server.spec("openai", "x"))
        result = cli(*words, env=KEYS)
        assert result.code == 0, result.err
        asked = len(server.log)
        again = cli(*words, env=KEYS)
        assert again.code == 0, again.err
        assert len(server.log) == asked > 0, "a call was made again though its answer is in the ledger"
    sent = [attempt.headers for attempt in server.log]
    assert {headers["authorization"] for headers in sent} == {f"Bearer {OWN_KEY}"}
    assert [value for one in sent for value in one.values() if OPENAI_KEY in value or ANTHROPIC_KEY in value] == []
    assert nothing_leaked(cli, own_run, result, again, cli("compare", "M1", "--format", "json", *own_run.at))


def test_a_password_in_an_address_is_not_stored(cli, own_run):
    with serving() as server:
        judge = f"openai:x@http://user:{OWN_KEY}@127.0.0.1:{server.port}/v1"
        result = cli(*command(own_run, judge))
        sent = {attempt.headers["authorization"] for attempt in server.log}
    assert result.code == 0, result.err
    assert sent == {f"Basic {b64encode(f'user:{OWN_KEY}'.encode()).decode()}"}
    assert files_with(own_run.folder, MARK) == []
