"""Ledgers as older versions of srlm wrote them."""

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict

from srlm.ledger import Call
from srlm.types import Completion, Message, Request

ASKED = Request((Message("user", "Überall?"),))

SAID = Completion("Ja.", "stop", 11, 3, (0.25, 0.75))

FIRST = """
CREATE TABLE calls (
    key TEXT PRIMARY KEY, stage TEXT NOT NULL, model TEXT NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL
) WITHOUT ROWID
"""

SECOND = """
CREATE TABLE calls (
    key TEXT PRIMARY KEY, stage TEXT NOT NULL, model TEXT NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, seconds REAL NOT NULL, cost REAL
) WITHOUT ROWID
"""

THIRD = SECOND.replace("seconds REAL NOT NULL", "seconds REAL").replace(" WITHOUT ROWID", "")

FAILURES = "CREATE TABLE failures (stage TEXT, model TEXT, reason TEXT, at TEXT DEFAULT CURRENT_TIMESTAMP)"


def older(path, table, *measured):
    """A ledger as older versions of srlm wrote it, with one call and one failure."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(table)
        connection.execute(FAILURES)
        row = ("a" * 64, "M1/x", "m", json.dumps(asdict(ASKED)), json.dumps(asdict(SAID)), *measured)
        connection.execute(f"INSERT INTO calls VALUES ({', '.join('?' * len(row))})", row)
        connection.execute("INSERT INTO failures (stage, model, reason) VALUES ('M1/x', 'm', 'Timeout')")
        connection.commit()


def version(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def call(number, text="yes"):
    return Call(f"{number:064x}", ASKED, Completion(text, "stop", 5, 7), 1.0, 0.5)
