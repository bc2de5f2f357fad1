"""The ledger's file: its tables, made or brought up to date by whichever process opens it first."""

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
BUSY = 0xFF
"""The part of SQLite's error codes that says "busy", whatever the reason."""

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


def open_database(path: Path) -> sqlite3.Connection:
    """Open a ledger's file, making it if there is none, and copying the tables of an older one into new ones.

    Raises:
        DataError: the file is no ledger, a damaged one, or one of a newer srlm.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            connection.execute(f"PRAGMA page_size={PAGE}")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            if _version(connection) != VERSION:
                _prepare(connection, path)
        except sqlite3.DatabaseError as error:
            # While another process makes the file or closes it as the last one, SQLite says "locked" without waiting.
            busy = error.sqlite_errorcode & BUSY == sqlite3.SQLITE_BUSY
            if busy and time.monotonic() < deadline:
                time.sleep(PAUSE_SECONDS)
                continue
            connection.close()
            if busy:
                raise DataError(path, f"is held by another process ({error}). Wait for that, or stop it.") from None
            raise DataError(
                path, f"is no ledger, or a damaged one ({error}). Move it away to go on without it."
            ) from None
        except BaseException:
            connection.close()
            raise
        return connection


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


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables. Of several processes the first one does, the others wait and find them."""
    with transaction(connection):
        version = _version(connection)
        if version > VERSION:
            raise DataError(path, "was written by a newer version of srlm. Use that, or another ledger.")
        if version == VERSION:
            return
        if version == 1:
            connection.execute("ALTER TABLE calls ADD COLUMN day TEXT")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            return
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if names and "calls" not in names:
            raise DataError(path, "is an SQLite file, but no ledger.")
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
