"""Optional dependencies: checked before they are imported, so that the message has the command to install them."""

import importlib.util

from srlm.errors import MissingDependency


def require(library: str, purpose: str, extra: str) -> None:
    """Return if a library is installed; else raise an error with the command that installs it.

    Raises:
        MissingDependency: it is not installed.
    """
    if importlib.util.find_spec(library) is None:
        raise MissingDependency(library, purpose, extra)
