"""Text and probabilities out of a local checkpoint, with transformers.

The loop itself is `decoding.py`. This file loads a checkpoint, turns requests into tokens through the chat template,
and plans batches. Special tokens inside a message are broken up before the template sees them: a candidate that
contains "<|im_start|>" must not open a turn.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srlm.engines import decoding
from srlm.engines.engine import Done, Tick, no_tick
from srlm.errors import EngineError, ModelError
from srlm.optional import require
from srlm.prices import FREE, Price
from srlm.types import Completion, Reply, Request

if TYPE_CHECKING:
    import torch

MAX_ROWS = 128
"""Rows of a batch at the most: above it a step's time grows with the rows, so nothing is won."""

FORWARD_WEIGHT = 8
"""A position that is computed in one forward pass holds so much more memory than one that is only cached."""


class HFEngine:
    """A checkpoint. Its weights are read at the first call that the ledger does not answer."""

    price: Price | None = FREE

    def __init__(
        self, folder: Path, *, name: str, device: str = "auto", dtype: str = "auto", batch_tokens: int = 16384
    ) -> None:
        """Read the tokenizer and fingerprint the checkpoint.

        Raises:
            MissingDependency: torch or transformers is not installed.
            ModelError: the tokenizer cannot be read, or has no chat template.
        """
        require("torch", "A local model", "local")
        require("transformers", "A local model", "local")
        self.name = name
        self._folder = folder
        self._tokenizer = load_tokenizer(folder)
        self._device = pick_device(device)
        self._dtype = pick_dtype(dtype, self._device)
        self.identity = f"{fingerprint(folder)}:{str(self._dtype).removeprefix('torch.')}"
        self._batch_tokens = batch_tokens
        self._context = int(read_config(folder).get("max_position_embeddings", 1 << 30))
        self._loaded: Any = None
        self._special = sorted(set(self._tokenizer.all_special_tokens), key=len, reverse=True)

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Batches of like requests, sorted by length, samples of one prompt together, within the token budget."""
        lengths = [len(self._tokens(request)) for request in requests]
        order = sorted(
            range(len(requests)),
            key=lambda index: (
                bool(requests[index].choices),
                -lengths[index] - requests[index].sampling.max_tokens,
                self._text(requests[index]),
                requests[index].sample,
                index,
            ),
        )
        batches: list[list[int]] = []
        batch: list[int] = []
        widest = 0
        for index in order:
            request = requests[index]
            width = lengths[index] * FORWARD_WEIGHT if request.choices else lengths[index] + request.sampling.max_tokens
            mixed = bool(batch) and bool(requests[batch[0]].choices) != bool(request.choices)
            full = len(batch) >= MAX_ROWS or (len(batch) + 1) * max(widest, width) > self._batch_tokens
            if batch and (mixed or full):
                batches.append(batch)
                batch, widest = [], 0
            batch.append(index)
            widest = max(widest, width)
        return [*batches, batch] if batch else batches

    def run(self, batches: Sequence[Sequence[Request]], tick: Tick = no_tick) -> Iterator[Done]:
        """Answer batches one after the other."""
        import torch

        for number, batch in enumerate(batches):
            began = time.perf_counter()
            with torch.inference_mode():
                replies = self._choose(batch, tick) if batch[0].choices else self._generate(batch, tick)
            yield Done(number, replies, time.perf_counter() - began)

    @property
    def _model(self) -> Any:
        if self._loaded is None:
            self._loaded = load_model(self._folder, self._dtype, self._device)
            self._eos = _eos_tokens(self._loaded, self._tokenizer)
        return self._loaded

    def close(self) -> None:
        """Let go of the weights."""
        import torch

        self._loaded = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _text(self, request: Request) -> str:
        messages = [{"role": message.role, "content": self._defuse(message.content)} for message in request.messages]
        text: str = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return text + self._defuse(request.prefill)

    def _tokens(self, request: Request) -> list[int]:
        ids: list[int] = self._tokenizer.encode(self._text(request), add_special_tokens=False)
        if len(ids) + 1 > self._context:
            raise EngineError(
                f"A prompt of {len(ids)} tokens does not fit into the {self._context} that {self.name} can read. "
                "Shorten the instructions, or set a smaller max_tokens for answers."
            )
        return ids

    def _defuse(self, text: str) -> str:
        """Break up special tokens in text that is data: "<|im_end|>" becomes "< |im_end|>"."""
        for token in self._special:
            if token in text:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _generate(self, batch: Sequence[Request], tick: Tick) -> list[Reply]:
        import torch

        prompts: list[list[int]] = []
        seen: dict[tuple[int, ...], int] = {}
        rows: list[decoding.Row] = []
        for request in batch:
            ids = self._tokens(request)
            if tuple(ids) not in seen:
                seen[tuple(ids)] = len(prompts)
                prompts.append(ids)
            room = min(request.sampling.max_tokens, self._context - len(ids))
            generator = torch.Generator().manual_seed(request.seed)
            rows.append(
                decoding.Row(
                    prompt=seen[tuple(ids)],
                    temperature=request.sampling.temperature,
                    top_p=request.sampling.top_p,
                    max_tokens=room,
                    uniforms=torch.rand(room, generator=generator),
                    stopped=self._stop_rule(request.sampling.stop),
                )
            )
        model = self._model
        decoding.generate(model, prompts, rows, eos=self._eos, pad=self._tokenizer.pad_token_id or 0, ended=tick)
        return [
            self._completion(request, row, len(prompts[row.prompt])) for request, row in zip(batch, rows, strict=True)
        ]

    def _completion(self, request: Request, row: decoding.Row, prompt_tokens: int) -> Completion:
        text: str = self._tokenizer.decode(row.tokens, skip_special_tokens=True)
        cuts = [text.find(stop) for stop in request.sampling.stop if stop in text]
        return Completion(
            text=text[: min(cuts)] if cuts else text,
            finish="stop" if row.finish == "stop" else "length",
            prompt_tokens=prompt_tokens,
            completion_tokens=len(row.tokens),
        )

    def _stop_rule(self, stops: tuple[str, ...]) -> Any:
        if not stops:
            return lambda tokens: False
        # A stop string can begin in the middle of a token: twice its length in tokens is always enough to see it.
        reach = 2 * max(len(stop) for stop in stops) + 2
        return lambda tokens: any(stop in self._tokenizer.decode(tokens[-reach:]) for stop in stops)

    def _choose(self, batch: Sequence[Request], tick: Tick) -> list[Reply]:
        """Probabilities of each request's choices as the next words, from one forward pass.

        The choices are tokenised together with what stands before them: in some vocabularies " 4" is one token and in
        others two. What the choices have in common is read as prompt; their first differing tokens are compared.
        """
        contexts: list[list[int]] = []
        options: list[list[int]] = []
        for request in batch:
            text = self._text(request)
            encoded = [self._tokenizer.encode(text + choice, add_special_tokens=False) for choice in request.choices]
            shared = decoding.common_prefix(encoded)
            firsts = [ids[shared] for ids in encoded]
            if len(set(firsts)) != len(firsts):
                raise EngineError(f"{self.name} cannot tell the choices {request.choices} apart by their first token.")
            contexts.append(encoded[0][:shared])
            options.append(firsts)
        logits, _, _ = decoding.prefill(self._model, contexts, self._tokenizer.pad_token_id or 0)
        replies: list[Reply] = []
        for row, (request, tokens) in enumerate(zip(batch, options, strict=True)):
            probabilities = logits[row, tokens].softmax(-1).tolist()
            best = max(range(len(tokens)), key=probabilities.__getitem__)
            replies.append(Completion(request.choices[best], "stop", len(contexts[row]), 1, tuple(probabilities)))
            tick()
        return replies


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a checkpoint, which must have a chat template.

    Raises:
        ModelError: it cannot be read, or has no chat template.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"The tokenizer in {folder} cannot be read ({type(error).__name__}).") from None
    if not tokenizer.chat_template:
        raise ModelError(
            f"The checkpoint {folder} has no chat template, so srlm cannot know how its turns are written. "
            "Use the instruction-tuned version of the model, or add a chat_template.jinja to the folder."
        )
    return tokenizer


def load_model(folder: Path, dtype: "torch.dtype", device: str) -> Any:
    """The weights of a checkpoint, safetensors only.

    Raises:
        ModelError: the folder holds no causal language model that transformers knows.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, trust_remote_code=False, attn_implementation="sdpa"
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The checkpoint {folder} cannot be loaded ({type(error).__name__}). It must be a causal language model "
            "with weights in safetensors."
        ) from None
    return model.to(device).eval()


def pick_device(device: str) -> str:
    """Choose the device: "auto" is CUDA, then MPS, then the processor."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device.split(":", maxsplit=1)[0], True):
        raise EngineError(f"The device {device} is not there: torch does not find it. Use device=auto or device=cpu.")
    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def pick_dtype(dtype: str, device: str) -> "torch.dtype":
    """Choose the number format: "auto" is bfloat16 where the device computes in it, else float32."""
    import torch

    if dtype != "auto":
        chosen: torch.dtype = getattr(torch, dtype)
        return chosen
    fast = (
        torch.cuda.is_bf16_supported()
        if device.startswith("cuda")
        else device == "cpu" and torch.cpu._is_avx512_bf16_supported()
    )
    return torch.bfloat16 if fast else torch.float32


def fingerprint(folder: Path) -> str:
    """SHA-256 over what determines a checkpoint's answers: weights, configuration, tokenizer, template."""
    digest = hashlib.sha256()
    patterns = (
        "*.safetensors",
        "config.json",
        "generation_config.json",
        "tokenizer*.json",
        "*.jinja",
        "*.model",
        "vocab*",
    )
    for file in sorted({file for pattern in patterns for file in folder.glob(pattern)}):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


def _eos_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    declared = model.generation_config.eos_token_id
    listed = declared if isinstance(declared, list) else [declared]
    return frozenset(int(token) for token in [*listed, tokenizer.eos_token_id] if token is not None)


def read_config(folder: Path) -> dict[str, Any]:
    """A checkpoint's config.json."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config
