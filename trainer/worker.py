"""One of the processes that a launcher starts for a training: `LAUNCHER -m trainer.worker JOB.json`."""

import json
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from srlm.console import Progress, Step
from srlm.errors import SrlmError
from trainer.finetune.job import JOB
from trainer.finetune.launch import ERROR, STEP, carry_out_here


def to_parent(line: str) -> None:
    """One line that `trainer.finetune.launch.carry_out` reads."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def end_with_parent() -> None:
    """End this process as soon as nobody reads what it says: `srlm train` was killed, and may be started again.

    Launchers put their processes into sessions of their own, so that no signal to the parent's group reaches them. One
    that went on to its next step could remove a state from which the training that follows is just going on. The
    launcher ends the others when the first has ended.
    """
    reader = select.poll()
    reader.register(sys.stdout.fileno(), 0)  # nothing but the reader's end is waited for

    def watch() -> None:
        reader.poll()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


class Report(Progress):
    """Progress for the parent, from the first process alone; words for the reader go to the log."""

    def __init__(self, first: bool) -> None:
        super().__init__(quiet=True)
        self._first = first

    def say(self, text: str) -> None:
        """One line for the log."""
        if self._first:
            sys.stderr.write(f"{text}\n")

    @contextmanager
    def step(self, label: str, total: float | None) -> Iterator[Step]:
        """A step whose units the parent counts."""

        def tell(count: float) -> None:
            if self._first:
                to_parent(f"{STEP}{count}")

        yield Step(tell)


def main(file: Path) -> int:
    """Carry the job out; the exit status."""
    first = os.environ.get("RANK", "0") == "0"
    if first:
        end_with_parent()
    try:
        carry_out_here(JOB.validate_json(file.read_bytes()), Report(first))
    except SrlmError as error:
        if first:
            to_parent(f"{ERROR}{json.dumps(str(error))}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
