"""One look for every command: results on standard output, progress on standard error.

Without a terminal the progress is a line at the start and the end of each step, so that a log stays readable.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, cast

from srlm.escape import ESCAPE, encodable, escape_workflow_commands, harmless, one_line

if TYPE_CHECKING:
    from rich.console import Console

GROUP = 60
"""Seconds in a minute: below it, durations are printed in seconds."""


def stdout() -> "Console":
    """The console for results. When piped, wide enough that no table is cut."""
    console = _console(sys.stdout)
    return console if console.is_terminal else _console(sys.stdout, width=140)


def stderr() -> "Console":
    """The console for progress and messages."""
    return _console(sys.stderr)


def say(text: str) -> None:
    """Put lines for people on standard output; nothing in them is obeyed by a terminal or a runner."""
    sys.stdout.write(f"{escape_workflow_commands(harmless(text))}\n")
    sys.stdout.flush()


def say_data(text: str) -> None:
    """Put text for programs, such as JSON, on standard output as it is; what its encoding lacks becomes an escape."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(f"{text.encode(encoding, ESCAPE).decode(encoding)}\n")
    sys.stdout.flush()


def _console(stream: TextIO, width: int | None = None) -> "Console":
    from rich.console import Console
    from rich.text import Text

    class Plain(Console):
        """Every text that it prints is made harmless, and only of characters that its stream has."""

        def render_str(self, text: str, **how: Any) -> Text:
            return super().render_str(encodable(harmless(text), self.encoding), **how)

        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704  # rich's own answer would be exit code 1; it calls this while it handles the error

    # While a bar is drawn, rich stands before the stream.
    behind = getattr(stream, "rich_proxied_file", stream)
    return Plain(file=cast(TextIO, _Uncommanded(behind)), width=width, emoji=False, highlight=False)


class _Uncommanded:
    """A stream that writes no line which a workflow's runner would obey, however a text was broken into lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(escape_workflow_commands(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


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
