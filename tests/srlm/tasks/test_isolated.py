"""Checks in a process of their own: what hangs, dies or raises is undecided, and the next check is not harmed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from srlm.errors import UsageError
from srlm.tasks.isolated import NO_REPLY, CheckReply, IsolatedChecker

SOURCE = """
import os, time
print("this goes to standard error")

def check(problem, answer):
    print("so does this")
    if answer == "loop":
        while True:
            pass
    if answer == "power":
        return 7 ** 7 ** 9 > 0  # one operation in C
    if answer == "raise":
        return {}["missing"]
    if answer == "exit":
        raise SystemExit(3)
    if answer == "die":
        os._exit(1)
    if answer == "text":
        return "yes"
    return answer == problem["wanted"]
"""


@pytest.fixture(scope="module")
def checker():
    made = IsolatedChecker("file", seconds=0.3, source=SOURCE, file="task.py")
    yield made
    made.close()


def test_what_is_true_and_what_is_not(checker):
    assert checker.check({"wanted": "é\ud800"}, "é\ud800") == CheckReply(True)
    assert checker.check({"wanted": "a"}, "b") == CheckReply(False)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("loop", NO_REPLY),
        ("power", NO_REPLY),
        ("die", NO_REPLY),
        ("raise", "KeyError: 'missing' in line 13"),
        ("exit", "SystemExit: 3 in line 15"),
        ("text", "check() returned a str, and neither True, False nor None"),
    ],
)
def test_what_cannot_be_decided(checker, answer, error):
    assert checker.check({"wanted": "a"}, answer) == CheckReply(None, error)
    assert checker.check({"wanted": "a"}, "a") == CheckReply(True)


def test_what_a_check_has_started_ends_with_it(tmp_path):
    source = (
        "import pathlib, subprocess\n"
        "def check(problem, answer):\n"
        "    child = subprocess.Popen(['sleep', '600'])\n"
        "    pathlib.Path(answer).write_text(str(child.pid))\n"
        "    while True:\n"
        "        pass\n"
    )
    checker = IsolatedChecker("file", seconds=0.3, source=source, file="task.py")
    assert checker.check({}, str(tmp_path / "pid")) == CheckReply(None, NO_REPLY)
    assert _ends(int((tmp_path / "pid").read_text(encoding="utf-8")))


def test_a_file_that_fails_in_the_process_alone_is_named():
    checker = IsolatedChecker("file", seconds=1, source="raise ValueError('no GPU')", file="task.py")
    with pytest.raises(UsageError, match=r"failed at its start.*It loads task\.py"):
        checker.check({}, "a")


def test_the_process_ends_with_its_parent():
    code = (
        "from srlm.tasks.isolated import IsolatedChecker\n"
        f"checker = IsolatedChecker('file', seconds=1, source={SOURCE!r}, file='task.py')\n"
        "checker.check({'wanted': 'a'}, 'a')\n"
        "print(checker._process.pid, flush=True)\n"
        "import os, signal\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == -signal.SIGKILL, found.stderr
    assert _ends(int(found.stdout))


def _ends(pid):
    """Whether it has ended, or does so within ten seconds."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if _zombie(pid):
            return True
        time.sleep(0.05)
    return False


def _zombie(pid):
    """Whether it has ended, and nobody has asked how: in a container there may be no process that does."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
