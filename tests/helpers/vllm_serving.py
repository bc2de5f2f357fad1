"""A real vLLM server in a process of its own, for the tests that need one."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

START_SECONDS = 900  # patience alone: where other programs compute too, a start takes minutes


@contextmanager
def served(model: Path, name: str, log: Path, *more: str) -> Iterator[str]:
    """Serve a checkpoint in float32 under a name, with more options of vLLM's; gives the address when it is up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"--host 127.0.0.1 --port {port} --served-model-name {name} --dtype float32 --max-model-len 4096"
    options += " --enforce-eager --gpu-memory-utilization 0.2 --no-enable-chunked-prefill"
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    with log.open("w") as stream:
        server = subprocess.Popen(
            [*command, *options.split(), *more],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "2"},
        )
        try:
            until = time.monotonic() + START_SECONDS
            while not _is_up(port) and server.poll() is None and time.monotonic() < until:
                time.sleep(1)
            assert _is_up(port), log.read_text()[-3000:]
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(timeout=60)
            except subprocess.TimeoutExpired:  # one that is still starting does not listen
                server.kill()
                server.wait()


def _is_up(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False
