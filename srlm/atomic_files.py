"""Atomic writing of files: to a temporary file in the same folder, which is synced and renamed.

A symbolic link stays, and its target is replaced. An existing file keeps its permissions; a new file gets those of the
user's umask. Streams such as /dev/stdout are written to directly; other special files are refused.
"""

import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from srlm.errors import DataError, UsageError

READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
SHOWN = 4096
"""Number of bytes that are read to recognise a file."""

_THROUGH = ("/dev/", "/proc/self/fd/")
"""Folders with the names of streams; a pipe or a device elsewhere is not written to."""


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is either absent or complete, even if the process is killed."""
    write_pieces(path, [text])


def write_pieces(path: Path, pieces: Iterable[str]) -> None:
    """Write a file like `write_text`, from a text that need not be in memory as a whole.

    If the folder is not writable, a file with the same text is left as it is.

    Raises:
        DataError: there is a folder or a special file of this name.
        OSError: it cannot be written; the error has `path`, and an existing file stays.
    """
    if is_stream(path):
        _write_through(path, pieces)
        return
    _refuse_other(path)
    target = Path(os.path.realpath(path))
    temporary = target.parent / f".{target.name[:16]}.{secrets.token_hex(4)}"
    mode = _mode(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode & 0o666)
    except OSError as error:
        if error.errno in READ_ONLY and _holds(target, pieces):
            return
        raise _naming(error, path) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            with suppress(OSError):  # some disks have no permissions
                temporary.chmod(mode)
        temporary.replace(target)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            raise _naming(error, path) from None
        raise


def is_stream(path: Path) -> bool:
    """Return True for the name of standard output, a pipe of the shell or a device such as /dev/null."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return _is_named_stream(path)
    return stat.S_ISREG(mode) and _descriptor(path) is not None


def require_writable(path: Path, what: str, known: Callable[[str], bool]) -> None:
    """Refuse an unusable output path before the work for it is done.

    Args:
        path: the output file.
        what: the kind of file, such as "a report".
        known: True if the beginning of a file, as text, is that of an earlier `what`, which may be replaced.

    Raises:
        DataError: there is a folder or a special file, or the folder is not writable.
        UsageError: there is a file of another kind.
    """
    if is_stream(path):
        return
    _refuse_other(path)
    target = Path(os.path.realpath(path))
    place = next(one for one in target.parents if os.path.lexists(one))
    if not place.is_dir():
        raise DataError(path, f"cannot be written: {place} is not a folder.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise DataError(path, f"cannot be written: {place} is not writable. Choose another folder.")
    try:
        with target.open("rb") as file:
            begins = file.read(SHOWN)
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError(path, f"exists and cannot be read ({error.strerror}). Choose another file.") from None
    if begins.strip() and not known(begins.decode("utf-8", "replace")):
        raise UsageError(f"{path} exists and is not {what}. Name another file, or move that one away.")


def _mode(path: Path) -> int | None:
    """Return the permissions of a file; None without one."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None


def _refuse_other(path: Path) -> None:
    """Refuse an existing folder or special file."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # opening it gives the error
    if stat.S_ISDIR(mode):
        raise DataError(path, "is a folder. Name a file.")
    if not stat.S_ISREG(mode):
        raise DataError(path, "is not a file but a device, a pipe or the like. Name a file, or /dev/stdout.")


def _is_named_stream(path: Path) -> bool:
    names = (str(path.absolute()), os.path.realpath(path))
    return any(name.startswith(_THROUGH) for name in names) or "/fd/" in names[1]


def _descriptor(path: Path) -> int | None:
    """Return the descriptor of /dev/stdout, /dev/fd/3 and the like; None for any other path."""
    name = str(path.absolute())
    named = {"/dev/stdout": 1, "/dev/stderr": 2}
    if name in named:
        return named[name]
    begins = next((one for one in ("/dev/fd/", "/proc/self/fd/") if name.startswith(one)), None)
    return int(name.removeprefix(begins)) if begins and name.removeprefix(begins).isdecimal() else None


@contextmanager
def _stream(path: Path) -> Iterator[IO[str]]:
    """Open a stream by its own descriptor, so that a redirected file is continued at its position."""
    number = _descriptor(path)
    sys.stdout.flush()
    if number is None:
        file: IO[str] = path.open("w", encoding="utf-8", newline="")
    else:
        file = os.fdopen(os.dup(number), "w", encoding="utf-8", newline="")
    with file:
        yield file


def _write_through(path: Path, pieces: Iterable[str]) -> None:
    try:
        with _stream(path) as file:
            file.writelines(pieces)
    except OSError as error:
        raise _naming(error, path) from None


def _holds(path: Path, pieces: Iterable[str]) -> bool:
    """Return True if a file has the text that would be written."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return all(file.read(len(piece)) == piece for piece in pieces) and not file.read(1)
    except (OSError, UnicodeDecodeError):
        return False


def _naming(error: OSError, path: Path) -> OSError:
    """Return the same error with the path that the user gave."""
    return OSError(error.errno, error.strerror or str(error), str(path))
