"""The `srlm` command. Start-up imports typer alone: every command imports what it needs when it is called."""

import errno
import os
import signal
import sys
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

from srlm.cli import annotate, compare, doctor, evaluate, gate, judge, label, ledger, report, show, train
from srlm.errors import SrlmError

USAGE_EXIT = 2
INTERRUPT_EXIT = 130

ORDER = ("train", "eval", "compare", "gate", "report", "annotate", "label", "judge", "show", "ledger", "doctor")
"""Of the commands in the help: as a user meets them. Typer by itself puts those with subcommands last."""


class Commands(TyperGroup):
    """The commands in their order."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: self.commands[name] for name in sorted(self.commands, key=ORDER.index)}


app = typer.Typer(
    cls=Commands,
    help="Train self-rewarding language models, and say with error bars whether they got better.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("annotate")(annotate.annotate)
app.add_typer(gate.app, name="gate")
app.command("report")(report.report)
app.command("label")(label.label)
app.add_typer(judge.app, name="judge")
app.command("show")(show.show)
app.command("ledger")(ledger.ledger)
app.command("doctor")(doctor.doctor)


class Interrupted(BaseException):
    """Ctrl-C. A class of its own, so that no library on the way takes it for something else."""


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise Interrupted


@app.callback(invoke_without_command=True)
def version(show: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    """Train self-rewarding language models, and say with error bars whether they got better."""
    if show:
        from srlm import __version__

        typer.echo(f"srlm {__version__}")
        raise typer.Exit


def main() -> None:
    """Run a command; turn every `SrlmError` into one message and exit code 2."""
    # Libraries below draw bars of their own over ours, and fork warnings help nobody.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    signal.signal(signal.SIGINT, _interrupt)
    try:
        app(prog_name="srlm")
    except SrlmError as error:
        sys.exit(_fail(str(error)))
    except Interrupted:
        sys.stderr.write("\nStopped. What is done is kept; the same command goes on from here.\n")
        sys.exit(INTERRUPT_EXIT)
    except OSError as error:
        full = error.errno == errno.ENOSPC
        words = "The disk is full. Make room" if full else f"{error.filename or 'A file'}: {error.strerror}. Mend that"
        sys.exit(_fail(f"{words} and give the same command again; what is done is kept."))


def _fail(message: str) -> int:
    sys.stderr.write(f"Error: {message}\n")
    return USAGE_EXIT
