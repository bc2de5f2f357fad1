"""SIGKILL to a command at a point that its files show."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 240


def kill_when(cli: Any, words: tuple[Any, ...], reached: Callable[[], bool], **options: Any) -> int:
    """Start a command, kill it as soon as `reached`, and return its exit code. `options`: those of `cli.fork`."""
    process = cli.fork(*words, **options)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < deadline and not reached():
            time.sleep(0.0005)
    finally:
        process.kill()
        process.communicate()
    return int(process.returncode or 0)
