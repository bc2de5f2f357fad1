"""The signals that tell a command to stop: Ctrl-C, an end from outside, and a terminal that closes."""

import signal
from collections.abc import Callable
from threading import current_thread, main_thread
from types import FrameType

Answer = Callable[[int, FrameType | None], object] | signal.Handlers

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Windows has not all of them."""


def answer_signals(answer: Answer) -> None:
    """Set the answer to all of them; one that is ignored stays so, as under nohup."""
    if current_thread() is not main_thread():
        return
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, answer)
