"""All suites at once, on a machine without a network: one table, and what cannot begin is said, not hidden."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

OUTPUTS = [
    {"dataset": "d", "instruction": f"Name {number} colours.", "output": "Red and blue.", "generator": "baseline"}
    for number in range(3)
]


def test_all_suites_end_in_one_table_and_are_asked_once(cli, own_run):
    command = ("eval", "M1", "M2", "--suite", "all", "--judge", "M1", "--limit", 2, "--max-tokens", 8, *own_run.at)
    first = cli(*command)
    assert first.code == 0, first.err
    assert first.out.count("Comparison with M1") == 1
    figures = (
        "win rate against the reference",
        "two-turn questions, both turns",
        "pairwise accuracy as judge",
        "Countdown items solved",
        "Elo",
    )
    for figure in figures:
        assert figure in first.out
    assert "Left out is nlp" in first.err
    assert "In place of IFEval, countdown is asked" in first.err
    assert "Traceback" not in first.err
    calls = own_run.calls("evals/%")
    assert cli(*command).out == first.out
    assert own_run.calls("evals/%") == calls


def test_a_suite_that_is_named_is_never_left_out(cli, own_run):
    result = cli("eval", "M1", "--suite", "reward,nlp", "--limit", 2, *own_run.at)
    assert (result.code, result.out) == (2, "")
    assert "arc_easy" in result.err


@pytest.fixture
def hub():
    """A server with the one file of the Hub that is asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.path == "/datasets/owner/name/resolve/main/alpaca_eval_gpt4_baseline.json"
            body = json.dumps(OUTPUTS).encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"1234567890abcdef"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_alpacas_instructions_come_from_the_hub_where_they_are_named(cli, own_run, hub, tmp_path):
    online = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "hf")}
    options = ("--suite", "alpaca", "--judge", "M1", "--max-tokens", 4, *own_run.at)
    result = cli.apart("eval", "M1", "--prompts", "owner/name", *options, env=online)
    assert result.code == 0, result.err
    written = json.loads((own_run.folder / "evals/alpaca/M1/model_outputs.json").read_text())
    assert [one["instruction"] for one in written] == [one["instruction"] for one in OUTPUTS]
    missing = cli.apart("eval", "M1", "--prompts", "owner/other", *options, env=online)
    assert (missing.code, missing.out) == (2, "")
    assert "owner/other: is not a local file, and cannot be loaded from the Hub" in missing.err
