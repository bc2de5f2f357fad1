"""Text from untrusted files: UTF-8, 16 or 32, with or without a byte order mark, plain or gzip.

The format is detected from the content, never from the name. All reading is bounded, so that no file fills the memory:
archives with an extreme compression ratio and special files (devices, pipes) are refused. For binary formats, such as
Parquet or Excel, the message has the command that converts the file to JSON.
"""

import gzip
import json
import stat
import zlib
from collections.abc import Iterator
from io import BufferedReader, BytesIO, TextIOWrapper
from pathlib import Path
from typing import IO, Any, cast

from srlm.errors import DataError

MOST_TEXT = 1 << 31
"""Maximum size of a file in bytes, uncompressed."""
MOST_LINE = 1 << 28
"""Maximum length of a line and of a JSON value in characters; in memory it takes about eight times as much."""
MOST_RATIO = 250
"""Maximum compression ratio of gzip: JSON with the same record repeated stays below it."""
_FREE = 1 << 26
"""Uncompressed bytes that are allowed at any ratio."""
_PIECE = 1 << 22
_GZIP = b"\x1f\x8b"

_BINARY: dict[bytes, tuple[str, str]] = {
    b"PAR1": ("a Parquet file", "read_parquet"),
    b"ARROW1": ("an Arrow file", "read_feather"),
    b"\xd0\xcf\x11\xe0": ("an old Excel file", "read_excel"),
    b"PK\x03\x04": ("a zip archive or an Excel file", "unzip"),
    b"BZh": ("compressed with bzip2", "bunzip2 -k"),
    b"\xfd7zXZ\x00": ("compressed with xz", "unxz -k"),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", "unzstd"),
    b"SQLite format 3\x00": ("an SQLite database", ""),
    b"\x80\x04\x95": ("a Python pickle, which srlm never loads", ""),
    b"%PDF-": ("a PDF", ""),
    b"\x89PNG": ("a picture", ""),
}


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        DataError: the file is missing, a folder, a device or a pipe, damaged, too large, or not text.
    """
    with opened(path) as file:
        return text_of(path, file)


def opened(path: Path) -> IO[bytes]:
    """Open a regular file for reading.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataError(path, "is a folder; a file is expected.")
        if not stat.S_ISREG(mode):
            raise DataError(path, "is a device or a pipe; save its content as a file first, and give that.")
        return path.open("rb")
    except FileNotFoundError:
        raise DataError(path, "there is no such file.") from None
    except (OSError, ValueError) as error:  # a name with a NUL in it is a ValueError
        raise DataError(path, f"cannot be read ({getattr(error, 'strerror', None) or error}).") from None


def text_of(path: Path, file: IO[bytes]) -> str:
    """Read the text of an open file; `path` is its name in messages.

    Raises:
        DataError: as `read_text`.
    """
    packed = _all(path, file, MOST_TEXT)
    data = packed
    if packed[:2] == _GZIP:
        most = min(MOST_TEXT, max(_FREE, MOST_RATIO * len(packed)))
        data = _all(path, cast(IO[bytes], gzip.GzipFile(fileobj=BytesIO(packed))), most, "unpacks to")
    _refuse_binary(path, data)
    encoding = json.detect_encoding(data)
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(path, _not_text(data, encoding, error)) from None
    _refuse_pages(path, text)
    # Files of old Macintosh tools: JSON strings contain no bare carriage return.
    return text if "\n" in text or "\r" not in text else text.replace("\r", "\n")


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file with their numbers, from 1, without the whole file in memory; skip empty lines.

    Raises:
        DataError: as `read_text`, or a line is too long.
    """
    with opened(path) as file:
        try:
            packed = file.read(2) == _GZIP
            file.seek(0)
            plain = gzip.GzipFile(fileobj=file) if packed else cast(BufferedReader, file)
            _refuse_binary(path, plain.peek(16))
            encoding = json.detect_encoding(plain.peek(4)[:4])
            wide = None if encoding.startswith("utf-8") else TextIOWrapper(cast(Any, plain), encoding, newline="\n")
            number = 0
            while line := (wide or plain).readline(MOST_LINE + 1):
                number += 1
                if len(line) > MOST_LINE:
                    raise DataError(path, f"is longer than {MOST_LINE >> 20} million characters.", number)
                text = (line if isinstance(line, str) else line.decode()).removeprefix("\ufeff" if number == 1 else "")
                if text.strip():
                    yield number, text
        except UnicodeDecodeError:
            raise DataError(path, "is not UTF-8 text. Nothing was read.", number + (wide is not None)) from None
        except (EOFError, zlib.error, OSError) as error:
            raise DataError(path, _damaged(error)) from None


def is_gzip(path: Path) -> bool:
    """Return True if the content of a file is gzip."""
    try:
        with opened(path) as file:
            return file.read(2) == _GZIP
    except (DataError, OSError):
        return False


def _all(path: Path, file: IO[bytes], most: int, holds: str = "holds") -> bytes:
    """Read all bytes of a file of at most `most`."""
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := file.read(_PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise DataError(
                    path,
                    f"{holds} more than {most >> 20:,} MB of text, the maximum for a file like it. If that is correct, "
                    "split it into smaller files.",
                )
    except (EOFError, zlib.error, OSError) as error:
        raise DataError(path, _damaged(error)) from None
    return b"".join(pieces)


def _damaged(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "ends in the middle: the gzip file is cut short."
    if isinstance(error, zlib.error | gzip.BadGzipFile):
        return "cannot be read: the gzip file is damaged."
    return f"cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})."


def converted(path: Path, reader: str) -> str:
    """Return the command that converts a table to JSON Lines, with a reader of pandas such as "read_csv"."""
    new = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    return (
        f"""python -c "import pandas; pandas.{reader}({path.name!r}).to_json({new + ".jsonl"!r}, """
        """orient='records', lines=True)\""""
    )


def _refuse_binary(path: Path, data: bytes) -> None:
    found = next((said for magic, said in _BINARY.items() if data.startswith(magic)), None)
    if found is None:
        return
    what, how = found
    if how == "unzip" and (b"xl/" in data[:4096] or path.suffix.startswith(".xls")):
        what, how = "an Excel file", "read_excel"
    if how.startswith("read_"):
        advice = f"Turn it into JSON Lines with: {converted(path, how)}"
    else:
        advice = f"Unpack it with: {how} {path.name}" if how else "JSON or JSON Lines are expected."
    raise DataError(path, f"is {what}. {advice}")


def _refuse_pages(path: Path, text: str) -> None:
    start = text[:200].lstrip().lower()
    if start.startswith("version https://git-lfs"):
        raise DataError(path, "is a pointer of git-lfs, not the file itself. Get it with: git lfs pull")
    if start.startswith(("<!doctype", "<html", "<?xml")):
        raise DataError(path, "is a page of HTML or XML, perhaps one that asks to sign in. Download the file itself.")


def _not_text(data: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    if encoding not in {"utf-8", "utf-8-sig"}:
        return f"is not {encoding.upper()} text, as its beginning looks like, nor UTF-8."
    if b"\0" in data[:4096]:
        return "is not UTF-8 text: it holds bytes that are no text at all."
    line = data.count(b"\n", 0, error.start) + 1
    return (
        f"is not UTF-8 text: the byte 0x{data[error.start]:02X} in line {line}. Save it as UTF-8, or convert it "
        "(where it is of Windows: iconv -f WINDOWS-1252 -t UTF-8)."
    )
