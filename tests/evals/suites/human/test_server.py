"""Who is answered by the server of pairs, and who is not."""

import json
import shutil
import socket
from contextlib import contextmanager
from http.client import HTTPConnection
from threading import Thread

import pytest

from evals.suites.human.blinding import AnnotationSession
from evals.suites.human.server import LARGEST, AnnotationServer
from evals.suites.human.votes import AnnotationSet, AnswerPair, read_votes
from helpers.human_votes import prompts
from srlm.errors import UsageError

MODEL, OPPONENT = "falcon-seven", "osprey-nine"


@contextmanager
def serving(folder, annotator=None):
    pairs = [AnswerPair(one.id, one.instruction, f"A {one.id} \ud800", f"B {one.id}") for one in prompts(4)]
    sheet = AnnotationSet(MODEL, OPPONENT, "head-to-head", "4:abc", "T=0.7", 0, tuple(pairs))
    with AnnotationServer(AnnotationSession(sheet, folder), annotator, 0) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path / f"{MODEL}~{OPPONENT}") as found:
        yield found


def ask(server, method, path, body=None, **headers):
    """The answer's status, headers and text."""
    connection = HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read().decode()
    finally:
        connection.close()


def post(server, path, data, **headers):
    headers = {"X_Srlm_Key": server.key, **headers}
    status, _, text = ask(server, "POST", path, json.dumps(data), **headers)
    return status, json.loads(text)


def test_the_page_has_a_policy_that_loads_nothing_from_elsewhere(server):
    for path in ("/", "/page.css", "/page.js"):
        status, headers, text = ask(server, "GET", path)
        assert status == 200
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "http" not in text.replace("aria-", "")
        assert headers["Cache-Control"] == "no-store"
        assert "Python" not in headers["Server"]
        assert server.key not in text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::1"])
def test_another_host_is_refused(server, host):
    assert ask(server, "GET", "/", Host=host)[0] == 403
    assert post(server, "/pairs", {"annotator": "ann"}, Host=host)[0] == 403


def test_a_tunnel_may_have_another_port(server):
    assert ask(server, "GET", "/", Host="localhost:9999")[0] == 200


@pytest.mark.parametrize("key", ["", "wrong", "é"])
def test_without_the_key_there_is_neither_ballot_nor_vote(server, key):
    key = key.encode().decode("latin-1")
    status, answer = post(server, "/pairs", {"annotator": "ann"}, X_Srlm_Key=key)
    assert (status, list(answer)) == (403, ["problem"])
    assert "Open the address" in answer["problem"]
    assert post(server, "/vote", {"annotator": "ann", "pair": "0", "choice": "left"}, X_Srlm_Key=key)[0] == 403
    assert not server.session.counts()


def test_ballots_are_given_out_and_votes_taken(server):
    assert post(server, "/pairs", {"annotator": None})[1] == {"annotator": None}
    status, answer = post(server, "/pairs", {"annotator": "Ann"})
    assert (status, answer["annotator"], len(answer["pairs"])) == (200, "ann", 4)
    pair = answer["pairs"][0]["id"]
    assert post(server, "/vote", {"annotator": "ann", "pair": pair, "choice": "left"})[0] == 200
    assert post(server, "/pairs", {"annotator": "ann"})[1]["pairs"][0]["choice"] == "left"
    assert len(read_votes(server.session.folder / "ann.jsonl")) == 1


def test_an_annotator_of_the_command_is_the_only_one(tmp_path):
    with serving(tmp_path, "bob") as server:
        assert post(server, "/pairs", {"annotator": "ann"})[1]["annotator"] == "bob"


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/vote", {"annotator": "ann", "pair": "no", "choice": "left"}, 400),
        ("/vote", {"annotator": "ann", "pair": "no", "choice": "win"}, 400),
        ("/vote", {"annotator": "ann", "pair": "no", "choice": ["left"]}, 400),
        ("/vote", [], 400),
        ("/pairs", {"annotator": "x" * 50}, 400),
        ("/pairs", {"annotator": "x" * LARGEST}, 413),
        ("/else", {"annotator": "ann"}, 404),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(server, path, data, status):
    found, answer = post(server, path, data)
    assert (found, list(answer)) == (status, ["problem"])
    assert answer["problem"].endswith((".", "ann"))
    assert not server.session.counts()


def test_no_json_no_length_no_page(server):
    assert ask(server, "POST", "/vote", "{", X_Srlm_Key=server.key)[0] == 400
    assert ask(server, "POST", "/vote", "{}", X_Srlm_Key=server.key, Content_Length="-1")[0] == 413
    assert ask(server, "GET", "/../server.py")[0] == 404
    assert ask(server, "PUT", "/")[0] == 501


@pytest.mark.parametrize("length", ["1" * 5000, "-1", "", "10001", "1e3", "٣", "0x10", "+5", " "])
def test_a_size_that_is_none_or_too_large_is_refused_without_a_word_on_the_terminal(server, capsys, length):
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=10) as connection:
        connection.sendall(b"POST /vote HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Srlm-Key: " + server.key.encode() + b"\r\n")
        connection.sendall(f"Content-Length: {length}\r\n\r\n".encode())
        answer = connection.recv(100)
    assert b" 413 " in answer
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "body",
    [
        "[" * 9990,
        '{"annotator": ' * 700,
        '{"annotator": ' + "[" * 900 + "]" * 900 + "}",
        '{"annotator": ' + "1" * 5000 + "}",
        '{"annotator": "ann", "choice": "tie", "pair": ' + "[" * 900 + "]" * 900 + "}",
        "null",
        "NaN",
        "",
    ],
)
def test_a_body_of_any_depth_is_refused_without_a_word_on_the_terminal(server, capsys, body):
    assert ask(server, "POST", "/vote", body, X_Srlm_Key=server.key)[0] == 400
    assert capsys.readouterr().err == ""


def test_a_vote_on_a_run_that_was_removed_is_refused_and_nothing_is_made_again(server, capsys):
    pair = post(server, "/pairs", {"annotator": "ann"})[1]["pairs"][0]["id"]
    shutil.rmtree(server.session.folder.parent)
    status, answer = post(server, "/vote", {"annotator": "ann", "pair": pair, "choice": "tie"})
    assert status == 507
    assert "was removed" in answer["problem"]
    assert MODEL not in answer["problem"]
    assert not server.session.folder.parent.exists()
    assert "was removed" in capsys.readouterr().err


def test_a_damaged_file_is_said_on_the_terminal_and_not_on_the_page(server, capsys):
    server.session.folder.mkdir(exist_ok=True)
    (server.session.folder / "ann.jsonl").write_text("{\n{\n")
    status, answer = post(server, "/pairs", {"annotator": "ann"})
    assert status == 500
    assert MODEL not in answer["problem"]
    assert "ann.jsonl, line 1" in capsys.readouterr().err


def test_a_vote_that_cannot_be_written_is_said(server, monkeypatch):
    def full(path, vote):
        raise OSError(28, "No space left on device", f"{path}")

    monkeypatch.setattr("evals.suites.human.blinding.append_vote", full)
    pair = post(server, "/pairs", {"annotator": "ann"})[1]["pairs"][0]["id"]
    status, answer = post(server, "/vote", {"annotator": "ann", "pair": pair, "choice": "tie"})
    assert (status, answer["problem"]) == (
        507,
        "This vote could not be written (No space left on device). Mend that and vote again.",
    )


def test_a_port_that_is_taken_is_refused(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="is in use"):
            AnnotationServer(
                AnnotationSession(AnnotationSet("a", "b", "alpaca", "", "", 0, ()), tmp_path),
                None,
                taken.getsockname()[1],
            )
