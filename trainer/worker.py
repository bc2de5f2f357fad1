"""Entry point of the training processes that a launcher starts: `LAUNCHER -m trainer.worker JOB.json`."""

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
from trainer.finetune.launch import ERROR_PREFIX, SAY_PREFIX, STEP_PREFIX, read_job, run_job_in_process


def to_parent(line: str) -> None:
    """Write one line that `trainer.finetune.launch` reads."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def end_with_parent() -> None:
    """End this process as soon as the reader of its output is gone: `srlm train` was killed, and may be restarted.

    Launchers put their processes into sessions of their own, so no signal to the parent's group reaches them. A process
    that went on could remove a checkpoint from which the restarted training is resuming. The launcher ends the others
    when the first process has ended.
    """
    reader = select.poll()
    reader.register(sys.stdout.fileno(), 0)  # events only for a closed pipe

    def watch() -> None:
        reader.poll()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


class WorkerProgress(Progress):
    """Progress and messages for the parent, from the first process alone."""

    def __init__(self, first: bool) -> None:
        super().__init__(quiet=True)
        self._first = first

    def say(self, text: str) -> None:
        """Pass a message on to the user."""
        if self._first:
            to_parent(f"{SAY_PREFIX}{json.dumps(text)}")

    @contextmanager
    def step(self, label: str, total: float | None) -> Iterator[Step]:
        """Yield a step whose units the parent counts."""

        def report(count: float) -> None:
            if self._first:
                to_parent(f"{STEP_PREFIX}{count}")

        yield Step(report)


def main(file: Path) -> int:
    """Run the job of a file; return the exit status."""
    first = os.environ.get("RANK", "0") == "0"
    if first:
        end_with_parent()
    try:
        run_job_in_process(read_job(file), WorkerProgress(first))
    except SrlmError as error:
        if first:
            to_parent(f"{ERROR_PREFIX}{json.dumps([type(error).__name__, str(error)])}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
