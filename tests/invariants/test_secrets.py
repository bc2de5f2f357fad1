"""A key leaves this machine only towards its own provider, and is written down nowhere."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

OPENAI_KEY, ANTHROPIC_KEY, OWN_KEY = "sk-test-SECRET-openai", "sk-test-SECRET-anthropic", "sk-test-SECRET-own"
KEYS = {"OPENAI_API_KEY": OPENAI_KEY, "ANTHROPIC_API_KEY": ANTHROPIC_KEY, "SRLM_API_KEY": OWN_KEY}
MARK = "sk-test-SECRET"

# The SDK waits between its retries, for the better part of a minute in all.
IMPATIENT = """
import time

time.sleep = lambda seconds: None
"""


@contextmanager
def judge_at():
    """A server that says "A" with a probability of three in four. Yields its address and the headers it was sent."""
    headers: list[dict[str, str]] = []

    class Judge(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            headers.append({name.lower(): value for name, value in self.headers.items()})
            top = [
                {"token": token, "logprob": logprob, "bytes": None} for token, logprob in (("A", -0.288), ("B", -1.386))
            ]
            choice = {
                "index": 0,
                "finish_reason": "length",
                "message": {"role": "assistant", "content": "A"},
                "logprobs": {"content": [{**top[0], "top_logprobs": top}]},
            }
            usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
            reply = {
                "id": "x",
                "object": "chat.completion",
                "created": 0,
                "model": "x",
                "choices": [choice],
                "usage": usage,
            }
            body = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Judge)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}/v1", headers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def files_with(folder, text):
    return [str(file) for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


@pytest.mark.parametrize("judge", ["openai:x@http://127.0.0.1:1/v1", "anthropic:x@http://127.0.0.1:1"])
def test_no_key_in_what_a_failure_leaves(cli, own_run, judge):
    command = ("eval", "M1", "--suite", "alpaca", "--judge", judge, "--limit", "2", *own_run.at)
    result = cli(*command, env=KEYS, customize=IMPATIENT)
    assert result.code == 2
    assert len(result.errors) == 1, result.err
    assert "answered none of" in result.errors[0]
    assert "Traceback" not in result.err
    assert MARK not in result.out + result.err
    assert files_with(own_run.folder, MARK) == []
    assert files_with(cli.home, MARK) == []
    assert own_run.calls("evals/card") == []


def test_the_providers_key_is_not_sent_to_another_address(cli, own_run):
    with judge_at() as (address, headers):
        judge = f"openai:x@http://{address}"
        command = ("eval", "M1", "--suite", "alpaca", "--judge", judge, "--limit", "2", *own_run.at)
        result = cli(*command, env=KEYS)
        assert result.code == 0, result.err
        asked = len(headers)
        again = cli(*command, env=KEYS)
    assert again.code == 0, again.err
    assert asked > 0
    assert len(headers) == asked, "a call was made again though its answer is in the ledger"
    assert {sent["authorization"] for sent in headers} == {f"Bearer {OWN_KEY}"}
    assert [value for sent in headers for value in sent.values() if OPENAI_KEY in value or ANTHROPIC_KEY in value] == []
    printed = cli("compare", "M1", "--format", "json", *own_run.at)
    assert json.loads(printed.out)["metrics"][0]["models"]["M1"]["value"] == pytest.approx(0.5)
    assert MARK not in result.out + result.err + printed.out
    assert files_with(own_run.folder, MARK) == []


def test_a_password_in_an_address_is_not_stored(cli, own_run):
    with judge_at() as (address, _):
        judge = f"openai:x@http://user:{OWN_KEY}@{address}"
        result = cli("eval", "M1", "--suite", "alpaca", "--judge", judge, "--limit", "2", *own_run.at)
    assert result.code == 0, result.err
    assert files_with(own_run.folder, MARK) == []
