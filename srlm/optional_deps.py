"""Optional dependencies: checked before they are imported, so that the message has the command to install them."""

import importlib.util
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from srlm.errors import MissingDependency, UsageError


def require(library: str, purpose: str, extra: str, versions: str = "") -> None:
    """Return if a library is installed; else raise an error with the command that installs it.

    Args:
        library: its name for Python and for pip.
        purpose: what needs it.
        extra: of srlm, which has it.
        versions: those that the command installs, such as "~=0.32.0", where the newest will not do.

    Raises:
        MissingDependency: it is not installed.
    """
    if importlib.util.find_spec(library) is None:
        raise MissingDependency(library, purpose, extra, versions)


def data_frame(rows: Sequence[Any], columns: Sequence[str] | None = None) -> Any:
    """Return a pandas data frame. pandas is in no extra: results alone convert to it, where it is installed.

    Raises:
        UsageError: it is not installed.
    """
    if importlib.util.find_spec("pandas") is None:
        raise UsageError("to_pandas() needs the library pandas, which is not installed here: pip install pandas")
    return import_module("pandas").DataFrame(rows, columns=columns)
