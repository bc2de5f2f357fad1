"""Open a ledger that cannot be written, for reading: on a read-only or full disk, or of another user's run.

Nothing is changed, and the newest calls are included, which SQLite keeps in a separate file (-wal) until it is closed.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from srlm.errors import DataError
from srlm.ledger_schema import VERSION, is_busy, prepare, refusal, require_ledger, version_of


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open the file of an existing ledger; writes through the connection are refused.

    Raises:
        DataError: it is no ledger, is damaged, is of a newer srlm, or cannot be read.
    """
    if not os.access(path, os.R_OK):
        raise DataError(path, "cannot be read: you have no permission. It is left as it is.")
    try:
        connection = _opened(path)
        if require_ledger(connection, path) and version_of(connection) != VERSION:
            connection = _renewed(connection, path)
        connection.execute("PRAGMA query_only=ON")
    except sqlite3.Error as error:
        raise refusal(path, error, "read") from None
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror}). It is left as it is.") from None
    return connection


def _opened(path: Path) -> sqlite3.Connection:
    """Open the file read-only; as immutable, where SQLite may create no files next to it; or a copy with its log."""
    log = path.with_name(f"{path.name}-wal")
    try:
        return _connected(path, "mode=ro")
    except sqlite3.OperationalError as error:
        if is_busy(error):
            raise
    if not log.is_file() or not log.stat().st_size:
        return _connected(path, "mode=ro&immutable=1")
    with TemporaryDirectory(prefix="srlm-") as folder:
        copy = Path(folder) / "ledger.sqlite"
        shutil.copyfile(path, copy)
        shutil.copyfile(log, copy.with_name(f"{copy.name}-wal"))
        with closing(sqlite3.connect(copy, isolation_level=None)) as whole:
            return _in_memory(whole)


def _connected(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?{how}", uri=True, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _renewed(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """Return the tables of an older version converted to the current one, in memory."""
    with closing(connection):
        copy = _in_memory(connection)
    prepare(copy, path)
    return copy


def _in_memory(connection: sqlite3.Connection) -> sqlite3.Connection:
    copy = sqlite3.connect(":memory:", isolation_level=None)
    connection.backup(copy)
    return copy
