"""The ledger's file: older versions are migrated, other files refused, and processes can share it."""

import json
import multiprocessing
import os
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from helpers.older_ledgers import ASKED, FIRST, SAID, SECOND, THIRD, older, version
from srlm.errors import DataError
from srlm.ledger import Call, Ledger, request_key
from srlm.ledger_schema import VERSION, open_database
from srlm.types import Completion, Message, Request

BATCH = 40
SPAWN = multiprocessing.get_context("spawn")


def sound(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize(
    ("table", "measured", "seconds", "cost"),
    [(FIRST, (), None, None), (SECOND, (11, 3, 1.5, 0.25), 1.5, 0.25), (SECOND, (11, 3, 1.5, None), 1.5, None)],
)
def test_an_older_ledger_is_brought_up_to_date(tmp_path, table, measured, seconds, cost):
    path = tmp_path / "l.sqlite"
    older(path, table, *measured)
    for _ in range(2):  # the second time there is nothing left to do
        ledger = Ledger(path)
        assert ledger.get("a" * 64) == SAID
        assert ledger.call("aa") == ("m", ASKED, SAID)
        (row,) = ledger.summary()
        assert (row.calls, row.prompt_tokens, row.completion_tokens) == (1, 11, 3)
        assert (row.seconds, row.cost, row.failures) == (seconds, cost, {"Timeout": 1})
        assert (row.untimed, row.unpriced) == (int(seconds is None), int(cost is None))
        ledger.close()
        assert version(path) == VERSION
    ledger = Ledger(path)
    ledger.commit("M1/x", "m", [Call("b" * 64, ASKED, SAID, None, None)], ["Timeout"])
    assert (ledger.count(), ledger.summary()[0].failures) == (2, {"Timeout": 2})
    ledger.close()
    assert sound(path)


def test_a_ledger_without_days_gets_them_from_now_on(tmp_path):
    path = tmp_path / "l.sqlite"
    older(path, THIRD, 11, 3, 1.5, 0.25)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
    ledger = Ledger(path)
    ledger.commit("M1/x", "m", [Call("b" * 64, ASKED, SAID, None, None, "2026-11-23")])
    assert [ledger.get(letter * 64) for letter in "ab"] == [SAID, SAID]
    assert (ledger.days(["a" * 16]), ledger.days(["a" * 16, "b" * 16])) == (None, ("2026-11-23", "2026-11-23"))
    assert [call.day for _, _, call in ledger.calls()] == [None, "2026-11-23"]
    ledger.close()
    assert version(path) == VERSION
    assert sound(path)


def test_a_ledger_that_cannot_be_brought_up_to_date_stays_as_it_is(tmp_path):
    path = tmp_path / "l.sqlite"
    older(path, FIRST)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE calls SET reply = 'no JSON'")
        connection.commit()
    with pytest.raises(DataError, match="damaged"):
        Ledger(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT reply FROM calls").fetchall() == [("no JSON",)]
    assert version(path) == 0


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "l.sqlite"
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(DataError, match="newer version of srlm"):
        Ledger(path)
    assert version(path) == VERSION + 1


def test_the_database_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "l.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE people (name TEXT)")
    with pytest.raises(DataError, match="no ledger"):
        Ledger(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("people",)]


def test_opening_reads_no_rows(tmp_path):
    """Opening a ledger with many rows takes as many steps as an empty one."""
    path = tmp_path / "l.sqlite"
    connection = open_database(path)
    row = ("{}", "{}", 1, 1, 1.0, None)
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO calls VALUES (?, 's', 'm', ?, ?, ?, ?, ?, ?, NULL)", [(f"{i:064x}", *row) for i in range(50_000)]
    )
    connection.execute("COMMIT")
    connection.close()
    steps = []
    real = sqlite3.connect

    def counting(*words, **more):
        made = real(*words, **more)
        made.set_progress_handler(lambda: steps.append(1) and 0, 100)  # called every 100 steps of SQLite's machine
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", counting)
        ledger = Ledger(path)
        assert len(steps) < 5
        assert ledger.get(f"{7:064x}x") is None
        assert len(steps) < 5
        assert ledger.summary()[0].calls == 50_000
        assert len(steps) > 100, "the count of steps does not tell a scan from a look-up"
        ledger.close()


def test_a_full_disk_is_said_and_loses_nothing(tmp_path):
    ledger = Ledger(tmp_path / "l.sqlite")
    ledger.commit("s", "m", [Call("a" * 64, ASKED, SAID, 1.0, None)])
    pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
    ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
    large = Completion("x" * 50_000, "stop", 1, 1)
    with pytest.raises(DataError, match=r"l\.sqlite: cannot be written \(database or disk is full\)"):
        ledger.commit("s", "m", [Call("b" * 64, ASKED, large, 1.0, None)], ["Timeout"])
    assert ledger.count() == 1
    assert ledger.summary()[0].failures == {}
    ledger._connection.execute("PRAGMA max_page_count = 1000000")
    ledger.commit("s", "m", [Call("b" * 64, ASKED, large, 1.0, None)])
    assert ledger.get("b" * 64) == large
    ledger.close()


# --- several processes ------------------------------------------------------------------------------------------------


def batch(number, author):
    """The calls of a batch: the same requests for every author, answered with the author's name."""
    requests = [Request((Message("user", f"{number}, {item}"),)) for item in range(BATCH)]
    said = Completion(f"{author} says: {'word ' * 200}", "stop", 5, 7)
    return [Call(request_key("w", request), request, said, 0.5, 0.001) for request in requests]


def write(path, barrier, author, numbers):
    barrier.wait(30)
    ledger = Ledger(path)
    for number in numbers:
        ledger.commit(f"stage {number}", "m", batch(number, author), [f"{author} failed"])
    ledger.close()


def whole_batches(path):
    """Return the author of each batch. Fails if a batch is stored in part."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT stage, count(*), count(DISTINCT reply), min(reply) FROM calls GROUP BY stage")
        found = {int(stage.split()[1]): (count, authors, reply) for stage, count, authors, reply in rows}
    assert {(count, authors) for count, authors, _ in found.values()} <= {(BATCH, 1)}
    return {number: json.loads(reply)["text"].split()[0] for number, (_, _, reply) in found.items()}


def test_processes_that_write_the_same_calls(tmp_path):
    """All of them create the file at once; of each batch the first answers stay, complete."""
    path = tmp_path / "l.sqlite"
    barrier = SPAWN.Barrier(3)
    orders = {"one": range(20), "two": range(19, -1, -1), "three": range(10, 30)}
    workers = [
        SPAWN.Process(target=write, args=(path, barrier, name, numbers), daemon=True)
        for name, numbers in orders.items()
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert sound(path)
    authors = whole_batches(path)
    assert set(authors) == set(range(30))
    assert all(number in orders[author] for number, author in authors.items())
    ledger = Ledger(path)
    assert ledger.count() == 30 * BATCH
    failures = [reason for row in ledger.summary() for reason, count in row.failures.items() for _ in range(count)]
    assert sorted(failures) == sorted(f"{name} failed" for name, numbers in orders.items() for _ in numbers)
    ledger.close()


def open_and_close(paths, barrier):
    for path in paths:
        barrier.wait(30)
        Ledger(path).close()


@pytest.mark.parametrize("table", [None, FIRST])
def test_processes_that_open_at_the_same_moment(tmp_path, table):
    """SQLite itself refuses some of them ("database is locked") without waiting."""
    paths = [tmp_path / f"{number}.sqlite" for number in range(40)]
    if table:
        for path in paths:
            older(path, table)
    barrier = SPAWN.Barrier(5)
    workers = [SPAWN.Process(target=open_and_close, args=(paths, barrier), daemon=True) for _ in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 5
    for path in paths:
        ledger = Ledger(path)
        assert ledger.count() == (1 if table else 0)
        ledger.close()


def write_on_and_on(path, begun, author):
    ledger = Ledger(path)
    for number in range(1_000_000):
        ledger.commit(f"stage {number}", "m", batch(number, author))
        begun.set()


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL here")
def test_a_process_that_is_killed_while_it_writes(tmp_path):
    """Killed at ten different moments, another one continues each time: no partial batch, no damage, nothing lost."""
    path = tmp_path / "l.sqlite"
    seen = 0
    for number in range(10):
        begun = SPAWN.Event()
        victim = SPAWN.Process(target=write_on_and_on, args=(path, begun, f"victim{number}"), daemon=True)
        victim.start()
        assert begun.wait(60)
        time.sleep(0.003 * number)
        os.kill(victim.pid, signal.SIGKILL)
        victim.join(60)
        assert victim.exitcode == -signal.SIGKILL
        ledger = Ledger(path)
        ledger.commit(f"stage {-1 - number}", "m", batch(-1 - number, "survivor"))
        ledger.close()
        assert sound(path)
        authors = whole_batches(path)
        assert len(authors) >= seen + 1
        seen = len(authors)
    numbers = [number for number in authors if number >= 0]
    assert sorted(numbers) == list(range(len(numbers)))
