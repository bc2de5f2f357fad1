"""The ledger: an SQLite cache of every paid or computed call, keyed by the content of the request.

A batch is committed in one transaction or not at all: a process killed at any moment leaves either the complete batch
or nothing of it. Failures are counted but never stored as answers. All writes go through `Ledger._transaction`.
"""

import hashlib
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from srlm.errors import DataError
from srlm.jsonl import explain
from srlm.ledger_readonly import open_to_read
from srlm.ledger_schema import (
    MIN_FREE_BYTES,
    NotWritable,
    damaged,
    has_log,
    not_writable,
    open_database,
    refusal,
    transaction,
    try_to_write,
)
from srlm.types import Completion, Request

MAX_ROWID = 1 << 62
"""Beyond the rows of any ledger."""

_INSERT = "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"
_SUMMARY = """
SELECT stage, model, count(*), sum(prompt_tokens >> 32), sum(prompt_tokens & 4294967295),
       sum(completion_tokens >> 32), sum(completion_tokens & 4294967295), sum(seconds), count(*) - count(seconds),
       sum(cost), count(*) - count(cost)
FROM calls GROUP BY stage, model
"""
"""Token counts are summed in two halves: servers may report numbers whose sum SQLite cannot hold."""
_ALL = "SELECT rowid, stage, model, key, request, reply, seconds, cost, day FROM calls WHERE rowid > ? ORDER BY rowid"
_REASONS = "SELECT stage, model, reason, count(*) FROM failures GROUP BY stage, model, reason ORDER BY reason"


_CAPABILITIES = "CREATE TABLE IF NOT EXISTS capabilities (identity TEXT PRIMARY KEY NOT NULL, refused TEXT NOT NULL)"
"""Created when there is something to write: ledgers without it are read as they are."""


@dataclass(frozen=True)
class Call:
    """An answered call as it is stored.

    `cost` is in US dollars, None if the price is unknown; `seconds` is None only for calls of the first ledgers, which
    did not measure it. `day` is the UTC date of the answer (2026-11-23), None if it was not recorded.
    """

    key: str
    request: Request
    completion: Completion
    seconds: float | None
    cost: float | None
    day: str | None = None


@dataclass(frozen=True)
class LedgerRow:
    """Calls of one stage to one model.

    `seconds` and `cost` are sums over the calls for which they are known, None if there is no such call; `untimed` and
    `unpriced` count the others. `failures` counts attempts without an answer by reason.
    """

    stage: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None
    untimed: int
    cost: float | None
    unpriced: int
    failures: dict[str, int]

    @property
    def failed(self) -> int:
        """Return the number of failed attempts."""
        return sum(self.failures.values())


_COMPLETION = TypeAdapter(Completion)
_REQUEST = TypeAdapter(Request)


def request_key(identity: str, request: Request) -> str:
    """Compute the key of a call: SHA-256 of the model's identity and the whole request."""
    canonical = json.dumps([identity, request], default=vars, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class Ledger:
    """The calls of a run on disk. Safe against kill -9 and for concurrent processes (SQLite's write-ahead log)."""

    def __init__(self, path: Path) -> None:
        """Open a ledger, and create it if it does not exist. One that cannot be written is opened read-only.

        Raises:
            DataError: the file is no ledger, is damaged, or cannot be read.
        """
        self.path = path
        self._unwritable: NotWritable | None = None
        self._announced = False
        try:
            self._connection = open_database(path)
        except NotWritable as error:
            if not path.is_file():
                raise
            self._connection, self._unwritable = open_to_read(path), error

    def require_writable(self) -> None:
        """Refuse work whose answers could not be stored, before it is done.

        Raises:
            NotWritable: the ledger cannot be written.
        """
        if self._unwritable is not None:
            raise self._unwritable
        try:
            try_to_write(self._connection)
        except sqlite3.Error as error:
            raise refusal(self.path, error) from None
        if shutil.disk_usage(self.path.parent).free < MIN_FREE_BYTES:
            raise not_writable(self.path, "no room")

    def announce(self, say: Callable[[str], None]) -> None:
        """Say, once, if the file has no write-ahead log, so that commands wait for each other."""
        if not self._announced and self._unwritable is None and not has_log(self._connection):
            say(
                f"The ledger {self.path} has no write-ahead log, because its file system has no memory that processes "
                "share. Nothing is lost; while one command writes, others wait."
            )
        self._announced = True

    def get(self, key: str) -> Completion | None:
        """Return the stored answer of a key; None if there is none."""
        row = self._first("SELECT reply FROM calls WHERE key = ?", (key,))
        return self._completion(row[0]) if row else None

    def call(self, prefix: str) -> tuple[str, Request, Completion] | None:
        """Find a call by the beginning of its key; return (model, request, completion), None if there is none."""
        row = self._first(
            "SELECT model, request, reply FROM calls WHERE key >= ? AND key < ? LIMIT 1", (prefix, prefix + "g")
        )
        return (row[0], self._request(row[1]), self._completion(row[2])) if row else None

    def time_and_cost(self, keys: Sequence[str]) -> list[tuple[float, float | None]]:
        """Return (seconds, cost) of calls by their keys or the beginnings of these.

        Calls that are not in the ledger or were not timed are left out; the cost is None if the price is unknown.
        """
        query = "SELECT seconds, cost FROM calls WHERE key >= ? AND key < ? LIMIT 1"
        rows = (self._first(query, (key, key + "g")) for key in keys if key)
        return [(row[0], row[1]) for row in rows if row is not None and row[0] is not None]

    def days(self, keys: Iterable[str]) -> tuple[str, str] | None:
        """Return the first and the last day of the answers to these calls, by keys or beginnings; None if unknown."""
        query = "SELECT day FROM calls WHERE key >= ? AND key < ? LIMIT 1"
        rows = (self._first(query, (key, key + "g")) for key in keys if key)
        known = {row[0] for row in rows if row is not None and row[0] is not None}
        return (min(known), max(known)) if known else None

    def refused(self, identity: str) -> tuple[str, ...]:
        """Return the fields that a server refuses, in the notation and order of `srlm.engines.capabilities`."""
        try:
            query = "SELECT refused FROM capabilities WHERE identity = ?"
            row = self._connection.execute(query, (identity,)).fetchone()
            found = json.loads(row[0]) if row else []
        except (sqlite3.DatabaseError, ValueError):
            return ()  # no table, or not written by srlm: the fields are found again
        return tuple(word for word in found if isinstance(word, str)) if isinstance(found, list) else ()

    def servers(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return every model that refuses a field, with these fields."""
        try:
            names = self._connection.execute("SELECT identity FROM capabilities ORDER BY identity").fetchall()
        except sqlite3.DatabaseError:
            return []
        return [(name, self.refused(name)) for (name,) in names if isinstance(name, str)]

    def keep_refused(self, identity: str, words: Sequence[str]) -> None:
        """Store the fields that a server refuses, after those that are stored already."""
        with self._transaction():
            self._connection.execute(_CAPABILITIES)
            known = self.refused(identity)
            merged = json.dumps([*known, *(word for word in words if word not in known)])
            self._connection.execute("INSERT OR REPLACE INTO capabilities VALUES (?, ?)", (identity, merged))

    def commit(self, stage: str, model: str, calls: Sequence[Call], failures: Sequence[str] = ()) -> int:
        """Write the answers and failures of one batch in one transaction.

        Return the number of new answers; a stored answer is never replaced.
        """
        with self._transaction():
            before = self._connection.total_changes
            self._connection.executemany(_INSERT, [_row(stage, model, call) for call in calls])
            new = self._connection.total_changes - before
            self._connection.executemany(
                "INSERT INTO failures (stage, model, reason) VALUES (?, ?, ?)",
                [(stage, model, reason) for reason in failures],
            )
        return new

    def import_calls(self, calls: Iterable[tuple[str, str, Call]]) -> int:
        """Import calls of another ledger as (stage, model, call): all of them, or none if `calls` raises.

        Return the number of new ones; a stored answer is never replaced.
        """
        with self._transaction():
            before = self._connection.total_changes
            self._connection.executemany(_INSERT, (_row(stage, model, call) for stage, model, call in calls))
            return self._connection.total_changes - before

    def calls(self) -> Iterator[tuple[str, str, Call]]:
        """Yield all calls as (stage, model, call), from one snapshot of the ledger."""
        for _, stage, model, key, request, reply, *taken in self._rows(_ALL, (0,)):
            yield stage, model, Call(key, self._request(request), self._completion(reply), *taken)

    def readable_calls(self) -> Iterator[tuple[str, str, Call] | None]:
        """Yield all readable calls as `calls` does, and None for each place that cannot be read."""
        after, step = 0, 1
        while after < MAX_ROWID:
            try:
                for row, *found in self._rows(_ALL, (after,)):
                    after, step = row, 1
                    yield self._sound(found)
                return
            except DataError:
                yield None
                after, step = after + step, 2 * step

    def _sound(self, found: Sequence[Any]) -> tuple[str, str, Call] | None:
        stage, model, key, request, reply, *taken = found
        try:
            return stage, model, Call(key, self._request(request), self._completion(reply), *taken)
        except DataError:
            return None

    def summary(self) -> list[LedgerRow]:
        """Count calls, tokens, time, cost and failures by stage and model. Reads the whole ledger."""
        failures: dict[tuple[str, str], dict[str, int]] = {}
        for stage, model, reason, count in self._rows(_REASONS):
            failures.setdefault((str(stage), str(model)), {})[str(reason)] = count
        called = []
        for stage, model, calls, high, low, more, less, *measured in self._rows(_SUMMARY):
            tokens = ((high << 32) + low, (more << 32) + less)
            failed = failures.pop((str(stage), str(model)), {})
            row = (str(stage), str(model), calls, *tokens, *measured, failed)
            called.append(LedgerRow(*row))
        unanswered = [LedgerRow(*key, 0, 0, 0, None, 0, None, 0, reasons) for key, reasons in failures.items()]
        return sorted([*called, *unanswered], key=lambda row: (row.stage, row.model))

    def count(self) -> int:
        """Return the number of answered calls."""
        return sum(int(count) for (count,) in self._rows("SELECT count(*) FROM calls"))

    def close(self) -> None:
        """Close the file; the ledger must not be used afterwards."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit all writes of the block, or none."""
        if self._unwritable is not None:
            raise self._unwritable
        try:
            with transaction(self._connection):
                yield
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.ProgrammingError):  # a bug of srlm, no damage of the file
                raise
            raise refusal(self.path, error) from None

    def _rows(self, query: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query; raise a `DataError` for damage."""
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error as error:
            raise refusal(self.path, error, "read") from None

    def _first(self, query: str, values: Sequence[object]) -> tuple[Any, ...] | None:
        return next(self._rows(query, values), None)

    def _completion(self, reply: str) -> Completion:
        try:
            return _COMPLETION.validate_json(reply)
        except ValidationError as error:
            raise damaged(self.path, f"a reply in it cannot be read, {explain(error)}") from None

    def _request(self, request: str) -> Request:
        try:
            return _REQUEST.validate_json(request)
        except ValidationError as error:
            raise damaged(self.path, f"a request in it cannot be read, {explain(error)}") from None


def total(rows: Sequence[LedgerRow]) -> LedgerRow:
    """Sum rows over stages and models."""
    seconds = [row.seconds for row in rows if row.seconds is not None]
    costs = [row.cost for row in rows if row.cost is not None]
    failures: Counter[str] = Counter()
    for row in rows:
        failures.update(row.failures)
    return LedgerRow(
        stage="",
        model="",
        calls=sum(row.calls for row in rows),
        prompt_tokens=sum(row.prompt_tokens for row in rows),
        completion_tokens=sum(row.completion_tokens for row in rows),
        seconds=sum(seconds) if seconds else None,
        untimed=sum(row.untimed for row in rows),
        cost=sum(costs) if costs else None,
        unpriced=sum(row.unpriced for row in rows),
        failures=dict(sorted(failures.items())),
    )


def _row(stage: str, model: str, call: Call) -> tuple[object, ...]:
    """Convert a call to the columns of its table."""
    return (
        call.key,
        stage,
        model,
        json.dumps(call.request, default=vars),
        json.dumps(call.completion, default=vars),
        call.completion.prompt_tokens,
        call.completion.completion_tokens,
        call.seconds,
        call.cost,
        call.day,
    )
