"""The generation loop of local models: continuous batching, one token a step for every running row.

Rows occupy slots of a preallocated KV cache. A freed slot is refilled with the next prompt; when no prompt waits, ended
rows are dropped. A prompt with n samples is read once, and so is the common prefix of all prompts
(`srlm.engines.shared_prefix`). Sampling is exact and seeded by row (`srlm.engines.top_p`).

Left out: paged memory, and one batch over several GPUs. vLLM has these and is the better engine on a GPU. Greedy
decoding equals `transformers.generate` in float32 (tests/srlm/engines/test_decoding.py).
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional
from transformers import Cache

from srlm.engines.shared_prefix import PrefixReader
from srlm.engines.top_p import draw

REFILL_SHARE = 0.125
"""Freed slots are refilled when they are this share of all: reading prompts together is cheaper than one by one."""

COMPACT_SHARE = 0.8
"""Without waiting prompts, ended rows are dropped once fewer than this share is running: a drop copies the cache."""

CACHE_GROWTH = 32
"""Columns by which the cache grows."""


@dataclass
class Row:
    """An answer that is being generated. `uniforms` are its random numbers, one a token."""

    prompt: int
    temperature: float
    top_p: float
    max_tokens: int
    uniforms: torch.Tensor
    stopped: Callable[[list[int]], bool]
    tokens: list[int] = field(default_factory=list)
    finish: str = ""

    def take(self, token: int, eos: frozenset[int]) -> None:
        """Append the next token, or set `finish`."""
        if token in eos:
            self.finish = "stop"
            return
        self.tokens.append(token)
        if self.stopped(self.tokens):
            self.finish = "stop"
        elif len(self.tokens) >= self.max_tokens:
            self.finish = "length"


class SlotCache(Cache):
    """The KV cache of the running rows, [rows, heads, columns, head size] a layer; `end`: the next column of a row.

    It has as many columns as the longest row needs, rounded up: products over a slice of a tensor would copy it.
    """

    def __init__(self, rows: int, device: torch.device) -> None:
        super().__init__(layers=[])
        self.rows = torch.arange(rows, device=device)
        self.start = torch.zeros(rows, dtype=torch.long, device=device)
        self.end = torch.zeros(rows, dtype=torch.long, device=device)
        self._keys: list[torch.Tensor] = []
        self._values: list[torch.Tensor] = []

    def put(self, slots: torch.Tensor, cache: Any, source: torch.Tensor, start: torch.Tensor) -> None:
        """Copy read columns into slots: slot i takes row source[i] of the cache."""
        width = cache.layers[0].keys.shape[2]
        if not self._keys:
            self._keys = [layer.keys.new_zeros(len(self.rows), *layer.keys.shape[1:]) for layer in cache.layers]
            self._values = [layer.values.new_zeros(len(self.rows), *layer.values.shape[1:]) for layer in cache.layers]
        self.reach(width)
        for keys, values, layer in zip(self._keys, self._values, cache.layers, strict=True):
            keys[slots, :, :width] = layer.keys[source]
            values[slots, :, :width] = layer.values[source]
        self.start[slots], self.end[slots] = start[source], width

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write one column a row; return all columns that some row has (the mask hides the others)."""
        keys, values = self._keys[layer_idx], self._values[layer_idx]
        keys[self.rows, :, self.end] = key_states[:, :, 0]
        values[self.rows, :, self.end] = value_states[:, :, 0]
        return keys, values

    @property
    def width(self) -> int:
        """Return the number of columns."""
        return self._keys[0].shape[2]

    def reach(self, columns: int) -> None:
        """Grow the cache to at least so many columns."""
        more = -(-columns // CACHE_GROWTH) * CACHE_GROWTH - self.width
        if more > 0:
            self._keys = [functional.pad(keys, (0, 0, 0, more)) for keys in self._keys]
            self._values = [functional.pad(values, (0, 0, 0, more)) for values in self._values]

    def keep(self, rows: torch.Tensor) -> None:
        """Keep these rows and drop all others."""
        self._keys = [keys[rows] for keys in self._keys]
        self._values = [values[rows] for values in self._values]
        self.start, self.end, self.rows = self.start[rows], self.end[rows], self.rows[: len(rows)]


class RunningBatch:
    """The running rows, their slots and their sampling parameters."""

    def __init__(
        self, reader: PrefixReader, prompts: Sequence[Sequence[int]], rows: int, longest: int, device: Any
    ) -> None:
        self._reader = reader
        self._prompts = prompts
        self.slots = SlotCache(rows, device)
        self.rows: list[Row | None] = [None] * rows
        self._tokens = torch.zeros(rows, dtype=torch.long, device=device)
        self._taken = torch.zeros(rows, dtype=torch.long, device=device)
        self._temperature = torch.zeros(rows, device=device)
        self._top_p = torch.ones(rows, device=device)
        self._uniforms = torch.zeros(rows, longest, device=device)

    @property
    def free(self) -> list[int]:
        """Return the slots without a running row."""
        return [slot for slot, row in enumerate(self.rows) if row is None]

    def admit(self, waiting: deque[Row], eos: frozenset[int]) -> list[Row]:
        """Read the prompts of the next rows into free slots and sample their first tokens; return the rows that end."""
        count = min(len(self.free), len(waiting))
        count = self._reader.count_in_one_pass([self._prompts[waiting[index].prompt] for index in range(count)])
        rows = [waiting.popleft() for _ in range(count)]
        unique = sorted({row.prompt for row in rows})
        logits, cache, start = self._reader.read([self._prompts[prompt] for prompt in unique])
        device = logits.device
        source = torch.tensor([unique.index(row.prompt) for row in rows], device=device)
        slots = torch.tensor(self.free[: len(rows)], device=device)
        self.slots.put(slots, cache, source, start)
        self._taken[slots] = 0
        self._temperature[slots] = torch.tensor([row.temperature for row in rows], device=device)
        self._top_p[slots] = torch.tensor([row.top_p for row in rows], device=device)
        for slot, row in zip(slots.tolist(), rows, strict=True):
            self.rows[slot] = row
            self._uniforms[slot, : len(row.uniforms)] = row.uniforms.to(device)
        return self._sample(slots, logits[source], eos)

    def step(self, eos: frozenset[int]) -> list[Row]:
        """Sample the next token of every row; return the rows that end."""
        slots = self.slots
        slots.reach(int(slots.end.max()) + 1)
        logits = self._reader.step(self._tokens, slots.start, slots.end, slots, slots.width)
        slots.end += 1
        return self._sample(slots.rows, logits, eos)

    def compact(self) -> None:
        """Drop the slots without a running row."""
        alive = [slot for slot, row in enumerate(self.rows) if row is not None]
        keep = torch.tensor(alive, device=self._tokens.device)
        self.slots.keep(keep)
        self.rows = [self.rows[slot] for slot in alive]
        self._tokens, self._taken, self._temperature = self._tokens[keep], self._taken[keep], self._temperature[keep]
        self._top_p, self._uniforms = self._top_p[keep], self._uniforms[keep]

    def _sample(self, slots: torch.Tensor, logits: torch.Tensor, eos: frozenset[int]) -> list[Row]:
        uniform = self._uniforms[slots, self._taken[slots].clamp(max=self._uniforms.shape[1] - 1)]
        tokens = draw(logits, self._temperature[slots], self._top_p[slots], uniform)
        if not bool((numbers := logits.gather(-1, tokens[:, None])[:, 0].isfinite()).all()):
            # A slot without a row attends to nothing, so its logits are arbitrary.
            alive = torch.tensor([self.rows[slot] is not None for slot in slots.tolist()], device=numbers.device)
            if bool((alive & ~numbers).any()):
                raise FloatingPointError
        self._tokens[slots] = tokens
        self._taken[slots] += 1
        ended = []
        for slot, token in zip(slots.tolist(), tokens.tolist(), strict=True):
            row = self.rows[slot]
            if row is None:
                continue
            row.take(token, eos)
            if row.finish:
                ended.append(row)
                self._free(slot)
        return ended

    def _free(self, slot: int) -> None:
        self.rows[slot] = None
        # An empty slot is computed until it is refilled or dropped: from its first column, to keep it short.
        self.slots.end[slot] = 0
        self._taken[slot] = 0


def generate(
    model: Any,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[Row],
    *,
    max_rows: int,
    eos: frozenset[int],
    pad: int,
    ended: Callable[[], None],
) -> None:
    """Fill `tokens` and `finish` of every row, up to `max_rows` of them concurrently; call `ended` for each.

    Raises:
        FloatingPointError: the logits of a next token are not finite.
    """
    waiting = deque(rows)
    longest = max(row.max_tokens for row in rows)
    reader = PrefixReader(model, prompts, pad)
    running = RunningBatch(reader, prompts, min(max_rows, len(rows)), longest, model.device)
    while True:
        free = len(running.free)
        if waiting and free >= min(len(waiting), max(1, int(REFILL_SHARE * max_rows))):
            done = running.admit(waiting, eos)
        elif free == len(running.rows):
            return
        else:
            if not waiting and free > (1 - COMPACT_SHARE) * len(running.rows):
                running.compact()
            done = running.step(eos)
        for _ in done:
            ended()
