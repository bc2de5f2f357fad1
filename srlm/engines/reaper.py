"""Kill orphaned vLLM processes: `python -P reaper.py PID` watches the children of the process PID.

vLLM's engine runs in processes of its own. They end with srlm, except when srlm is killed (kill -9, out of memory):
then they would keep the GPU's memory, and the same command could not resume. So a separate process watches them.
"""

import os
import sys
import time
from contextlib import suppress

import psutil

POLL_S = 0.5
"""Time between two looks at the processes."""


def watch(pid: int) -> None:
    """Collect the descendants of a process while it lives; kill the remaining ones when it has ended."""
    known: set[psutil.Process] = set()
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
            known |= set(parent.children(recursive=True))
            time.sleep(POLL_S)
    for process in known:
        with suppress(psutil.NoSuchProcess):
            if process.pid != os.getpid() and process.is_running():
                process.kill()


if __name__ == "__main__":
    watch(int(sys.argv[1]))
