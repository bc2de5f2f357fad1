"""The process of `srlm.tasks.isolated`: reads checks from standard input, one JSON object a line, and replies in turn.

A check that passes its limit of processor time ends the process by SIGPROF, also inside of a library in C. What a
user's file prints goes to standard error.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from srlm.user_program import describe, execute, last_line

MEMORY = 4 << 30
"""Bytes of address space for srlm's own checkers."""

Check = Callable[[Mapping[str, Any], str], Any]


def main() -> None:
    """Reply to checks until standard input ends."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    setup = json.loads(sys.stdin.buffer.readline())
    check = _integration() if setup["kind"] == "integration" else _of_file(setup["file"], setup["source"])
    replies.write(b"{}\n")
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        right, error = None, None
        signal.setitimer(signal.ITIMER_PROF, setup["seconds"])
        try:
            right = check(asked["problem"], asked["answer"])
        except (Exception, SystemExit) as problem:
            error = _described(problem, setup["file"])
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        if right is not None and not isinstance(right, bool):
            right, error = None, f"check() returned a {type(right).__name__}, and neither True, False nor None"
        replies.write(json.dumps({"right": right, "error": error}).encode() + b"\n")


def _integration() -> Check:
    from srlm.integration.checker import is_antiderivative

    _limit_memory()
    is_antiderivative("x", "x^2/2")  # imports SymPy before the limit of the first check
    return lambda problem, answer: is_antiderivative(problem["integrand"], answer)


def _of_file(file: str, source: str) -> Check:
    check: Check = vars(execute(Path(file), source.encode("latin-1"), "the task file"))["check"]
    return check


def _limit_memory() -> None:
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    except (ValueError, OSError):  # not every system has this limit
        return


def _described(problem: BaseException, file: str) -> str:
    line = last_line(problem, Path(file))
    return describe(problem) + (f" in line {line}" if line else "")


if __name__ == "__main__":
    main()
