"""The `srlm` command. Start-up imports typer alone; each command imports what it needs when it is called."""

import errno
import io
import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import typer
from typer.core import TyperGroup

from srlm.cli import annotate, compare, doctor, evaluate, export, gate, judge, label, ledger, report, show, train
from srlm.cli.signals import answer_signals
from srlm.cli.suite_options import EvalCommand
from srlm.errors import INTERNAL_EXIT, SIGNAL_EXIT, UNREAD_EXIT, USAGE_EXIT, SrlmError
from srlm.escape import ESCAPE, escape_workflow_commands, harmless

HELP = "Train self-rewarding language models and measure, with confidence intervals, whether they improved."
EPILOG = (
    "Exit codes: 0 success, 2 usage or data, 5 stopped by --strict, 6 budget spent, 7 engine failed, 8 training "
    "failed, 130 Ctrl-C, 70 internal error. srlm gate adds 1 regression, 3 inconclusive, 4 judge broken."
)


class Commands(TyperGroup):
    """Commands whose name may have two words: `srlm judge FILE` and `srlm judge card SPEC` are two commands."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command by the first two words, if there is one of that name, else by the first."""
        if (name := " ".join(args[:2])) in self.commands:
            args = [name, *args[2:]]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("train")(train.train)
app.command("eval", cls=EvalCommand)(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("gate", no_args_is_help=True)(gate.gate)
app.command("gate init")(gate.init)
app.command("gate pin")(gate.pin)
app.command("report")(report.report)
app.command("annotate")(annotate.annotate)
app.command("label")(label.label)
app.command("judge", no_args_is_help=True)(judge.judge)
app.command("judge card")(judge.card)
app.command("export")(export.export)
app.command("show")(show.show)
app.command("ledger")(ledger.ledger)
app.command("doctor")(doctor.doctor)


class Interrupted(BaseException):
    """A signal to stop. No library catches this class, as some catch KeyboardInterrupt."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise Interrupted(signum)


@app.callback(invoke_without_command=True, help=HELP, epilog=EPILOG)
def version(show: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    """Print the version; see `HELP`."""
    if show:
        from srlm.version import __version__

        typer.echo(f"srlm {__version__}")
        raise typer.Exit


def main() -> None:
    """Run a command. An error becomes one message and an exit code, which is never an outcome of the gate."""
    # Progress bars of libraries would be drawn over ours, and warnings about forks do not concern the user.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    streams = _open_streams()
    answer_signals(_interrupt)
    try:
        code = app(prog_name="srlm", standalone_mode=False) or 0
        if code == SIGNAL_EXIT + signal.SIGINT:  # what typer makes of it
            raise KeyboardInterrupt
    except BaseException as error:  # Python's own exit code would be 1, which means regression
        answer_signals(signal.SIG_DFL)
        sys.stdout, sys.stderr = streams
        code = _ended_by(_behind(error))
    sys.exit(_flushed(code))


def _open_streams() -> tuple[TextIO, TextIO]:
    """Return standard streams that exist and take every character, as an escape where their encoding lacks it."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # closed by the parent process
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # to the end of the process
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPE)
    return sys.stdout, sys.stderr


def _behind(error: BaseException) -> BaseException:
    """Return the error that typer replaced by one of its own: the end of the input, or a broken pipe."""
    before = error.__context__
    if isinstance(before, EOFError) or (isinstance(error, SystemExit) and isinstance(before, BrokenPipeError)):
        return before
    return error


def _ended_by(error: BaseException) -> int:
    """Print why a command ended early, and return its exit code."""
    if isinstance(error, SrlmError):
        return _fail(str(error), error.exit_code)
    if isinstance(error, Interrupted | KeyboardInterrupt):
        _complain("\nStopped. What is done is kept; the same command goes on from here.\n")
        return SIGNAL_EXIT + (error.signum if isinstance(error, Interrupted) else signal.SIGINT)
    if isinstance(error, Exception) and callable(show := getattr(error, "show", None)):  # typer's own, of usage
        said = io.StringIO()
        show(file=said)
        _complain(said.getvalue())
        return USAGE_EXIT
    if isinstance(error, BrokenPipeError) and _unread():
        return UNREAD_EXIT
    if isinstance(error, OSError) and error.errno is not None:
        full = error.errno == errno.ENOSPC
        words = "The disk is full. Make room" if full else f"{error.filename or 'A file'}: {error.strerror}. Mend that"
        return _fail(f"{words} and give the same command again; what is done is kept.", USAGE_EXIT)
    from srlm import crash_report as crash

    return _fail(crash.message(error, crash.keep_report(error, sys.argv)), INTERNAL_EXIT)


def _flushed(code: int) -> int:
    """Flush the streams and return the exit code; Python itself would exit with its own code where that fails."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:
        if code != UNREAD_EXIT:
            code = _ended_by(error)
        with suppress(OSError, ValueError):  # so that nothing is tried again at the end
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for stream in (sys.stdout, sys.stderr):
                os.dup2(nowhere, stream.fileno())
    except ValueError:  # closed by a library
        pass
    return code


def _unread() -> bool:
    """Check if a standard stream is a pipe whose reader has closed it. Other broken pipes are errors."""
    with suppress(OSError, ValueError, AttributeError):  # a stream without a number, a system without poll
        reader = select.poll()
        for stream in (sys.stdout, sys.stderr):
            reader.register(stream.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in reader.poll(0))
    return False


def _fail(message: str, code: int) -> int:
    _complain(f"Error: {message}\n")
    return code


def _complain(text: str) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(escape_workflow_commands(harmless(text)))
