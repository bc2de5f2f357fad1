"""The built-in engine on a pretended GPU: answers are the processor's, no devices are mixed, and waits are counted."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from helpers.pretended_gpu import Counts, PretendedGpu, pretended_gpu
from helpers.tiny_models import PAD, ask, checkpoint, load, replies, row, save
from srlm.engines import decoding, hf
from srlm.engines.decoding import RunningBatch, generate
from srlm.engines.hf import HFEngine
from srlm.types import Request

ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "qwen3, heads of their own size": ("qwen3", {"head_dim": 8}),
    "mistral, a window": ("mistral", {"sliding_window": 8}),
    "gemma3, two masks": (
        "gemma3_text",
        {"head_dim": 8, "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]},
    ),
}
SHARED = [[2, 5, 6, 7, 8, 9], [2, 5, 6, 7, 30], [2, 5, 6, 7, 10, 11, 12, 13]]
APART = [[2, 5, 6], [3, 9, 9, 9], [4, 4, 4]]
ON_GPU = partial(generate, eos=frozenset({1}), pad=PAD, ended=lambda: None)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedGpu]:
    with pretended_gpu(monkeypatch) as found:
        yield found


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_answers_are_the_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Greedy and sampled rows, more of them than slots: prompts are read into freed slots, and slots are dropped."""
    model_type, changes = ARCHITECTURES[name]
    model = load(save(tmp_path, model_type, **changes))

    def rows() -> list[decoding.Row]:
        return [
            row(index % 3, temperature=0.8 if index % 4 else 0.0, top_p=0.9, limit=9, seed=index) for index in range(7)
        ]

    expected, found = rows(), rows()
    with torch.inference_mode():
        ON_GPU(model, SHARED, expected, max_rows=3)
    with pretended_gpu(monkeypatch) as gpu:
        gpu.take(model)
        ON_GPU(model, SHARED, found, max_rows=3)
    assert [(one.tokens, one.finish) for one in found] == [(one.tokens, one.finish) for one in expected]
    assert len({token for one in found for token in one.tokens}) > 2


# --- waits and kernels ------------------------------------------------------------------------------------------------


class Steps:
    """What the GPU did in each step of the loop, and in each reading of prompts."""

    def __init__(self, gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[Counts] = []
        self.admissions: list[Counts] = []
        for name, found in (("step", self.steps), ("admit", self.admissions)):
            monkeypatch.setattr(RunningBatch, name, self._counted(gpu, getattr(RunningBatch, name), found))

    @staticmethod
    def _counted(gpu: PretendedGpu, method: Any, found: list[Counts]) -> Any:
        def counted(*arguments: Any) -> Any:
            before = gpu.counts.copy()
            ended = method(*arguments)
            found.append(gpu.counts - before)
            return ended

        return counted


def steps_of(
    gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch, folder: Path, prompts: list[list[int]], **sampling: Any
) -> Steps:
    """Three rows of 34 tokens: the columns in use grow, and all rows end with the last step."""
    model = load(folder)
    gpu.take(model)
    with monkeypatch.context() as patch:
        counted = Steps(gpu, patch)
        rows = [row(index, limit=34, seed=index, **sampling) for index in range(3)]
        generate(model, prompts, rows, max_rows=3, eos=frozenset({-5}), pad=PAD, ended=lambda: None)
    assert len(counted.steps) == 33
    return counted


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Models that differ in their number of layers; their vocabulary is larger than the first search of a nucleus."""
    return {
        count: save(tmp_path_factory.mktemp("llama"), "llama", num_hidden_layers=count, vocab_size=200)
        for count in (1, 2)
    }


@pytest.mark.parametrize(
    ("sampling", "most"),
    [({"temperature": 0.2, "top_p": 0.5}, 1), ({}, 1), ({"temperature": 3.0, "top_p": 0.99}, 2)],
    ids=["sampled", "greedy", "sampled from a wide nucleus"],
)
def test_a_step_waits_for_its_tokens_alone(
    gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch, layers: dict[int, Path], sampling: dict[str, float], most: int
) -> None:
    """Once, and once more where a nucleus is wider than what was searched first: then its rows are uploaded."""
    counted = steps_of(gpu, monkeypatch, layers[1], APART, **sampling)
    assert max(step.reads.total() for step in counted.steps) == most
    assert max(step.uploads.total() for step in counted.steps) == most - 1
    (first,) = counted.admissions
    assert (first.reads.total(), first.uploads.total()) == (most, 2 + most - 1)


@pytest.mark.parametrize(("prompts", "most"), [(APART, 40), (SHARED, 46)], ids=["apart", "shared prefix"])
def test_kernels_of_a_step(
    gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch, layers: dict[int, Path], prompts: list[list[int]], most: int
) -> None:
    """In each layer, and next to them; none copies the keys and values of earlier columns."""
    one, two = (steps_of(gpu, monkeypatch, layers[count], prompts, temperature=0.8, top_p=0.5) for count in (1, 2))
    # The last step is left out: rows that end take three small kernels each.
    short, long = ([step.kernels.total() for step in found.steps[:-1]] for found in (one, two))
    layer = max(more - less for less, more in zip(short, long, strict=True))
    assert layer <= most
    assert max(short) - layer <= 80
    assert not any(step.kernels["constant_pad_nd"] for step in one.steps + two.steps)


# --- the engine -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("model"), "chatml")


def engine_on(gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch, folder: Path, **settings: Any) -> HFEngine:
    """An engine that chooses the GPU; its weights are loaded by the processor and moved there."""

    def load_on_gpu(where: Path, dtype: torch.dtype, device: str, attention: str) -> Any:
        assert device.startswith("cuda")
        model = load(where, dtype)
        gpu.take(model)
        return model

    monkeypatch.setattr(hf, "load_model", load_on_gpu)
    return HFEngine(folder, name="tiny", dtype="float32", **settings)


def texts() -> list[Request]:
    return [
        ask(f"Write {index % 5} words.", index, max_tokens=5 + index, stop=("rain",) if index % 2 else ())
        for index in range(8)
    ]


def choices() -> list[Request]:
    """With two or three choices, so that their rows have different lengths."""
    scores = ("0", "1", "2")
    return [ask("What is the score of " + "rain " * index, choices=scores[: 2 + index % 2]) for index in range(8)]


def test_the_engine_answers_as_on_a_processor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_cpu = HFEngine(folder, name="tiny", dtype="float32", device="cpu")
    wanted, judged = replies(on_cpu, texts()), replies(on_cpu, choices())
    with pretended_gpu(monkeypatch) as gpu:
        engine = engine_on(gpu, monkeypatch, folder)
        assert replies(engine, texts()) == wanted
        before = gpu.counts.copy()
        found = replies(engine, choices())
        done = gpu.counts - before
    for one, other in zip(found, judged, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)
        assert one.mass == pytest.approx(other.mass, abs=1e-5)
    # One pass, of which all choices are read at once; the common beginning, the prompts and the choices are uploaded.
    assert (done.reads.total(), done.uploads.total()) == (1, 3)


def test_a_gpu_is_part_of_the_identity_and_a_processor_is_not(
    folder: Path, gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_gpu = engine_on(gpu, monkeypatch, folder).identity
    assert engine_on(gpu, monkeypatch, folder, device="cuda:1").identity == on_gpu
    on_cpu = HFEngine(folder, name="tiny", dtype="float32", device="cpu").identity
    assert on_gpu == f"{on_cpu}:cuda"
    assert on_cpu.endswith(":float32")


@pytest.mark.parametrize(("memory", "least", "most"), [(150.7e9, 2048, 2048), (2e6, 20, 200), (1, 1, 1)])
def test_rows_and_batches_are_those_of_the_gpus_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch, memory: float, least: int, most: int
) -> None:
    """Half of what the weights leave, in keys and values of 256 bytes a token; a batch is four times as many."""
    requests = [ask("Write.", index, max_tokens=40) for index in range(5 * 2048)]
    weights = 4 * sum(weight.numel() for weight in load(folder).parameters())
    seen: list[int] = []

    def generate(model: Any, prompts: Any, rows: list[decoding.Row], *, max_rows: int, **_: Any) -> None:
        seen.append(max_rows)
        for one in rows:
            one.finish = "stop"

    monkeypatch.setattr(decoding, "generate", generate)
    with pretended_gpu(monkeypatch, memory) as gpu:
        engine = engine_on(gpu, monkeypatch, folder)
        width = len(engine._chat.tokens(requests[0])) + 40
        rows = max(1, min(2048, int(max(0, memory - weights) / 2 / 256) // width))
        assert least <= rows <= most
        plan = engine.plan(requests[: 5 * rows])
        assert [len(batch) for batch in plan] == [4 * rows, rows]
        list(engine.run([[requests[index] for index in batch] for batch in plan]))
    assert set(seen) == {rows}
