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
