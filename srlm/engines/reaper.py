"""Ends the processes that a killed srlm left behind: `python -P reaper.py PID` watches PID's children.

vLLM's engine lives in processes of its own. They end with srlm, but not when srlm is killed (kill -9, out of memory):
they would keep the GPU's memory, and the same command could not go on. So this watches from outside.
"""

import os
import sys
import time
from contextlib import suppress

import psutil

SECONDS = 0.5
"""Between two looks."""


def watch(pid: int) -> None:
    """Remember the descendants of a process as long as it lives; kill what is left of them once it is gone."""
    known: set[psutil.Process] = set()
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
            known |= set(parent.children(recursive=True))
            time.sleep(SECONDS)
    for process in known:
        with suppress(psutil.NoSuchProcess):
            if process.pid != os.getpid() and process.is_running():
                process.kill()


if __name__ == "__main__":
    watch(int(sys.argv[1]))
