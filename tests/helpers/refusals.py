"""How a file is refused: in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from srlm.errors import DataError


def refusal(read: Callable[[Path], Any], path: Path) -> str:
    """The words with which a reader refuses a file."""
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


WITHOUT = """
import importlib.machinery

find_spec = importlib.machinery.PathFinder.find_spec

def hidden(name, path=None, target=None):
    return None if name.partition(".")[0] == "{library}" else find_spec(name, path, target)

importlib.machinery.PathFinder.find_spec = staticmethod(hidden)
"""


def check_refused(result, *parts, alone=True, code=2):
    """One message with all these parts. `alone`: nothing was printed before it."""
    assert result.code == code, f"exit code {result.code}\n{result.out}\n{result.err}"
    assert "Traceback" not in result.out + result.err
    assert len(result.errors) == 1, result.err
    (message,) = result.errors
    for part in parts:
        assert part in message
    if alone:
        assert result.out == ""
        assert result.err == message
    # A message is a sentence or more, and no repr of an exception.
    assert message.rstrip()[-1] in ".)/" or "pip install" in message or "srlm " in message, message
