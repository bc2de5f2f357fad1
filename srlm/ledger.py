"""Every paid or computed call, once: SQLite, keyed by the content of the request.

A batch is committed in one transaction or not at all, so that a process killed at any moment leaves either the whole
batch or nothing of it. Failures are counted but never stored as answers. One door writes: `Ledger.commit`.
"""

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from srlm.errors import DataError
from srlm.types import Completion, Request

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY, stage TEXT NOT NULL, model TEXT NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, seconds REAL NOT NULL, cost REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (
    stage TEXT NOT NULL, model TEXT NOT NULL, reason TEXT NOT NULL, at TEXT DEFAULT CURRENT_TIMESTAMP
);
"""


@dataclass(frozen=True)
class Call:
    """An answered call as it is stored. `cost` is in US dollars, None when the price is not known."""

    key: str
    request: Request
    completion: Completion
    seconds: float
    cost: float | None


_COMPLETION = TypeAdapter(Completion)
_REQUEST = TypeAdapter(Request)


def request_key(identity: str, request: Request) -> str:
    """SHA-256 of the whole content of a call: what the model is, and what it was asked."""
    canonical = json.dumps([identity, asdict(request)], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class Ledger:
    """A run's calls on disk. Safe against kill -9 and for two processes on one run (SQLite's write-ahead log)."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=60, isolation_level=None)
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise DataError(
                path, f"is no ledger, or a damaged one ({error}). Move it away to go on without it."
            ) from None

    def get(self, key: str) -> Completion | None:
        """The answer to a request, if it was ever given."""
        row = self._connection.execute("SELECT reply FROM calls WHERE key = ?", (key,)).fetchone()
        return _COMPLETION.validate_json(row[0]) if row else None

    def call(self, prefix: str) -> tuple[str, Request, Completion] | None:
        """A call by the beginning of its key: (model, request, completion)."""
        row = self._connection.execute(
            "SELECT model, request, reply FROM calls WHERE key >= ? AND key < ? LIMIT 1", (prefix, prefix + "g")
        ).fetchone()
        return (row[0], _REQUEST.validate_json(row[1]), _COMPLETION.validate_json(row[2])) if row else None

    def commit(self, stage: str, model: str, calls: Sequence[Call], failures: Sequence[str] = ()) -> None:
        """Write the answers of one batch, and count its failures, in one transaction."""
        rows = [
            (
                call.key,
                stage,
                model,
                json.dumps(asdict(call.request)),
                json.dumps(asdict(call.completion)),
                call.completion.prompt_tokens,
                call.completion.completion_tokens,
                call.seconds,
                call.cost,
            )
            for call in calls
        ]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(
                "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING", rows
            )
            self._connection.executemany(
                "INSERT INTO failures (stage, model, reason) VALUES (?, ?, ?)",
                [(stage, model, reason) for reason in failures],
            )
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def count(self) -> int:
        """Number of answered calls."""
        return int(self._connection.execute("SELECT count(*) FROM calls").fetchone()[0])

    def close(self) -> None:
        """Close the file; the ledger is not used after it."""
        self._connection.close()
