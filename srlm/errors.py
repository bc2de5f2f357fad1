"""Every mistake that a user can make has a class here, and its message says what to do next.

SrlmError                     exit code 2, one message, no traceback
├── UsageError                an option, a preset, a name or a key that does not exist
│   ├── UnknownName           ... with the names that do
│   └── RunChanged            a run is continued with another configuration
├── DataError                 a file that cannot be read, with its line
├── MissingDependency         an optional library is not installed, with the command that installs it
├── MissingData               data that a library fetches by itself is not there and cannot be fetched
├── ModelError                a checkpoint that cannot be used as it is
├── EngineError               a model or a server does not answer, or cannot do what is asked of it
├── BudgetSpent               the next call could pass --max-cost
├── NoDiskSpace               too little room for what the run will write
├── TrainingFailed            the processes of a launcher ended with an error; their log is named
├── Diverged                  a training's loss, gradient or weights are not finite: there is no model
├── OutOfMemory               a micro-batch does not fit
├── NothingToTrain            a stage left no example: the counts say where they went
└── Unhealthy                 an iteration's figure passed its threshold, under --strict

Exit codes of every command: 0 it did what was asked, 2 a mistake that can be mended (all of the above), 70 an error
that srlm does not know, 141 nobody reads its output any longer, 128 and the signal's number where it was stopped (130
Ctrl-C, 143 SIGTERM, 129 a terminal that closed). 1, 3 and 4 are outcomes of `srlm gate` and nothing else.

Secrets never enter a message: engines report the type and the status of a failure, not its headers.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

USAGE_EXIT = 2
UNKNOWN_EXIT = 70
UNREAD_EXIT = 141
SIGNAL_EXIT = 128
"""To which the number of the signal is added."""

LISTED = 20
"""Names that a message lists before it only counts them."""
LONGEST_NAME = 200
"""Characters of a name in a message."""


_CREDENTIALS = re.compile(r"(?<=://)[^\s'\"]*@")


def without_secrets(text: str) -> str:
    """Text as it may be shown: "http://user:password@host" -> "http://host", wherever it stands."""
    return _CREDENTIALS.sub("", text)


class SrlmError(Exception):
    """Base of all errors that are the product's own words to its user."""


class UsageError(SrlmError):
    """The command as it was given cannot be carried out."""


class UnknownName(UsageError):
    """`what` has no such name; says which there are and which one was probably meant."""

    def __init__(self, what: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = list(known)
        name = without_secrets(name)
        if len(name) > LONGEST_NAME:
            name = f"{name[:LONGEST_NAME]}..."
        close = get_close_matches(name, names, n=1)
        message = f"{what} {name!r} does not exist."
        if close:
            message += f" Did you mean {close[0]!r}?"
        shown = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
        message += f" There {'is' if len(names) == 1 else 'are'}: {shown or 'none yet'}."
        super().__init__(f"{message} {hint}".rstrip())


class RunChanged(UsageError):
    """The run directory was made with another configuration; going on would mix two experiments."""

    def __init__(self, run: Path, changes: list[str]) -> None:
        listed = without_secrets("; ".join(changes[:8])) + ("; ..." if len(changes) > 8 else "")
        super().__init__(
            f"The run {run} was started with another configuration ({listed}). "
            "Give the new one its own --name, or repeat the old settings to go on with this run."
        )


class DataError(SrlmError):
    """A data file that cannot be used, with the place where reading stopped."""

    def __init__(self, path: Path, problem: str, line: int | None = None) -> None:
        super().__init__(f"{path}{f', line {line}' if line else ''}: {problem}")


class MissingDependency(SrlmError):
    """An optional library that this command needs is not installed."""

    def __init__(self, library: str, purpose: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs the library {library}, which is not installed here. Install it with: "
            f"pip install {library}  (srlm's extra '{extra}' has all that goes with it)"
        )


class MissingData(SrlmError):
    """Data that a library fetches by itself is not there and cannot be fetched."""


class ModelError(SrlmError):
    """A checkpoint that cannot be used as it is."""


class EngineError(SrlmError):
    """A model or a server does not answer, or cannot do what is asked of it."""


class BudgetSpent(SrlmError):
    """The next call could pass --max-cost; what was answered is kept."""


class NoDiskSpace(SrlmError):
    """Too little room for what the run will write."""


class OutOfMemory(SrlmError):
    """A training's micro-batch does not fit into the memory."""


class NothingToTrain(SrlmError):
    """A stage left no example to train on; the message carries the counts."""


class TrainingFailed(SrlmError):
    """Training in processes of its own has ended without a model."""


class Diverged(SrlmError):
    """A training's loss, gradient or weights are not finite numbers any more: it left no model."""


class Unhealthy(SrlmError):
    """An iteration's figure passed its threshold, and the command was told to be strict."""
