"""Optional libraries: checked for before they are imported, so that the message can say how to get them."""

import importlib.util

from srlm.errors import MissingDependency


def require(library: str, purpose: str, extra: str) -> None:
    """Return if a library can be imported; else say which command installs it.

    Raises:
        MissingDependency: it is not installed.
    """
    if importlib.util.find_spec(library) is None:
        raise MissingDependency(library, purpose, extra)
