"""Out-of-memory errors: the batch is halved, the answers stay the same, and the size that fitted is kept."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from helpers.tiny_models import ask, checkpoint, replies
from srlm.engines import batch_size as memory
from srlm.engines.batch_size import retry_with_smaller_batch, token_capacity
from srlm.engines.hf import HFEngine
from srlm.errors import EngineError
from srlm.types import Completion, Request

PROCESSOR = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"


def full(error: Exception, limit: int, seen: list[int]) -> Any:
    def attempt(rows: int) -> None:
        seen.append(rows)
        if rows > limit:
            raise error

    return attempt


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError(PROCESSOR), MemoryError()]
)
def test_half_as_many_until_they_fit(error: Exception) -> None:
    seen: list[int] = []
    assert retry_with_smaller_batch(full(error, 5, seen), 50, "tiny") == 3
    assert seen == [50, 25, 12, 6, 3]
    assert retry_with_smaller_batch(full(error, 5, seen), 5, "tiny") == 5


def test_a_single_row_that_does_not_fit_is_an_error_of_ours() -> None:
    seen: list[int] = []
    with pytest.raises(EngineError, match=r"tiny does not fit.*smaller") as caught:
        retry_with_smaller_batch(full(MemoryError(), 0, seen), 3, "tiny")
    assert seen == [3, 1]
    assert caught.value.__cause__ is None


def test_other_errors_pass() -> None:
    seen: list[int] = []
    with pytest.raises(RuntimeError, match="shapes"):
        retry_with_smaller_batch(full(RuntimeError("shapes do not match"), 1, seen), 8, "tiny")
    assert seen == [8]


# --- how many should fit ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "config", "size"),
    [
        # 2 (keys and values) x 3 layers x 2 heads x 16 columns x 4 bytes
        (
            torch.float32,
            {
                "num_hidden_layers": 3,
                "num_attention_heads": 8,
                "num_key_value_heads": 2,
                "head_dim": 16,
                "hidden_size": 64,
            },
            768,
        ),
        # 2 x 3 x 2 x (64 / 8) x 2 bytes
        (
            torch.bfloat16,
            {
                "num_hidden_layers": 3,
                "num_attention_heads": 8,
                "num_key_value_heads": 2,
                "head_dim": None,
                "hidden_size": 64,
            },
            192,
        ),
        # 2 x 3 x 8 x (64 / 8) x 2 bytes
        (torch.bfloat16, {"num_hidden_layers": 3, "num_attention_heads": 8, "hidden_size": 64}, 768),
    ],
)
def test_room_is_counted_in_bytes_of_keys_and_values(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, config: dict[str, Any], size: int
) -> None:
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(memory.os, "sysconf", pages.__getitem__)
    arguments = (SimpleNamespace(**config), dtype, torch.device("cpu"), 0)
    assert token_capacity(*arguments) == 4096 * 1000 // 4 // size
    monkeypatch.setattr(memory.os, "sysconf", lambda name: 1)
    assert token_capacity(*arguments) == 1


# --- the engine in a memory for k rows --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("model"), "chatml")


def engine_of(folder: Path, limit: int, seen: list[int] | None = None) -> HFEngine:
    """An engine whose model fails on more than `rows` rows."""
    engine = HFEngine(folder, name="tiny", dtype="float32")
    model = engine._model
    forward = model.forward

    def small(*args: Any, **rest: Any) -> Any:
        rows = len(rest["input_ids"])
        if seen is not None:
            seen.append(rows)
        if rows > limit:
            raise torch.OutOfMemoryError(f"{rows} rows")
        return forward(*args, **rest)

    model.forward = small
    return engine


def texts() -> list[Request]:
    return [ask(f"Write {index % 5} words.", index, max_tokens=5 + index) for index in range(14)]


def choices() -> list[Request]:
    return [ask("What is the score of " + "rain " * index, choices=("0", "1", "2")) for index in range(14)]


def alike(one: list[Completion], other: list[Completion]) -> bool:
    return [(reply.text, reply.finish) for reply in one] == [(reply.text, reply.finish) for reply in other]


def test_answers_are_those_of_an_engine_with_room(folder: Path) -> None:
    assert alike(replies(engine_of(folder, 3), texts()), replies(engine_of(folder, 500), texts()))
    narrow, wide = replies(engine_of(folder, 3), choices()), replies(engine_of(folder, 500), choices())
    for one, other in zip(narrow, wide, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


@pytest.mark.parametrize("requests", [texts(), choices()], ids=["texts", "choices"])
def test_each_answer_is_ticked_once_though_it_was_attempted_twice(folder: Path, requests: list[Request]) -> None:
    ticks: list[int] = []
    (done,) = engine_of(folder, 3).run([requests], partial(ticks.append, 1))
    assert len(done.replies) == len(ticks) == 14


def test_the_size_that_fitted_is_kept(folder: Path) -> None:
    seen: list[int] = []
    engine = engine_of(folder, 3, seen)
    replies(engine, texts())
    assert max(seen) > 3
    seen.clear()
    replies(engine, texts())
    replies(engine, choices())
    assert max(seen) == 3


def test_a_long_batch_leaves_the_next_ones_as_wide_as_ever(folder: Path) -> None:
    seen: list[int] = []
    engine = HFEngine(folder, name="tiny", dtype="float32", batch_tokens=600)
    model = engine._model
    model.forward = lambda *args, forward=model.forward, **rest: (
        seen.append(len(rest["input_ids"])) or forward(*args, **rest)
    )
    replies(engine, [ask("rain " * 100, index) for index in range(6)])
    assert max(seen) <= 4
    replies(engine, texts())
    assert max(seen) > 8


@pytest.mark.parametrize("requests", [texts(), choices()], ids=["texts", "choices"])
def test_a_prompt_that_does_not_fit_alone_is_an_error(folder: Path, requests: list[Request]) -> None:
    with pytest.raises(EngineError, match="does not fit into the memory"):
        replies(engine_of(folder, 0), requests)
