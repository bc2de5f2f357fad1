"""The ledger's file: its tables, made or brought up to date by whichever process opens it first."""

import os
import shlex
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srlm.errors import DataError

VERSION = 2
"""Of the tables, in the file's `user_version`; 0 are the ledgers that had no version yet, and files just made.

Ledgers of version 1 do not know on which day a call was answered.
"""

PATIENCE_SECONDS = 60.0
"""How long a process waits while others write."""

PAGE = 16384
"""Bytes of a page of a new file. Calls of 2 to 5 kB fill it well: with SQLite's 4096 the file is 1.7 times as large."""

PAUSE_SECONDS = 0.01
BUSY_MASK = 0xFF
"""The part of SQLite's error codes that says what is wrong, whatever the details."""

FEWEST_BYTES = 65536
"""Room without which SQLite writes nothing: its log and the index of that."""

KEPT = "What is in it is kept. Make it writable or make room, and give the same command again: it goes on from there."

_UNWRITABLE = {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
}
"""What is no fault of the file."""

# A plain table with an index beside it, though the key is all that is ever looked for: WITHOUT ROWID took three times
# as long to fill with a million calls of 2 kB, in no order, and was no faster to look one up.
_CALLS = """
CREATE TABLE calls (
    key TEXT PRIMARY KEY NOT NULL, stage TEXT NOT NULL, model TEXT NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, seconds REAL, cost REAL,
    day TEXT
)
"""
_FAILURES = """
CREATE TABLE IF NOT EXISTS failures (
    stage TEXT NOT NULL, model TEXT NOT NULL, reason TEXT NOT NULL, at TEXT DEFAULT CURRENT_TIMESTAMP
)
"""


class NotWritable(DataError):
    """A ledger that cannot be written, though nothing may be wrong with it."""


def open_database(path: Path) -> sqlite3.Connection:
    """Open a ledger's file, making it if there is none, and copying the tables of an older one into new ones.

    Raises:
        DataError: the file is no ledger, a damaged one, or one of a newer srlm.
        NotWritable: it or its folder is read-only, its disk is full or broken. `srlm.ledger_readonly` may open it all the same.
    """
    refuse_other(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritable(path, f"cannot be made: {error.strerror}. Name another place.") from None
    connection: sqlite3.Connection | None = None
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if connection is None:
                connection = sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)
            _begin(connection, path)
        except sqlite3.Error as error:
            # While another process makes the file or closes it as the last one, SQLite says "locked" without waiting.
            if is_busy(error) and time.monotonic() < deadline:
                time.sleep(PAUSE_SECONDS)
                continue
            if connection is not None:
                connection.close()
            raise refusal(path, error) from None
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        return connection


def refuse_other(path: Path) -> None:
    """Refuse what is there and no file, such as a folder.

    Raises:
        DataError: that is there.
    """
    if path.exists() and not path.is_file():
        raise DataError(path, "is no file, so no ledger. Name the file: that of a run is ledger.sqlite in its folder.")


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process is in the way, for whatever reason."""
    return _code(error) == sqlite3.SQLITE_BUSY


def refusal(path: Path, error: sqlite3.Error, doing: str = "written") -> DataError:
    """What could not be done with a ledger, as a message: what is wrong, what is lost, and what to do."""
    code = _code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DataError(path, f"is held by another process ({error}). Wait for that, or stop it.")
    if code in _UNWRITABLE:
        if doing != "written":
            return DataError(path, f"cannot be {doing} ({error}). It is left as it is.")
        return not_writable(path, str(error))
    return damaged(path, str(error))


def not_writable(path: Path, problem: str) -> NotWritable:
    """The message about a ledger that may be whole, but cannot be written."""
    return NotWritable(path, f"cannot be written ({problem}){_why(path)}. {KEPT}")


def damaged(path: Path, problem: str) -> DataError:
    """The message about a file that is not as a ledger is, with what can still be saved."""
    return DataError(
        path,
        f"is no ledger, or a damaged one ({problem}). Keep a copy of it. What can be read of its calls is saved by: "
        f"srlm ledger --ledger {shlex.quote(str(path))} --export calls.jsonl  (for more, try SQLite's own: sqlite3 "
        "FILE .recover). Then move it away, take the calls into a new one with --import, or go on without it.",
    )


def _code(error: sqlite3.Error) -> int:
    """SQLite's own number without the details; errors of the module sqlite3 itself have none."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & BUSY_MASK


def _why(path: Path) -> str:
    """What the system says of a place where SQLite cannot write."""
    place = next(one for one in [path.absolute(), *path.absolute().parents] if one.exists())
    folder = place if place.is_dir() else place.parent
    if hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY:
        return f": the disk of {folder} is mounted read-only"
    for one in (place, folder):
        if not os.access(one, os.W_OK):
            return f": you may not write {one}"
    return ": the disk is full" if shutil.disk_usage(folder).free < FEWEST_BYTES else ""


def _begin(connection: sqlite3.Connection, path: Path) -> None:
    """Look at what is there before anything is changed, and set up what is ours."""
    if version_of(connection) != VERSION:
        refuse_strange(connection, path)
    connection.execute(f"PRAGMA page_size={PAGE}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    if version_of(connection) != VERSION:
        prepare(connection, path)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything that is written inside, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # on a full disk SQLite has rolled back by itself
            connection.execute("ROLLBACK")
        raise


def try_to_write(connection: sqlite3.Connection) -> None:
    """Change nothing, in the way of a change: a transaction alone begins on a read-only file as well."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(f"PRAGMA user_version = {VERSION}")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def version_of(connection: sqlite3.Connection) -> int:
    """The version of a file's tables; see `VERSION`."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def refuse_strange(connection: sqlite3.Connection, path: Path) -> set[str]:
    """The names of what is in a file, as long as it is a ledger of this version or an older one, or empty.

    Raises:
        DataError: it is of a newer version, or no ledger.
    """
    if version_of(connection) > VERSION:
        raise DataError(path, "was written by a newer version of srlm. Use that, or another ledger.")
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if names and "calls" not in names:
        raise DataError(path, "is an SQLite file, but no ledger.")
    return names


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or bring those of older versions up to date.

    Of several processes the first one does, the others wait and find them.
    """
    with transaction(connection):
        version = version_of(connection)
        names = refuse_strange(connection, path)
        if version == VERSION:
            return
        if version == 1:
            connection.execute("ALTER TABLE calls ADD COLUMN day TEXT")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            return
        if names:
            connection.execute("ALTER TABLE calls RENAME TO older")
        connection.execute(_CALLS)
        connection.execute(_FAILURES)
        if names:
            _copy_older(connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _copy_older(connection: sqlite3.Connection) -> None:
    """Fill the table from one without measurements: the tokens are in the replies, time and cost are unknown."""
    if "seconds" not in {row[1] for row in connection.execute("PRAGMA table_info(older)")}:
        connection.execute("ALTER TABLE older ADD COLUMN seconds REAL")
        connection.execute("ALTER TABLE older ADD COLUMN cost REAL")
    connection.execute(
        "INSERT INTO calls SELECT key, stage, model, request, reply, json_extract(reply, '$.prompt_tokens'), "
        "json_extract(reply, '$.completion_tokens'), seconds, cost, NULL FROM older"
    )
    connection.execute("DROP TABLE older")
