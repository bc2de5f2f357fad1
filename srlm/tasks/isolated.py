"""Checks in a process of their own, with limits: what a model wrote may keep a checker busy for ever.

One process answers all checks, one after the other. A check that passes its limit ends the process and is undecided;
the next check starts a new one. The limit is one of processor time, so that the load of the machine decides nothing.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from srlm.errors import UsageError

START_SECONDS = 120
"""Seconds in which the process has to be ready: it imports libraries, or a user's file does."""
WALL_FACTOR = 20
"""Seconds on the clock for a second of processor time: ends a check that waits and computes nothing."""
NO_REPLY = "no reply"
"""Error of a check that passed its limit, or that ended the process in another way."""


@dataclass(frozen=True)
class CheckReply:
    """A checker's word; `error` is why it could not: an exception, or `NO_REPLY`."""

    right: bool | None
    error: str | None = None


class IsolatedChecker:
    """A checker in a process of its own, which is started with the first check and ends with this object."""

    def __init__(self, kind: str, *, seconds: float, source: str = "", file: str = "") -> None:
        """Take what the process needs.

        Args:
            kind: of checker: "integration", or "file".
            seconds: of processor time for one check.
            source: the text of a user's file.
            file: its path, for messages and for what it imports.
        """
        self._setup = {"kind": kind, "seconds": seconds, "source": source, "file": file}
        self._wall = WALL_FACTOR * seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None

    def check(self, problem: Mapping[str, Any], answer: str) -> CheckReply:
        """Check one answer.

        Args:
            problem: what the checker needs of it, as JSON.
            answer: that was extracted.

        Raises:
            UsageError: the process does not start.
        """
        process = self._started()
        line = json.dumps({"problem": dict(problem), "answer": answer}).encode() + b"\n"
        reply = _exchange(process, line, self._wall)
        if reply is None:
            self.close()
            return CheckReply(None, NO_REPLY)
        found = json.loads(reply)
        return CheckReply(found["right"], found["error"])

    def close(self) -> None:
        """End the process, if there is one."""
        if self._finalizer is not None:
            self._finalizer()
        self._process, self._finalizer = None, None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None:
            return self._process
        process = subprocess.Popen(
            [sys.executable, "-m", "srlm.tasks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is the first process's to handle
            env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},  # the memory of GPUs is the training's
        )
        self._process = process
        self._finalizer = weakref.finalize(self, _end, process)
        if _exchange(process, json.dumps(self._setup).encode() + b"\n", START_SECONDS) is None:
            self.close()
            raise UsageError(
                "The process that checks answers failed at its start, with the error above, or was not ready within "
                f"{START_SECONDS} s. It loads {self._setup['file'] or 'SymPy'}, without GPUs: correct what fails "
                "there, or run the command again with less load on the machine."
            )
        return process


def _exchange(process: subprocess.Popen[bytes], line: bytes, seconds: float) -> bytes | None:
    """Write a line to a process and return the line that it replies; None if it ends, or takes too long."""
    if process.stdin is None or process.stdout is None:
        return None
    ends, received = time.monotonic() + seconds, b""
    try:
        process.stdin.write(line)
        while not received.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, ends - time.monotonic()))
            piece = process.stdout.read(65536) if ready else None
            if not piece:
                return None
            received += piece
    except BrokenPipeError:
        return None
    return received


def _end(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # with what a user's check has started
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
