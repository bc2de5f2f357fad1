"""Commands in forks of a process that has imported the libraries: a life that is killed begins without that wait.

One server a test process imports torch, transformers and TRL, and no module of srlm. Each command is a fork of it, with
an environment, a current folder and a process group of its own, and srlm's own modules are imported there. What is
tested of start-up, of libraries that are missing, or of how Python ends, needs `cli.start` or `cli.apart`.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from itertools import count
from pathlib import Path

LIBRARIES = ["torch", "transformers", "trl.trainer.sft_trainer", "trl.trainer.dpo_trainer", "datasets", "peft"]

_numbers = count()


class ForkedCommand:
    """A running `srlm` command, with those parts of `subprocess.Popen` that tests of kills use."""

    def __init__(self, words: list[str], cwd: Path, environment: Mapping[str, str], customize: str, folder: Path):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(LIBRARIES)
        name = f"{os.getpid()}-{next(_numbers)}"
        self._outputs = [folder / f"{name}.{stream}" for stream in ("out", "err")]
        settings = (words, cwd, dict(environment), textwrap.dedent(customize), self._outputs)
        self._process = context.Process(target=_run, args=settings)
        self._process.start()
        # The group exists before anyone may kill it.
        while self.poll() is None and not self._outputs[1].exists():
            self._process.join(0.001)

    @property
    def pid(self) -> int:
        """The process, and its group."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code; negative, the signal that ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The exit code, or None."""
        return self._process.exitcode

    def kill(self) -> None:
        """Send SIGKILL to the process alone."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait, and return what it has printed."""
        self._process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired("srlm", timeout or 0)
        out, err = (file.read_text(encoding="utf-8") if file.exists() else "" for file in self._outputs)
        return out, err


def _run(words: list[str], cwd: Path, environment: dict[str, str], customize: str, outputs: list[Path]) -> None:
    os.setsid()
    for descriptor, file in enumerate(outputs, start=1):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = ["srlm", *words]
    exec(compile(customize, "sitecustomize.py", "exec"), {})
    from srlm.cli.main import main

    main()
