"""One of the processes that a launcher starts for a training: `LAUNCHER -m trainer.worker JOB.json`."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srlm.display import Progress, Step
from srlm.errors import SrlmError
from trainer.job import ERROR, JOB, STEP


def to_parent(line: str) -> None:
    """One line that `trainer.job.carry_out` reads."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


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
    try:
        JOB.validate_json(file.read_bytes()).run(Report(first))
    except SrlmError as error:
        if first:
            to_parent(f"{ERROR}{json.dumps(str(error))}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
