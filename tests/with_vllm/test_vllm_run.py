"""A run that generates and judges with vLLM and trains with TRL, by the real command line; and one that is killed."""

import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("vllm")
import psutil
from pydantic import TypeAdapter

from srlm.engines.vllm import VLLMEngine
from srlm.ledger import request_key
from srlm.types import Request

pytestmark = pytest.mark.vllm

CHANGES = {
    "engine": "vllm",
    "vllm.tensor_parallel_size": 2,
    "vllm.enforce_eager": "true",
    "vllm.max_model_len": 1024,
    "vllm.gpu_memory_utilization": 0.2,
    "iterations": 1,
    "sft.baseline": "false",
    "instructions.count": 4,
}


def test_a_run_with_vllm_trains_and_is_evaluated(cli, tiny_config: Path, tmp_path: Path) -> None:
    changes = [word for key, value in CHANGES.items() for word in ("--set", f"{key}={value}")]
    result = cli("train", tiny_config, "--runs", tmp_path, "--name", "r", *changes)
    assert result.code == 0, result.err
    run = tmp_path / "r"
    assert (run / "M2" / "checkpoint" / "model.safetensors").is_file()
    assert asked_of_vllm(run, "M2/candidates", "M1")
    assert asked_of_vllm(run, "M2/verdicts", "M1")
    result = cli("eval", "M2", "--suite", "reward", "--limit", 2, "--runs", tmp_path, "--run", "r")
    assert result.code == 0, result.err
    assert asked_of_vllm(run, "evals/%", "M2")


def asked_of_vllm(run: Path, stage: str, model: str) -> bool:
    """Whether the stage made calls, and vLLM answered all with this model: a call's key is made of both."""
    identity = VLLMEngine(run / model / "checkpoint", name=model, device="cpu", dtype="float32").identity
    with closing(sqlite3.connect(run / "ledger.sqlite")) as ledger:
        calls = ledger.execute("SELECT key, request FROM calls WHERE stage LIKE ?", (stage,)).fetchall()
    requests = TypeAdapter(Request)
    return bool(calls) and all(key == request_key(identity, requests.validate_json(one)) for key, one in calls)


def test_a_killed_process_leaves_no_engine_behind(tmp_path: Path) -> None:
    """The reaper alone: a process that started it, and a child that would live on, is killed."""
    program = """
        import os, subprocess, sys, time
        from srlm.engines.vllm import reaper_command
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
        reaper = subprocess.Popen(reaper_command(os.getpid()))
        print(child.pid, reaper.pid, flush=True)
        time.sleep(300)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child, reaper = (psutil.Process(int(pid)) for pid in process.stdout.readline().split())
    time.sleep(3)
    assert child.is_running() and reaper.is_running()
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, left = psutil.wait_procs([child, reaper], timeout=10)
    assert left == []
