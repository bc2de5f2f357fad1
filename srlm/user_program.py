"""Programs of the user's: a file of Python that is read once and executed in this process as it is.

What is executed is what its digest was computed of. Errors have the line of the file. Files that it imports are found
next to it, and are not part of the digest.
"""

import builtins
import inspect
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from srlm.errors import DataError

SHOWN = 80
"""Characters of a value or of an error in a message."""


def read_program(file: Path, name: str) -> bytes:
    """Read a file of Python.

    Args:
        file: of the user's.
        name: what messages call it, such as "the reward program".

    Raises:
        DataError: it does not exist, or cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise DataError(file, f"{name} does not exist.") from None
    except OSError as error:
        raise DataError(file, f"{name} cannot be read: {error.strerror}.") from None


def execute(file: Path, text: bytes, name: str) -> ModuleType:
    """Execute the text of a file as a module of its own. Files next to it are imported after all installed packages.

    Raises:
        DataError: it is no Python, or fails.
    """
    try:
        code = builtins.compile(text, str(file), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise DataError(file, f"{name} is no Python: {error.msg}.", error.lineno) from None
    except ValueError as error:  # a NUL byte
        raise DataError(file, f"{name} is no Python: {error}.") from None
    module = ModuleType(f"srlm_user_program_{sha256(text).hexdigest()[:16]}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # dataclasses look up the module of their class
    folder = str(file.absolute().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        with redirect_stdout(sys.stderr):
            exec(code, vars(module))  # noqa: S102 -- the user's own program, which they ask to run
    except (Exception, SystemExit) as error:
        raise DataError(
            file, f"{name} cannot be loaded: it raised {describe(error)}.", last_line(error, file)
        ) from None
    return module


def last_line(error: BaseException, file: Path) -> int | None:
    """Return the last line of the file in the error's traceback; None if it has none."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return lines[-1] if lines else None


def line_of(function: Callable[..., Any]) -> int | None:
    """Return the line on which a function begins; None if it is not written in Python."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_firstlineno if code else None


def describe(error: BaseException) -> str:
    """Return the class of an error and its message, if it has one, in short."""
    return shorten(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def shorten(text: str) -> str:
    """Return a text on one line, without its end if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."
