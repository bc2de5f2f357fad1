"""A training process ends with the process that reads its output."""

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
    """Starter of a process that writes one line and then sleeps for so many seconds."""
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


def test_it_ends_when_the_reader_of_its_output_is_gone(worker):
    process = worker(600)
    process.stdout.close()
    assert process.wait(timeout=60) == 1


def test_it_goes_on_while_its_output_is_read(worker):
    assert worker(0.5).wait(timeout=60) == 0


def test_output_to_a_file_has_no_reader_to_wait_for(tmp_path):
    with (tmp_path / "output").open("w", encoding="utf-8") as output:
        done = subprocess.run([sys.executable, "-c", WORKER, "0.5"], stdout=output, check=False, timeout=60)
    assert done.returncode == 0
