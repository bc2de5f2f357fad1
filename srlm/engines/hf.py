"""Text and probabilities out of a local checkpoint, with transformers.

`chat.py` turns requests into tokens, `decoding.py` is the loop that makes text of them; this file plans batches, fits
them into the memory, and turns what came out into replies.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srlm.checkpoint_files import read_config
from srlm.engines.architectures import context_of, require_architecture, rows_of
from srlm.engines.chat_template import Chat, Thoughts, chosen, not_finite
from srlm.engines.engine import Done, Tick, no_tick
from srlm.engines.load import (
    eos_tokens,
    fingerprint,
    load_model,
    load_tokenizer,
    pick_device,
    pick_dtype,
)
from srlm.optional_deps import require
from srlm.prices import FREE, Price
from srlm.types import Completion, Reply, Request

if TYPE_CHECKING:
    from srlm.engines.decoding import Row

BATCH = 512
"""Requests of a batch at the most: what is committed together, and lost together when a run is killed."""

REFILLS = 2
"""With batch_tokens given, a batch is so many times what is held at once."""

AT_ONCE = 256
"""Rows in flight at the most: above it a step's time grows with the rows, so nothing is won."""


class HFEngine:
    """A checkpoint. Its weights are read at the first call that the ledger does not answer."""

    price: Price | None = FREE

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        device: str = "auto",
        dtype: str = "auto",
        batch_tokens: int | None = None,
        thoughts: Thoughts = "open",
    ) -> None:
        """Read the tokenizer and fingerprint the checkpoint.

        Args:
            folder: the checkpoint.
            name: how tables call it.
            device: see `srlm.config.TrainConfig`.
            dtype: likewise.
            batch_tokens: tokens of prompt and answer that are held at once; found from the memory, if not given.
            thoughts: "closed" keeps a reasoning model from thinking before its answers.

        Raises:
            MissingDependency: torch or transformers is not installed.
            ModelError: the tokenizer cannot be read, has no chat template that serves, or does not belong to the
                weights; or the architecture is none that the decode loop knows.
        """
        require("torch", "A local model", "local")
        require("transformers", "A local model", "local")
        self.name = name
        self._folder = folder
        config = read_config(folder)
        require_architecture(config, folder)
        self._tokenizer = load_tokenizer(folder)
        self._device = pick_device(device)
        self._dtype = pick_dtype(dtype, self._device)
        rows = rows_of(config)
        self._chat = Chat(self._tokenizer, name=name, context=context_of(config), thoughts=thoughts, rows=rows)
        number = str(self._dtype).removeprefix("torch.")
        self.identity = f"{fingerprint(folder)}:{number}{self._chat.identity}"
        pad = self._tokenizer.pad_token_id or 0
        self._pad = pad if rows is None or pad < rows else 0  # it is masked, whichever it is
        self._batch_tokens = batch_tokens
        self._at_once = AT_ONCE
        self._loaded: Any = None

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Batches of like requests, sorted by length, samples of one prompt together."""
        lengths = [len(self._chat.tokens(request)) for request in requests]
        order = sorted(
            range(len(requests)),
            key=lambda index: (
                bool(requests[index].choices),
                -lengths[index] - requests[index].sampling.max_tokens,
                self._chat.text(requests[index]),
                requests[index].sample,
                index,
            ),
        )
        batches: list[list[int]] = []
        widest = 0
        for index in order:
            width = lengths[index] + requests[index].sampling.max_tokens
            like = bool(batches) and bool(requests[batches[-1][0]].choices) == bool(requests[index].choices)
            if like and len(batches[-1]) < self._batch_of(max(widest, width)):
                batches[-1].append(index)
            else:
                batches.append([index])
                widest = 0
            widest = max(widest, width)
        return batches

    def run(self, batches: Sequence[Sequence[Request]], tick: Tick = no_tick) -> Iterator[Done]:
        """Answer batches one after the other."""
        import torch

        for number, batch in enumerate(batches):
            began = time.perf_counter()
            with torch.inference_mode():
                replies = self._choose(batch, tick) if batch[0].choices else self._generate(batch, tick)
            yield Done(number, replies, time.perf_counter() - began)

    def close(self) -> None:
        """Let go of the weights."""
        import torch

        self._loaded = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @property
    def _model(self) -> Any:
        if self._loaded is None:
            from srlm.engines.prepacked_linear import pack
            from srlm.engines.shared_prefix import attention_for

            config = read_config(self._folder)
            self._loaded = load_model(self._folder, self._dtype, self._device, attention_for(config))
            self._eos = eos_tokens(self._loaded, self._tokenizer)
            pack(self._loaded, AT_ONCE)
        return self._loaded

    def _generate(self, batch: Sequence[Request], tick: Tick) -> list[Reply]:
        import torch

        from srlm.engines.batch_size import room_for_tokens
        from srlm.engines.decoding import Row, generate

        prompts: list[list[int]] = []
        seen: dict[tuple[int, ...], int] = {}
        rows: list[Row] = []
        for request in batch:
            ids = self._chat.tokens(request)
            if tuple(ids) not in seen:
                seen[tuple(ids)] = len(prompts)
                prompts.append(ids)
            most = min(request.sampling.max_tokens, self._chat.context - len(ids))
            rows.append(
                Row(
                    prompt=seen[tuple(ids)],
                    temperature=request.sampling.temperature,
                    top_p=request.sampling.top_p,
                    max_tokens=most,
                    uniforms=torch.rand(most, generator=torch.Generator().manual_seed(request.seed)),
                    stopped=self._stop_rule(request),
                )
            )
        model = self._model
        width = max(len(prompts[row.prompt]) + row.max_tokens for row in rows)
        tokens = self._batch_tokens or room_for_tokens(model)

        def attempt(at_once: int) -> None:
            left = [row for row in rows if not row.finish]
            for row in left:
                row.tokens.clear()
            try:
                generate(model, prompts, left, at_once=at_once, eos=self._eos, pad=self._pad, ended=tick)
            except FloatingPointError:
                raise not_finite(self.name) from None

        self._within_memory(attempt, min(tokens // width, len(rows)))
        return [self._completion(*pair, prompts) for pair in zip(batch, rows, strict=True)]

    def _choose(self, batch: Sequence[Request], tick: Tick) -> list[Reply]:
        """Probabilities of each request's choices as the next words, from one forward pass."""
        from srlm.engines.shared_prefix import READ, Reader

        choices = [self._chat.choice(request) for request in batch]
        contexts = [choice.context for choice in choices]
        model = self._model
        found: list[tuple[list[float], float]] = []

        def attempt(at_once: int) -> None:
            reader = Reader(model, contexts, self._pad)
            while len(found) < len(choices):
                part = choices[len(found) : len(found) + at_once]
                logits, _, _ = reader.read([choice.context for choice in part])
                for row, choice in zip(logits.float(), part, strict=True):
                    found.append((row[choice.firsts].tolist(), float(row.logsumexp(-1))))
                    tick()

        self._within_memory(attempt, min(READ // max(map(len, contexts)), len(choices)))
        return [
            chosen(request, choice, *numbers, self.name)
            for request, choice, numbers in zip(batch, choices, found, strict=True)
        ]

    def _batch_of(self, width: int) -> int:
        """Requests of a batch, where each may take `width` tokens: `REFILLS` times what is held at once."""
        return BATCH if self._batch_tokens is None else min(BATCH, max(1, REFILLS * self._batch_tokens // width))

    def _within_memory(self, attempt: Callable[[int], None], fits: int) -> None:
        """Attempt with as many rows as should fit, and remember how many did where that was too much."""
        from srlm.engines.batch_size import halving

        tried = max(1, min(self._at_once, fits))
        fitted = halving(attempt, tried, self.name)
        if fitted < tried:
            self._at_once = fitted

    def _completion(self, request: Request, row: "Row", prompts: list[list[int]]) -> Completion:
        read = len(prompts[row.prompt])
        return self._chat.completion(request, row.tokens, read, ended=row.finish == "stop")

    def _stop_rule(self, request: Request) -> Callable[[list[int]], bool]:
        stops = request.sampling.stop
        if not stops:
            return lambda tokens: False
        # A token is a byte at the least, and a stop string can begin in the middle of one.
        reach = max(len(stop.encode()) for stop in stops) + 4
        decode = self._chat.decode

        def stopped(tokens: list[int]) -> bool:
            end = decode(tokens[-reach:])
            return any(stop in end for stop in stops) and self._chat.stops(request, tokens)

        return stopped
