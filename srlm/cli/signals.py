"""Signals that tell a command to stop: SIGINT (Ctrl-C), SIGTERM, and SIGHUP (a terminal that closes)."""

import signal
from collections.abc import Callable
from threading import current_thread, main_thread
from types import FrameType

Answer = Callable[[int, FrameType | None], object] | signal.Handlers

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Those that the platform has; Windows lacks SIGHUP."""


def answer_signals(answer: Answer) -> None:
    """Set a handler for all of them. A signal that is ignored stays ignored, as under nohup."""
    if current_thread() is not main_thread():
        return
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, answer)
