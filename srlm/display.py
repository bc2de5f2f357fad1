"""One look for every command: results on standard output, progress on standard error.

Without a terminal the progress is a line at the start and the end of each step, so that a log stays readable.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

GROUP = 60
"""Seconds in a minute: below it, durations are printed in seconds."""


def stdout() -> "Console":
    """The console for results. When piped, wide enough that no table is cut."""
    from rich.console import Console

    console = Console(emoji=False, highlight=False)
    return console if console.is_terminal else Console(emoji=False, highlight=False, width=140)


def stderr() -> "Console":
    """The console for progress and messages."""
    from rich.console import Console

    return Console(stderr=True, emoji=False, highlight=False)


def duration(seconds: float) -> str:
    """Seconds as people say them: "8 s", "3 min 20 s"."""
    whole = round(seconds)
    return f"{whole} s" if whole < GROUP else f"{whole // GROUP} min {whole % GROUP:02d} s"


class Step:
    """A running step: `advance` it, or `update` to an absolute count; `note` replaces the words at its end."""

    def __init__(self, advance: "object" = None) -> None:
        self._advance = advance
        self.done = 0.0

    def advance(self, count: float = 1) -> None:
        """Say that `count` more units are done."""
        self.done += count
        if callable(self._advance):
            self._advance(count)

    def update(self, done: float) -> None:
        """Say that `done` units are done in all."""
        self.advance(done - self.done)


class Progress:
    """Prints what a long command is doing, with the time left. `quiet` prints nothing."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = None if quiet else stderr()

    def say(self, text: str) -> None:
        """One line for the reader."""
        if self._console:
            self._console.print(text, soft_wrap=True, markup=False)

    @contextmanager
    def step(self, label: str, total: float | None) -> Iterator[Step]:
        """A step of known size: a bar with time left on a terminal, a single line elsewhere."""
        started = time.monotonic()
        if self._console is None:
            yield Step()
            return
        if not self._console.is_terminal:
            yield Step()
            self.say(f"{label}  {duration(time.monotonic() - started)}")
            sys.stderr.flush()
            return
        from rich import progress as rich_progress

        columns = (
            rich_progress.TextColumn("{task.description}", markup=False),
            rich_progress.BarColumn(bar_width=24),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TextColumn("left"),
            rich_progress.TimeRemainingColumn(compact=True),
        )
        with rich_progress.Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield Step(lambda count: bar.advance(task, count))
        self.say(f"{label}  {duration(time.monotonic() - started)}")
