"""The tree of errors that a user can cause or meet. Each message names the next step; each class has an exit code.

SrlmError                     2    base of the tree: one message, no traceback
├── UsageError                2    an option, a preset, a name or a key that does not exist
│   ├── UnknownName           2    ... with the names that do
│   └── RunChanged            2    a run is continued with another configuration
├── DataError                 2    a file that cannot be read, with its line
├── MissingDependency         2    an optional library is not installed, with the command that installs it
├── MissingData               2    data that a library fetches by itself is absent and cannot be fetched
├── ModelError                2    a checkpoint that cannot be used as it is
├── NoDiskSpace               2    too little room for what the run writes
├── EngineError               2    an engine cannot do what is asked of it: a refused key, a prompt that is too long
│   └── EngineFailed          7    a server does not answer, an engine crashed or ran out of memory
├── StoppedByStrict           5    an iteration's metric passed its threshold, under --strict
├── BudgetSpent               6    the next call could pass --max-cost
└── TrainingFailed            8    a training ended without a model
    ├── Diverged              8    ... because its loss, gradient or weights are not finite
    ├── OutOfMemory           8    ... because a micro-batch does not fit
    └── NothingToTrain        8    ... because a stage left no example; the message has the counts

`EXIT_CODES` lists the other exit codes of the command line.

No message holds a secret: engines report the type and the status of a failure, not its headers.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

from srlm.redact import remove_url_credentials

USAGE_EXIT = 2
STRICT_EXIT = 5
BUDGET_EXIT = 6
ENGINE_EXIT = 7
TRAINING_EXIT = 8
INTERNAL_EXIT = 70
SIGNAL_EXIT = 128
"""Base to which the number of the signal is added."""
UNREAD_EXIT = 141

EXIT_CODES: Mapping[str, str] = {
    "0": "Success. `srlm gate`: the candidate passes.",
    "1": "`srlm gate` alone: regression, the candidate is significantly worse.",
    str(USAGE_EXIT): "Usage or data: an option, a name, a file, a model, a key, a library cannot be used. Correct it.",
    "3": "`srlm gate` alone: inconclusive. The report has the sample size that is needed.",
    "4": "`srlm gate` alone: the judge is broken, so its verdicts decide nothing.",
    str(STRICT_EXIT): "Stopped by `--strict`: an iteration gave a warning. The same command without it goes on.",
    str(BUDGET_EXIT): "Budget spent: the next call could pass `--max-cost`. The same command goes on with a new one.",
    str(
        ENGINE_EXIT
    ): "Engine failed: no answer of a server within `--timeout`, a crash, or too little memory. The same "
    "command goes on once the cause is gone.",
    str(TRAINING_EXIT): "Training failed: it diverged, ran out of memory or had nothing to train on. Change a setting.",
    str(INTERNAL_EXIT): "Internal error: a bug of srlm. The message names a report to attach to an issue.",
    f"{SIGNAL_EXIT} + signal": "Interrupted: 130 by Ctrl-C, 143 by SIGTERM, 129 by a terminal that closed. The same "
    "command goes on.",
    str(UNREAD_EXIT): "The reader of the output has closed its pipe, as `| head` does.",
}
"""Meaning of each exit code of the command line."""

LISTED = 20
"""Names that a message lists before it only counts them."""
LONGEST_NAME = 200
"""Characters of a name in a message."""


class SrlmError(Exception):
    """Base of all errors with a message for the user."""

    exit_code: ClassVar[int] = USAGE_EXIT


def error_of_process(name: str, message: str) -> SrlmError:
    """Return the error that another process reported: of its class, for the exit code, with the message alone."""
    found = globals().get(name)
    known = isinstance(found, type) and issubclass(found, SrlmError)
    kind: type[SrlmError] = found if known and found else TrainingFailed
    return kind.__new__(kind, message)  # an __init__ may want more than the message


class UsageError(SrlmError):
    """A command or a call that cannot be carried out as given."""


class UnknownName(UsageError):
    """A name that does not exist, with those that do and the one that was probably meant.

    `kind` is the beginning of the message ("The model"), `close` the most similar known name, if any is similar.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        self.kind, self.known = kind, list(known)
        name = remove_url_credentials(name)
        if len(name) > LONGEST_NAME:
            name = f"{name[:LONGEST_NAME]}..."
        self.name = name
        self.close = next(iter(get_close_matches(name, self.known, n=1)), None)
        message = f"{kind} {name!r} does not exist."
        if self.close:
            message += f" Did you mean {self.close!r}?"
        more = f" and {len(self.known) - LISTED} more" if len(self.known) > LISTED else ""
        shown = ", ".join(self.known[:LISTED]) + more
        message += f" There {'is' if len(self.known) == 1 else 'are'}: {shown or 'none yet'}."
        super().__init__(f"{message} {hint}".rstrip())


class RunChanged(UsageError):
    """A run directory that was made with another configuration; to go on would mix two experiments.

    `changes` has a line for each setting, such as "dpo.beta 0.1 -> 0.2". `hint` is a further sentence.
    """

    def __init__(self, run: Path, changes: list[str], hint: str = "") -> None:
        self.run, self.changes = run, changes
        listed = remove_url_credentials("; ".join(changes[:8])) + ("; ..." if len(changes) > 8 else "")
        super().__init__(
            f"The run {run} was started with another configuration ({listed}). "
            f"Give the new one its own --name, or repeat the old settings to go on with this run. {hint}".rstrip()
        )


class DataError(SrlmError):
    """A data file that cannot be used, with the line at which reading stopped."""

    def __init__(self, path: Path, problem: str, line: int | None = None) -> None:
        self.path, self.problem, self.line = path, problem, line
        super().__init__(f"{path}{f', line {line}' if line else ''}: {problem}")


class MissingDependency(SrlmError):
    """An optional library that is needed and not installed. `extra` is the extra of srlm that has it."""

    def __init__(self, library: str, purpose: str, extra: str, versions: str = "") -> None:
        self.library, self.extra = library, extra
        super().__init__(
            f"{purpose} needs the library {library}, which is not installed here. Install it with: "
            f"pip install {library}{versions}  (srlm's extra '{extra}' has all that goes with it)"
        )


class MissingData(SrlmError):
    """Data that a library fetches by itself, absent and not to be fetched."""


class ModelError(SrlmError):
    """A checkpoint that cannot be used as it is."""


class NoDiskSpace(SrlmError):
    """Too little room for what the run writes."""


class EngineError(SrlmError):
    """An engine that cannot do what is asked of it, or a server that refuses every call."""


class EngineFailed(EngineError):
    """An engine that failed while it worked: no answer in time, a crash, too little memory."""

    exit_code = ENGINE_EXIT


class StoppedByStrict(SrlmError):
    """An iteration's metric that passed its threshold, under --strict."""

    exit_code = STRICT_EXIT


class BudgetSpent(SrlmError):
    """A budget that the next call could pass; completed calls are kept. All amounts are US dollars."""

    exit_code = BUDGET_EXIT

    def __init__(self, message: str, *, limit: float, spent: float, next_call: float) -> None:
        self.limit, self.spent, self.next_call = limit, spent, next_call
        super().__init__(message)


class TrainingFailed(SrlmError):
    """A training that ended without a model."""

    exit_code = TRAINING_EXIT


class Diverged(TrainingFailed):
    """A training whose loss, gradient or weights are not finite."""


class OutOfMemory(TrainingFailed):
    """A training whose micro-batch does not fit into the memory."""


class NothingToTrain(TrainingFailed):
    """A stage that left no example to train on; the message has the counts."""
