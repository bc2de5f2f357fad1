"""Read-only ledgers can be read; damaged ones are reported in one message, and their readable calls can be saved."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import srlm
from helpers.older_ledgers import FIRST, call, older, version
from srlm.console import Progress
from srlm.errors import DataError
from srlm.inference import Caller
from srlm.ledger import Call, Ledger
from srlm.ledger_export import export_calls, import_calls
from srlm.ledger_schema import NotWritable
from srlm.types import Completion, Message, Request

posix = pytest.mark.skipif(os.name != "posix", reason="there are no pipes on the disk here")
ASKED = Request((Message("user", "Well?"),))


@pytest.fixture
def path(tmp_path):
    """A ledger with 300 calls, on about a hundred pages."""
    path = tmp_path / "l.sqlite"
    ledger = Ledger(path)
    ledger.commit("s", "m", [call(number, "word " * 500) for number in range(300)], ["timeout"])
    ledger.close()
    return path


def sql(path, *statements):
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def failing(code, words):
    """Raise an error of SQLite."""

    def fail(*_):
        error = sqlite3.OperationalError(words)
        error.sqlite_errorcode = code
        raise error

    return fail


# --- what cannot be written -------------------------------------------------------------------------------------------

CODES = [
    (sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
    (sqlite3.SQLITE_CANTOPEN, "unable to open database file"),
    (sqlite3.SQLITE_IOERR | 19 << 8, "disk I/O error"),
    (sqlite3.SQLITE_FULL, "database or disk is full"),
]


@pytest.mark.parametrize(("code", "words"), CODES)
def test_a_place_where_nothing_can_be_written_is_read_and_not_called_damaged(path, monkeypatch, code, words):
    before = path.read_bytes()
    monkeypatch.setattr("srlm.ledger_schema._begin", failing(code, words))
    ledger = Ledger(path)
    assert (ledger.count(), ledger.summary()[0].calls, len(list(ledger.calls()))) == (300, 300, 300)
    for write in (ledger.require_writable, lambda: ledger.commit("s", "m", [call(900)])):
        with pytest.raises(NotWritable, match=rf"cannot be written \({words}\)") as caught:
            write()
        assert "damaged" not in str(caught.value)
        assert "kept" in str(caught.value)
    ledger.close()
    assert path.read_bytes() == before


def test_an_older_ledger_that_cannot_be_written_is_read_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "l.sqlite"
    older(path, FIRST)
    monkeypatch.setattr("srlm.ledger_schema._begin", failing(*CODES[0]))
    ledger = Ledger(path)
    assert (ledger.count(), ledger.summary()[0].prompt_tokens, ledger.days(["a"])) == (1, 11, None)
    with pytest.raises(NotWritable):
        ledger.commit("s", "m", [call(1)])
    ledger.close()
    assert version(path) == 0


def test_nobody_is_asked_whose_answers_could_not_be_kept(path, monkeypatch):
    monkeypatch.setattr("srlm.ledger_schema._begin", failing(*CODES[0]))

    class Paid:
        name = identity = "openai:x"
        price = None

        def plan(self, requests):
            return [[0]]

        def run(self, batches, on_progress=None):
            assert not batches, "it was asked"
            yield from ()

    ledger = Ledger(path)
    with pytest.raises(NotWritable):
        Caller(Paid(), ledger, "s", Progress(quiet=True)).ask([ASKED], "l")
    ledger.close()


def test_a_full_disk_is_said_before_anything_is_asked(path, monkeypatch):
    ledger = Ledger(path)
    ledger.require_writable()
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10**9, 10**9, 0))
    with pytest.raises(NotWritable, match="the disk is full"):
        ledger.require_writable()
    ledger.close()


MOUNTED = """
import os, subprocess, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from srlm.errors import DataError
from srlm.ledger import Ledger
from helpers.older_ledgers import call
from helpers.older_ledgers import FIRST, older

root = Path(sys.argv[1])
mount = lambda *words: subprocess.run(["mount", *words, str(root)], check=True)
mount("-t", "tmpfs", "none")
child = os.fork()
if not child:  # killed, as it were, with calls that are only in SQLite's log
    ledger = Ledger(root / "log.sqlite")
    ledger.commit("s", "m", [call(1)])
    os._exit(0)
os.waitpid(child, 0)
(root / "log.sqlite-shm").unlink()
ledger = Ledger(root / "closed.sqlite")
ledger.commit("s", "m", [call(1)])
ledger.close()
older(root / "older.sqlite", FIRST)
mount("-o", "remount,ro")
for name in ("log", "closed", "older"):
    ledger = Ledger(root / f"{name}.sqlite")
    assert (ledger.count(), ledger.summary()[0].calls) == (1, 1), name
    for write in (ledger.require_writable, lambda: ledger.commit("s", "m", [call(2)])):
        try:
            write()
        except DataError as error:
            assert "mounted read-only" in str(error), error
        else:
            raise AssertionError(name)
    ledger.close()
"""


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], check=False, capture_output=True
    ).returncode
    != 0,
    reason="no disk can be mounted here",
)
def test_a_disk_that_is_mounted_read_only(tmp_path):
    surroundings = {**os.environ, "PYTHONPATH": str(Path(srlm.__file__).parents[1])}
    command = ["unshare", "-m", sys.executable, "-c", MOUNTED, str(tmp_path), str(Path(__file__).parents[1])]
    done = subprocess.run(command, check=False, env=surroundings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("make", [os.mkdir, pytest.param(getattr(os, "mkfifo", None), marks=posix)])
def test_what_is_no_file_is_no_ledger(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(DataError, match="is no file, so no ledger"):
        Ledger(tmp_path / "x")


def test_the_database_of_something_else_is_not_even_given_a_log(tmp_path):
    path = tmp_path / "x"
    sql(path, "CREATE TABLE people (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(DataError, match="no ledger"):
        Ledger(path)
    assert path.read_bytes() == before


# --- what is damaged --------------------------------------------------------------------------------------------------


def scribble(path):
    """Overwrite a third of the file with zeros, far behind its first page."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 3)
        file.write(b"\0" * (size // 3))


DAMAGES = {
    "pages": scribble,
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "reply": lambda path: sql(path, f"UPDATE calls SET reply = 'no JSON' WHERE key = '{7:064x}'"),
    "deep reply": lambda path: sql(path, f"UPDATE calls SET reply = '{'[' * 9000}' WHERE key = '{7:064x}'"),
    "request": lambda path: sql(path, f"UPDATE calls SET request = x'ff00' WHERE key = '{7:064x}'"),
    "not UTF-8": lambda path: sql(path, f"UPDATE calls SET reply = CAST(x'7bff' AS TEXT) WHERE key = '{7:064x}'"),
    "no failures": lambda path: sql(path, "DROP TABLE failures"),
    "no calls": lambda path: sql(path, "DROP TABLE calls"),
    "other columns": lambda path: sql(path, "ALTER TABLE calls RENAME COLUMN reply TO said"),
    "trigger": lambda path: sql(
        path, "CREATE TRIGGER t BEFORE INSERT ON calls BEGIN SELECT RAISE(ABORT, 'caught'); END"
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_message_whatever_is_done(path, tmp_path, damage):
    DAMAGES[damage](path)
    met = []

    def all_of(ledger):
        yield ledger.summary
        yield lambda: [ledger.get(f"{number:064x}") for number in range(300)]
        yield lambda: ledger.call(f"{7:064x}")
        yield lambda: ledger.days([f"{7:064x}"])
        yield lambda: list(ledger.calls())
        yield lambda: export_calls(ledger, tmp_path / "calls.jsonl")
        yield lambda: ledger.commit("s", "m", [call(900)], ["timeout"])

    try:
        ledger = Ledger(path)
    except DataError as error:
        met.append(str(error))
    else:
        for do in all_of(ledger):
            try:
                do()
            except DataError as error:
                met.append(str(error))
        ledger.close()
    assert met
    assert all(str(path) in one and "\n" not in one for one in met)
    assert any("damaged" in one for one in met)


@pytest.mark.parametrize(
    ("damage", "left"), [("pages", 50), ("reply", 299), ("deep reply", 299), ("not UTF-8", 299), ("no failures", 300)]
)
def test_what_can_be_read_is_exported_and_taken_into_a_new_ledger(path, tmp_path, damage, left):
    DAMAGES[damage](path)
    ledger = Ledger(path)
    if damage == "no failures":
        assert export_calls(ledger, tmp_path / "calls.jsonl") == left
    else:
        with pytest.raises(DataError, match=r"is damaged\. The .* calls that can be read are in .*--import"):
            export_calls(ledger, tmp_path / "calls.jsonl")
    ledger.close()
    fresh = Ledger(tmp_path / "fresh.sqlite")
    new, count = import_calls(fresh, tmp_path / "calls.jsonl")
    assert new == count == fresh.count() >= left
    fresh.close()


def test_where_nothing_can_be_read_no_file_is_made(path, tmp_path):
    sql(path, "UPDATE calls SET reply = ''")
    ledger = Ledger(path)
    with pytest.raises(DataError, match="no call in it can be read"):
        export_calls(ledger, tmp_path / "calls.jsonl")
    ledger.close()
    assert not (tmp_path / "calls.jsonl").exists()


def test_numbers_as_large_as_sqlite_holds_are_summed_and_exported(tmp_path):
    ledger = Ledger(tmp_path / "l.sqlite")
    most = 2**63 - 1
    ledger.commit("s", "m", [Call(f"{n:064x}", ASKED, Completion("", "stop", most, n), 1.0, None) for n in range(3)])
    (row,) = ledger.summary()
    assert (row.prompt_tokens, row.completion_tokens) == (3 * most, 3)
    assert export_calls(ledger, tmp_path / "calls.jsonl") == 3
    ledger.close()
    assert json.loads((tmp_path / "calls.jsonl").read_text().splitlines()[0])["completion"]["prompt_tokens"] == most
    other = Ledger(tmp_path / "o.sqlite")
    assert import_calls(other, tmp_path / "calls.jsonl") == (3, 3)
    other.close()
