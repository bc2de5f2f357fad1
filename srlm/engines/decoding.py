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
from srlm.engines.top_p import NOT_FINITE, draw

REFILL_SHARE = 0.125
"""Freed slots are refilled when they are this share of all: reading prompts together is cheaper than one by one."""

COMPACT_SHARE = 0.8
"""Without waiting prompts, ended rows are dropped once fewer than this share is running: a drop copies the cache."""

CACHE_GROWTH = 32
"""Columns by which the cache, or the part of it in use, grows."""


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

    It has as many columns as the longest row needs, rounded up. On a processor it grows: products over a slice of a
    tensor would copy it. On a GPU they do not, and each growth would copy the cache into new blocks of memory: there it
    is allocated once, with the columns that the batch can need, and only those in use are attended to.
    """

    def __init__(self, rows: int, columns: int, device: torch.device) -> None:
        """Make an empty cache.

        Args:
            rows: slots.
            columns: the most that a row can need.
            device: of the model.
        """
        super().__init__(layers=[])
        self.rows = torch.arange(rows, device=device)
        self.start = torch.zeros(rows, dtype=torch.long, device=device)
        self.end = torch.zeros(rows, dtype=torch.long, device=device)
        self.width = 0
        self._ends = [0] * rows  # `end`, for which the program does not wait
        self._allocated = _rounded(columns) if device.type == "cuda" else 0
        self._whole: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._used: list[tuple[torch.Tensor, torch.Tensor]] = []

    def put(
        self, slots: torch.Tensor, places: list[int], cache: Any, source: torch.Tensor, start: torch.Tensor
    ) -> None:
        """Copy read columns into slots: slot i takes row source[i] of the cache. `places`: the slots, in Python."""
        width = cache.layers[0].keys.shape[2]
        if not self._whole:
            columns = max(self._allocated, _rounded(width))
            self._whole = [(self._empty(one.keys, columns), self._empty(one.values, columns)) for one in cache.layers]
        self._reach(width)
        for (keys, values), layer in zip(self._used, cache.layers, strict=True):
            keys[slots, :, :width] = layer.keys[source]
            values[slots, :, :width] = layer.values[source]
        self.start[slots], self.end[slots] = start[source], width
        for place in places:
            self._ends[place] = width

    def _empty(self, like: torch.Tensor, columns: int) -> torch.Tensor:
        return like.new_zeros(len(self.rows), like.shape[1], columns, like.shape[3])

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write one column a row; return all columns that some row has (the mask hides the others)."""
        keys, values = self._used[layer_idx]
        # Under autocast the new ones may have another precision than those that the cache was made from.
        keys[self.rows, :, self.end] = key_states[:, :, 0].to(keys.dtype)
        values[self.rows, :, self.end] = value_states[:, :, 0].to(values.dtype)
        return keys, values

    def prepare(self) -> None:
        """Have room for one more column of every row."""
        self._reach(max(self._ends) + 1)

    def advance(self) -> None:
        """Count the column that every row has written."""
        self.end += 1
        self._ends = [end + 1 for end in self._ends]

    def clear(self, slot: int) -> None:
        """Let an empty slot begin at its first column: it is computed until it is refilled, and is to be short."""
        self.end[slot] = self._ends[slot] = 0

    def _reach(self, columns: int) -> None:
        """Use at least so many columns."""
        if (wanted := _rounded(columns)) <= self.width:
            return
        self.width = wanted
        self._used = []
        for index, (keys, values) in enumerate(self._whole):
            if (more := wanted - keys.shape[2]) > 0:
                grown = functional.pad(keys, (0, 0, 0, more)), functional.pad(values, (0, 0, 0, more))
                self._whole[index] = grown
        self._select()

    def keep(self, rows: torch.Tensor, places: list[int]) -> None:
        """Keep these rows and drop all others. `places`: the rows, in Python."""
        self._used = []
        for index, (keys, values) in enumerate(self._whole):  # layer by layer: two caches may not fit
            self._whole[index] = keys[rows], values[rows]
        self._select()
        self.start, self.end, self.rows = self.start[rows], self.end[rows], self.rows[: len(rows)]
        self._ends = [self._ends[place] for place in places]

    def _select(self) -> None:
        self._used = [(keys[:, :, : self.width], values[:, :, : self.width]) for keys, values in self._whole]


def _rounded(columns: int) -> int:
    return -(-columns // CACHE_GROWTH) * CACHE_GROWTH


class RunningBatch:
    """The running rows, their slots and their sampling parameters."""

    def __init__(self, reader: PrefixReader, prompts: Sequence[Sequence[int]], rows: Sequence[Row], slots: int) -> None:
        """Make a batch without a running row.

        Args:
            reader: of the prompts.
            prompts: of all rows.
            rows: all that will be admitted.
            slots: rows that run concurrently.
        """
        self._reader = reader
        self._prompts = prompts
        device = reader.device
        longest = max(row.max_tokens for row in rows)
        self.slots = SlotCache(slots, max(map(len, prompts)) - reader.shared + longest, device)
        self.rows: list[Row | None] = [None] * slots
        sampled = [row.temperature > 0 for row in rows]
        self._kinds = {"sampled": any(sampled), "greedy": not all(sampled)}
        self._tokens = torch.zeros(slots, dtype=torch.long, device=device)
        self._taken = torch.zeros(slots, dtype=torch.long, device=device)
        self._temperature = torch.zeros(slots, device=device)
        self._top_p = torch.ones(slots, device=device)
        self._uniforms = torch.zeros(slots, longest, device=device)

    @property
    def free(self) -> list[int]:
        """Return the slots without a running row."""
        return [slot for slot, row in enumerate(self.rows) if row is None]

    def admit(self, waiting: deque[Row], eos: frozenset[int]) -> list[Row]:
        """Read the prompts of the next rows into free slots and sample their first tokens; return the rows that end."""
        free = self.free
        count = min(len(free), len(waiting))
        count = self._reader.count_in_one_pass([self._prompts[waiting[index].prompt] for index in range(count)])
        rows = [waiting.popleft() for _ in range(count)]
        places = free[:count]
        unique = sorted({row.prompt for row in rows})
        source_of = {prompt: index for index, prompt in enumerate(unique)}
        # One upload, for the program waits at each. Whole numbers of this size are exact in float32.
        numbers = torch.zeros(count, 4 + self._uniforms.shape[1])
        numbers[:, :4] = torch.tensor(
            [[slot, source_of[row.prompt], row.temperature, row.top_p] for slot, row in zip(places, rows, strict=True)]
        )
        for index, row in enumerate(rows):
            numbers[index, 4 : 4 + len(row.uniforms)] = row.uniforms
        numbers = numbers.to(self._tokens.device)
        slots, source = numbers[:, 0].long(), numbers[:, 1].long()
        logits, cache, start = self._reader.read([self._prompts[prompt] for prompt in unique])
        self.slots.put(slots, places, cache, source, start)
        self._taken[slots] = 0
        self._temperature[slots], self._top_p[slots] = numbers[:, 2], numbers[:, 3]
        self._uniforms[slots] = numbers[:, 4:]
        for slot, row in zip(places, rows, strict=True):
            self.rows[slot] = row
        return self._sample(slots, places, logits[source], eos)

    def step(self, eos: frozenset[int]) -> list[Row]:
        """Sample the next token of every row; return the rows that end."""
        slots = self.slots
        slots.prepare()
        logits = self._reader.step(self._tokens, slots.start, slots.end, slots, slots.width)
        slots.advance()
        return self._sample(slice(None), list(range(len(self.rows))), logits, eos)

    def compact(self) -> None:
        """Drop the slots without a running row."""
        alive = [slot for slot, row in enumerate(self.rows) if row is not None]
        keep = torch.tensor(alive, device=self._tokens.device)
        self.slots.keep(keep, alive)
        self.rows = [self.rows[slot] for slot in alive]
        self._tokens, self._taken, self._temperature = self._tokens[keep], self._taken[keep], self._temperature[keep]
        self._top_p, self._uniforms = self._top_p[keep], self._uniforms[keep]

    def _sample(
        self, slots: torch.Tensor | slice, places: list[int], logits: torch.Tensor, eos: frozenset[int]
    ) -> list[Row]:
        """Sample a token for each of these slots, which are also given in Python; return the rows that end."""
        at = self._taken[slots].clamp(max=self._uniforms.shape[1] - 1)
        uniform = self._uniforms[slots].gather(1, at[:, None])[:, 0]
        tokens, numbers = draw(logits, self._temperature[slots], self._top_p[slots], uniform, **self._kinds)
        self._tokens[slots] = tokens
        self._taken[slots] += 1
        ended = []
        for slot, token in zip(places, numbers, strict=True):
            row = self.rows[slot]
            if row is None:  # such a slot attends to nothing, so its logits are arbitrary
                continue
            if token == NOT_FINITE:
                raise FloatingPointError
            row.take(token, eos)
            if row.finish:
                ended.append(row)
                self._free(slot)
        return ended

    def _free(self, slot: int) -> None:
        self.rows[slot] = None
        self.slots.clear(slot)
        self._taken[slot] = 0
        self._temperature[slot] = 0  # no search of a wide nucleus for nothing


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
    running = RunningBatch(PrefixReader(model, prompts, pad), prompts, rows, min(max_rows, len(rows)))
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
