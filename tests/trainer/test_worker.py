"""A launcher's process beside the one that started the launcher."""

import subprocess
import sys

import pytest

WORKER = """
import sys, time
from trainer.worker import end_with_parent, to_parent
end_with_parent()
to_parent("srlm step 1")
time.sleep(float(sys.argv[1]))
"""


@pytest.fixture
def worker():
    """Starts a process that says one line and then nothing for so many seconds."""
    started = []

    def start(seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WORKER, str(seconds)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "srlm step 1\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_it_ends_when_nobody_reads_what_it_says(worker):
    process = worker(600)
    process.stdout.close()
    assert process.wait(timeout=60) == 1


def test_it_goes_on_while_somebody_does(worker):
    assert worker(0.5).wait(timeout=60) == 0


def test_words_into_a_file_have_no_reader_who_could_go(tmp_path):
    with (tmp_path / "words").open("w", encoding="utf-8") as words:
        done = subprocess.run([sys.executable, "-c", WORKER, "0.5"], stdout=words, check=False, timeout=60)
    assert done.returncode == 0
