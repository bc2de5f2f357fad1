"""Equal: the decode loop on the device gives what it gives on the processor, and the same again when it is repeated.

In float32 every token must be the same, except where the processor's two best tokens are closer than the precision of
sums. In bfloat16 the share is measured. On a GPU memory is also made to run out, and every request must be answered
all the same, in smaller batches.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gpu.device import forget_peak, peak_gb
from gpu.report import Report
from gpu.requests import ask, candidates
from gpu.setup import Setup

if TYPE_CHECKING:
    from srlm.engines.decoding import Row

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen3": {"head_dim": 8},
    "mistral": {"sliding_window": 8},
    "gemma3_text": {
        "head_dim": 8,
        "sliding_window": 8,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "gemma2": {"head_dim": 8},
}
"""Architectures with different attention, as random models of two layers; in `tests/helpers/tiny_models.py`'s form."""

PROMPTS = [[2, 5, 6, 7, 8, 9], [2, 5, 6, 7, 30], [2, 5, 6, 7, *range(10, 38)]]
ROWS, MAX_ROWS = 13, 4
"""Answers of a random model, more than run at once: some begin when others end."""

NEAR_TIE = 1e-3
"""Difference of two logits below which the order of additions may decide, in float32."""

CAP_GB = 2.0
"""Memory that is allowed where it is to run out."""


@dataclass(frozen=True)
class Sizes:
    """Greedy answers, and sampled ones with their batches, of the model itself; requests where memory runs out."""

    greedy: int = 8
    greedy_tokens: int = 48
    sampled: int = 128
    sampled_tokens: int = 64
    narrow_rows: int = 16
    crowd: int = 512
    crowd_tokens: int = 256


TINY = Sizes(greedy=2, greedy_tokens=8, sampled=8, sampled_tokens=8, narrow_rows=3)


def measure(setup: Setup, sizes: Sizes, report: Report) -> None:
    """Compare random models, the model itself, repeats, and answers after an out-of-memory error."""
    for kind, changes in ARCHITECTURES.items():
        report.compare(f"{kind}, tokens of sampled and greedy answers", *_architecture(kind, changes, setup.device))
    _greedy(setup, sizes, report)
    for dtype in ("float32", "bfloat16"):
        _repeats(setup, sizes, report, dtype)
    if setup.device == "cuda":
        _out_of_memory(setup, sizes, report)


def _architecture(kind: str, changes: dict[str, Any], device: str) -> tuple[int, int]:
    """Return how many answers of a random model are the same on the device as on the processor, and their number."""
    from helpers.tiny_models import load, row, run, save

    def rows() -> list["Row"]:
        return [
            row(number % len(PROMPTS), temperature=0.8, top_p=0.9, seed=number) if number % 4 else row(0)
            for number in range(ROWS)
        ]

    with tempfile.TemporaryDirectory() as place:
        save(Path(place), kind, **changes)
        here, there = load(Path(place)), load(Path(place)).to(device)
    ours = zip(run(here, PROMPTS, rows(), MAX_ROWS), run(there, PROMPTS, rows(), MAX_ROWS), strict=True)
    return sum(one.tokens == other.tokens for one, other in ours), ROWS


def _greedy(setup: Setup, sizes: Sizes, report: Report) -> None:
    """Compare greedy answers of the model with those of the processor in float32."""
    from srlm.checkpoint_files import read_config
    from srlm.engines.hf import HFEngine
    from srlm.engines.load import load_model
    from srlm.engines.shared_prefix import attention_for

    chat = HFEngine(setup.folder, name="model", device="cpu")._chat
    prompts = [chat.tokens(one) for one in candidates(setup.texts, sizes.greedy, 1, sizes.greedy_tokens)]
    attention = attention_for(read_config(setup.folder))

    def answers(model: Any) -> list[list[int]]:
        return _decode(model, prompts, sizes.greedy_tokens)

    on_processor = load_model(setup.folder, torch.float32, "cpu", attention)
    expected = answers(on_processor)
    for dtype in (torch.float32, torch.bfloat16):
        found = answers(load_model(setup.folder, dtype, setup.device, attention))
        name, precise = str(dtype).removeprefix("torch."), dtype is torch.float32
        pairs = list(zip(prompts, expected, found, strict=True))
        same = [one == other for _, one, other in pairs]
        ties = [
            precise and not equal and _is_near_tie(on_processor, *pair) for equal, pair in zip(same, pairs, strict=True)
        ]
        # In bfloat16 a token differs as soon as the two best are close, and all that follows differs with it.
        alike = sum(len(_common(one, other)) for _, one, other in pairs)
        report.add(f"greedy, {name}", near_ties=sum(ties), share_of_tokens=alike / sum(map(len, expected)))
        report.compare(f"greedy answers, {name}", sum(same) + sum(ties), len(pairs), required=precise)


def _decode(model: Any, prompts: Sequence[list[int]], tokens: int) -> list[list[int]]:
    """Return a greedy answer of so many tokens to each prompt; no token ends it, so that all are compared."""
    from srlm.engines.decoding import Row, generate

    rows = [
        Row(number, 0.0, 1.0, tokens, torch.zeros(tokens), stopped=lambda written: False)
        for number in range(len(prompts))
    ]
    with torch.inference_mode():
        generate(model, prompts, rows, max_rows=len(rows), eos=frozenset(), pad=0, ended=lambda: None)
    return [row.tokens for row in rows]


def _common(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Return the tokens with which both begin."""
    for number, (token, another) in enumerate(zip(one, other, strict=True)):
        if token != another:
            return list(one[:number])
    return list(one)


def _is_near_tie(model: Any, prompt: list[int], one: list[int], other: list[int]) -> bool:
    """Return whether the model gives the first two tokens that differ nearly the same logit."""
    from srlm.engines.shared_prefix import PrefixReader

    common = _common(one, other)
    with torch.inference_mode():
        logits, _, _ = PrefixReader(model, [[*prompt, *common]], 0).read([[*prompt, *common]])
    return abs(float(logits[0, one[len(common)]] - logits[0, other[len(common)]])) < NEAR_TIE


def _repeats(setup: Setup, sizes: Sizes, report: Report, dtype: str) -> None:
    """Compare sampled answers with the same requests once more, and in narrower batches."""
    from srlm.engines.hf import HFEngine

    requests = candidates(setup.texts, -(-sizes.sampled // 2), 2, sizes.sampled_tokens)
    engine = HFEngine(setup.folder, name="model", device=setup.device, dtype=dtype)
    first, _ = ask(engine, requests)
    again, _ = ask(engine, requests)
    engine._max_rows = sizes.narrow_rows
    narrow, _ = ask(engine, requests)
    engine.close()

    def same(others: Sequence[Any]) -> int:
        return sum(one.text == other.text for one, other in zip(first, others, strict=True))

    report.compare(f"sampled answers repeated, {dtype}", same(again), len(first))
    # Another number of rows may choose other kernels, whose last bits differ.
    report.compare(f"sampled answers in narrower batches, {dtype}", same(narrow), len(first), required=False)


def _out_of_memory(setup: Setup, sizes: Sizes, report: Report) -> None:
    """Let memory run out under a cap, and count the requests that are answered all the same."""
    from srlm.engines.hf import HFEngine

    engine = HFEngine(setup.folder, name="model", device=setup.device)
    requests = candidates(setup.texts, sizes.crowd, 1, sizes.crowd_tokens)
    ask(engine, requests[:2])
    forget_peak()
    before = engine._max_rows
    torch.cuda.set_per_process_memory_fraction(CAP_GB * 1e9 / torch.cuda.get_device_properties(0).total_memory)
    try:
        answered, _ = ask(engine, requests)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        engine.close()
    report.add("out of memory", cap_gb=CAP_GB, rows_before=before, rows_after=engine._max_rows, peak_gb=peak_gb())
    report.compare("requests answered under the cap", len(answered), len(requests))
