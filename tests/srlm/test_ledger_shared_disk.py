"""The ledger on file systems that processes or machines share: without shared memory, without file locks."""

import errno
import fcntl
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from srlm import ledger_schema
from srlm.errors import DataError, UsageError
from srlm.file_lock import acquire_lock, missing_locks
from srlm.ledger import Call, Ledger
from srlm.types import Completion, Message, Request

ASKED, SAID = Request((Message("user", "?"),)), Completion("!", prompt_tokens=3, completion_tokens=1, finish="stop")
connect = sqlite3.connect


def dotfile_locks(path: Path, **options: object) -> sqlite3.Connection:
    """Connect by the file access of SQLite that has locks and no shared memory."""
    return connect(f"file:{quote(str(path))}?vfs=unix-dotfile", uri=True, **options)


class NoMapping(sqlite3.Connection):
    """A connection on a system that creates the file of the log's index and does not map it into memory.

    SQLite notices that at the first access after the file has become one with a log.
    """

    alone = False

    def execute(self, statement, *rest):
        self.alone = self.alone or statement == "PRAGMA locking_mode=EXCLUSIVE"
        if not self.alone and not statement.startswith(("PRAGMA journal_mode", "PRAGMA synchronous", "PRAGMA page")):
            (mode,) = super().execute("PRAGMA journal_mode").fetchone()
            if mode == "wal":
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMMAP
                raise error
        return super().execute(statement, *rest)


@pytest.fixture(params=[dotfile_locks, partial(connect, factory=NoMapping)], ids=["no memory", "no mapping"])
def unshared(request, monkeypatch):
    """A function: let the ledger meet such a file system from now on."""
    return lambda: monkeypatch.setattr(ledger_schema.sqlite3, "connect", request.param)


def journal(path):
    with closing(connect(path)) as connection:
        return connection.execute("PRAGMA journal_mode").fetchone()[0]


def call(number):
    return Call(f"{number:064x}", ASKED, SAID, 1.0, None)


def test_without_shared_memory_the_ledger_has_no_log(unshared, tmp_path):
    unshared()
    path, lines = tmp_path / "ledger.sqlite", []
    first, second = Ledger(path), Ledger(path)
    for number, ledger in enumerate((first, second, first, second)):
        ledger.require_writable()
        ledger.commit("s", "m", [call(number)])
        ledger.announce(lines.append)
        assert [one.count() for one in (first, second)] == [number + 1, number + 1]
    assert [line.partition(",")[0] for line in lines] == [f"The ledger {path} has no write-ahead log"] * 2
    first.close()
    second.close()
    assert not path.with_name(f"{path.name}-wal").exists()


def test_a_ledger_with_a_log_loses_it_there_and_none_of_its_calls(unshared, tmp_path):
    path, lines = tmp_path / "ledger.sqlite", []
    with closing(Ledger(path)) as ledger:
        ledger.commit("s", "m", [call(1)])
        ledger.announce(lines.append)
    assert (journal(path), lines) == ("wal", [])
    unshared()
    with closing(Ledger(path)) as ledger:
        ledger.commit("s", "m", [call(2)])
        assert [one for _, _, one in ledger.calls()] == [call(1), call(2)]
    assert journal(path) == "delete"


def test_a_ledger_without_a_log_does_not_get_one_while_others_may_use_it(tmp_path, monkeypatch):
    path = tmp_path / "ledger.sqlite"
    with monkeypatch.context() as there:
        there.setattr(ledger_schema.sqlite3, "connect", dotfile_locks)
        Ledger(path).close()
    with closing(Ledger(path)) as ledger:
        ledger.commit("s", "m", [call(1)])
    assert journal(path) == "delete"


@pytest.fixture(params=[errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def no_locks(request, monkeypatch):
    """The system's words for it."""
    error = OSError(request.param, "no such service")

    def refuse(*_):
        raise error

    monkeypatch.setattr(fcntl, "lockf", refuse)
    monkeypatch.setattr(fcntl, "flock", refuse)
    return "no such service"


def test_a_place_without_locks_is_refused_with_what_to_do(no_locks, tmp_path):
    with pytest.raises(UsageError, match=f"without file locks \\({no_locks}\\).*Lustre: the option flock"):
        acquire_lock(tmp_path / ".lock", "busy")


def test_a_missing_lock_service_is_not_called_another_process(no_locks, tmp_path):
    """SQLite says "database is locked" for ENOLCK, as for a lock of another process."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    path = tmp_path / "ledger.sqlite"
    assert str(ledger_schema.refusal(path, error)).startswith(
        f"{path}: cannot be written: the file system of {tmp_path} has no file locks ({no_locks}). Choose a place"
    )


def test_without_locks_an_error_of_the_disk_has_that_reason(no_locks, tmp_path):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_LOCK
    refused = ledger_schema.refusal(tmp_path / "ledger.sqlite", error)
    assert isinstance(refused, DataError)
    assert f"(disk I/O error): the file system of {tmp_path} has no file locks ({no_locks}). Choose" in str(refused)


def test_where_there_are_locks_none_is_missing(tmp_path):
    assert missing_locks(tmp_path) == ""
    assert missing_locks(tmp_path / "no folder") == ""
    assert list(tmp_path.iterdir()) == []
