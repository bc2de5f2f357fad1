"""Terminal output: results on standard output, progress on standard error.

Without a terminal, progress is one line at the end of each step, so that a log stays readable.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, cast

from srlm.escape import ESCAPE, encodable, escape_workflow_commands, harmless, one_line

if TYPE_CHECKING:
    from rich.console import Console

MINUTE = 60
"""Seconds; shorter durations are printed in seconds."""


def stdout() -> "Console":
    """Return the console for results. In a pipe it is wide enough that no table is cut."""
    console = _console(sys.stdout)
    return console if console.is_terminal else _console(sys.stdout, width=140)


def stderr() -> "Console":
    """Return the console for progress and messages."""
    return _console(sys.stderr)


def say(text: str) -> None:
    """Print text for people on standard output, with terminal controls and workflow commands escaped."""
    sys.stdout.write(f"{escape_workflow_commands(harmless(text))}\n")
    sys.stdout.flush()


def say_data(text: str) -> None:
    """Print text for programs, such as JSON, unchanged; characters that the encoding lacks are escaped."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(f"{text.encode(encoding, ESCAPE).decode(encoding)}\n")
    sys.stdout.flush()


def _console(stream: TextIO, width: int | None = None) -> "Console":
    from rich.console import Console
    from rich.text import Text

    class Plain(Console):
        """A console that escapes terminal controls and characters that its stream lacks."""

        def render_str(self, text: str, **how: Any) -> Text:
            return super().render_str(encodable(harmless(text), self.encoding), **how)

        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704  # rich would exit with code 1; it calls this in its exception handler

    # While a progress bar is shown, rich wraps the stream.
    raw = getattr(stream, "rich_proxied_file", stream)
    return Plain(file=cast(TextIO, _EscapingStream(raw)), width=width, emoji=False, highlight=False)


class _EscapingStream:
    """A stream that escapes workflow commands, also those made by line wrapping."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(escape_workflow_commands(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def duration(seconds: float) -> str:
    """Format seconds: "8 s", "3 min 20 s"."""
    whole = round(seconds)
    return f"{whole} s" if whole < MINUTE else f"{whole // MINUTE} min {whole % MINUTE:02d} s"


def round_duration(seconds: float) -> str:
    """Format an estimate, without precision that it does not have: "40 s", "12 min", "3.5 h"."""
    if seconds < 1.5 * MINUTE:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return f"{round(seconds / MINUTE)} min" if seconds < 90 * MINUTE else f"{seconds / MINUTE**2:.1f} h"


class Step:
    """A running step: `advance` it by a count, or `update` it to an absolute count."""

    def __init__(self, advance: "object" = None) -> None:
        self._advance = advance
        self.done = 0.0

    def advance(self, count: float = 1) -> None:
        """Add `count` completed units."""
        self.done += count
        if callable(self._advance):
            self._advance(count)

    def update(self, done: float) -> None:
        """Set the number of completed units."""
        self.advance(done - self.done)


class Progress:
    """Progress of a long command, with the remaining time. `quiet` prints nothing."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = None if quiet else stderr()

    def say(self, text: str) -> None:
        """Print a line."""
        if self._console:
            self._console.print(text, soft_wrap=True, markup=False)

    @contextmanager
    def step(self, label: str, total: float | None) -> Iterator[Step]:
        """Show a step of known size: a progress bar on a terminal, a single line elsewhere."""
        started, label = time.monotonic(), one_line(label)
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
            task = bar.add_task(encodable(label, self._console.encoding), total=total)
            yield Step(lambda count: bar.advance(task, count))
        self.say(f"{label}  {duration(time.monotonic() - started)}")
