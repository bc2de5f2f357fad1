"""Engine for a local checkpoint, with transformers.

`chat_template` turns requests into tokens, `decoding` is the generation loop; this module plans batches, fits them into
memory, and builds the replies.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srlm.checkpoint_files import read_config
from srlm.engines.architectures import context_length, require_architecture, vocabulary_size
from srlm.engines.chat_template import ChatTokenizer, choice_completion, not_finite_error, prompt_key
from srlm.engines.device import identity_of_device, pick_device, pick_dtype, threads_for
from srlm.engines.engine import BatchResult, OnProgress, no_progress
from srlm.engines.fingerprint import fingerprint
from srlm.engines.load import eos_tokens, load_model, load_tokenizer
from srlm.engines.template_parts import Thoughts
from srlm.optional_deps import require
from srlm.prices import FREE, Price
from srlm.types import Completion, Reply, Request

if TYPE_CHECKING:
    import torch

    from srlm.engines.decoding import Row

MAX_BATCH = 512
"""Requests of a batch: they are committed together, and lost together when a run is killed."""

ROUNDS_PER_BATCH = 2
"""With batch_tokens given, a batch has this many times the requests that are decoded concurrently."""

MAX_ROWS = 256
"""Rows that are decoded concurrently: beyond it the time of a step grows in proportion, so nothing is gained."""

GPU_MAX_ROWS = 2048
"""The same on CUDA, where a step of a small model takes the time of starting its kernels, however many its rows are."""

GPU_ROUNDS_PER_BATCH = 4
"""On CUDA a batch has this many times the requests that are decoded concurrently: at its end ever fewer rows run."""


class HFEngine:
    """A local checkpoint. Its weights are loaded at the first call that the ledger does not answer."""

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
            name: display name.
            device: see `srlm.config.TrainConfig`.
            dtype: likewise.
            batch_tokens: tokens of prompt and answer in the cache at once; computed from the memory, if not given.
            thoughts: "closed" keeps a reasoning model from reasoning before its answers.

        Raises:
            MissingDependency: torch or transformers is not installed.
            ModelError: the tokenizer cannot be read, has no usable chat template, or does not belong to the weights;
                or the decode loop does not support the architecture.
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
        rows = vocabulary_size(config)
        context = context_length(config)
        self._chat = ChatTokenizer(self._tokenizer, name=name, context=context, thoughts=thoughts, rows=rows)
        number = str(self._dtype).removeprefix("torch.")
        self.identity = f"{fingerprint(folder)}:{number}{self._chat.identity}{identity_of_device(self._device)}"
        pad = self._tokenizer.pad_token_id or 0
        self._pad = pad if rows is None or pad < rows else 0  # it is masked, whichever it is
        self._batch_tokens = batch_tokens
        self._max_rows = max_rows(self._device)
        self._loaded: Any = None

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Plan batches of requests of one kind, sorted by length, samples of one prompt together."""
        self._chat.read(requests)
        texts = [self._chat.text(request) for request in requests]
        lengths = [self._chat.length(request) for request in requests]
        order = sorted(
            range(len(requests)),
            key=lambda index: (
                bool(requests[index].choices),
                -lengths[index] - requests[index].sampling.max_tokens,
                texts[index],
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

    def run(self, batches: Sequence[Sequence[Request]], on_progress: OnProgress = no_progress) -> Iterator[BatchResult]:
        """Answer batches sequentially."""
        import torch

        for number, batch in enumerate(batches):
            began = time.perf_counter()
            with torch.inference_mode(), threads_for(self._model):
                replies = self._choose(batch, on_progress) if batch[0].choices else self._generate(batch, on_progress)
            yield BatchResult(number, replies, time.perf_counter() - began)

    def close(self) -> None:
        """Free the weights."""
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
            self._eos = self._chat.with_end_of_turn(
                eos_tokens(self._loaded.generation_config.eos_token_id, self._tokenizer)
            )
            pack(self._loaded, MAX_ROWS)
        return self._loaded

    def _generate(self, batch: Sequence[Request], on_progress: OnProgress) -> list[Reply]:
        import torch

        from srlm.engines.decoding import Row, generate

        prompts: list[list[int]] = []
        seen: dict[tuple[int, ...], int] = {}
        tokens_of = {key: self._chat.tokens(one) for key, one in {prompt_key(one): one for one in batch}.items()}
        rows: list[Row] = []
        for request in batch:
            ids = tokens_of[prompt_key(request)]
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

        def attempt(max_rows: int) -> None:
            left = [row for row in rows if not row.finish]
            for row in left:
                row.tokens.clear()
            try:
                generate(model, prompts, left, max_rows=max_rows, eos=self._eos, pad=self._pad, ended=on_progress)
            except FloatingPointError:
                raise not_finite_error(self.name) from None

        self._within_memory(attempt, min(self._capacity // width, len(rows)))
        return [self._completion(*pair, prompts) for pair in zip(batch, rows, strict=True)]

    def _choose(self, batch: Sequence[Request], on_progress: OnProgress) -> list[Reply]:
        """Compute the probabilities of each request's choices from one forward pass."""
        from srlm.engines.shared_prefix import MAX_READ_TOKENS, PrefixReader

        choices = [self._chat.choice(request) for request in batch]
        contexts = [choice.context for choice in choices]
        model = self._model
        found: list[tuple[list[float], float]] = []

        def attempt(max_rows: int) -> None:
            reader = PrefixReader(model, contexts, self._pad)
            while len(found) < len(choices):
                part = choices[len(found) : len(found) + max_rows]
                logits, _, _ = reader.read([choice.context for choice in part])
                for row in _logits_of(logits.float(), [choice.firsts for choice in part]):
                    found.append(row)
                    on_progress()

        self._within_memory(attempt, min(MAX_READ_TOKENS // max(map(len, contexts)), len(choices)))
        return [
            choice_completion(request, choice, *numbers, self.name)
            for request, choice, numbers in zip(batch, choices, found, strict=True)
        ]

    def _batch_of(self, width: int) -> int:
        """Return the number of requests in a batch where each may take `width` tokens."""
        if self._device.startswith("cuda"):
            return GPU_ROUNDS_PER_BATCH * max(1, min(GPU_MAX_ROWS, self._capacity // width))
        if self._batch_tokens is None:
            return MAX_BATCH
        return min(MAX_BATCH, max(1, ROUNDS_PER_BATCH * self._batch_tokens // width))

    @cached_property
    def _capacity(self) -> int:
        """Tokens of prompt and answer in the cache at once."""
        import torch

        from srlm.engines.batch_size import checkpoint_capacity

        return self._batch_tokens or checkpoint_capacity(self._folder, self._dtype, torch.device(self._device))

    def _within_memory(self, attempt: Callable[[int], None], fits: int) -> None:
        """Attempt with as many rows as should fit; where they did not, lower the limit of later attempts."""
        from srlm.engines.batch_size import retry_with_smaller_batch

        tried = max(1, min(self._max_rows, fits))
        fitted = retry_with_smaller_batch(attempt, tried, self.name)
        if fitted < tried:
            self._max_rows = fitted

    def _completion(self, request: Request, row: "Row", prompts: list[list[int]]) -> Completion:
        read = len(prompts[row.prompt])
        return self._chat.completion(request, row.tokens, read, ended=row.finish == "stop")

    def _stop_rule(self, request: Request) -> Callable[[list[int]], bool]:
        stops = request.sampling.stop
        if not stops:
            return lambda tokens: False
        # A token has at least one byte, and a stop string can begin in the middle of a token.
        reach = max(len(stop.encode()) for stop in stops) + 4
        decode = self._chat.decode

        def stopped(tokens: list[int]) -> bool:
            end = decode(tokens[-reach:])
            return any(stop in end for stop in stops) and self._chat.has_stop(request, tokens)

        return stopped


def max_rows(device: str) -> int:
    """Return how many rows are decoded concurrently on a device, if they fit into its memory."""
    return GPU_MAX_ROWS if device.startswith("cuda") else MAX_ROWS


def _logits_of(logits: "torch.Tensor", tokens: Sequence[list[int]]) -> list[tuple[list[float], float]]:
    """Return the logits of some tokens of each row [B, V], and the logarithm of the sum of all exponentials."""
    import torch

    longest = max(map(len, tokens))
    index = torch.tensor([some + some[:1] * (longest - len(some)) for some in tokens], device=logits.device)
    # On a processor row by row: of several at once, the last bits would depend on their number and on the threads.
    alone = list(logits) if logits.device.type == "cpu" else [logits]
    whole = torch.stack([part.logsumexp(-1) for part in alone]).flatten()
    read = torch.cat([logits.gather(-1, index), whole[:, None]], dim=-1).tolist()
    return [(row[: len(some)], row[-1]) for row, some in zip(read, tokens, strict=True)]
