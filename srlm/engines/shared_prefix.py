"""Shared-prefix (cascade) attention: the common prefix of all prompts is computed once and attended to by all rows.

A common prefix (a system message, a rubric, few-shot examples) is computed for one row and stored once. Its keys meet
the queries of all rows in one product, and its memory is not multiplied by the rows. For a single query, the keys and
values of grouped heads are not repeated either, which would be most of a decode step on a CPU.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AttentionInterface, DynamicCache
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from srlm.engines.architectures import require_layers, text_config
from srlm.engines.chat_template import common_prefix
from srlm.errors import ModelError

ATTENTION = "srlm"
"""Name of `attend` in transformers' registry of attention implementations."""

MAX_READ_TOKENS = 16384
"""Tokens of one prefill pass: more tokens need more memory, and not less time each."""

NEVER = 1 << 30
"""A position that no query sees; a window that contains all positions."""


def attention_for(config: dict[str, Any]) -> str:
    """Return the attention implementation for a config.json: ours, or "eager" for variants that ours does not compute.

    Raises:
        ModelError: the model has layers whose state is more than keys and values.
    """
    require_layers(config)
    config = text_config(config)
    capped = config.get("attn_logit_softcapping") is not None or config.get("model_type") == "gpt_oss"
    return "eager" if capped else ATTENTION


class PrefixReader:
    """A model with the cached common prefix of some prompts, which continues any of them."""

    def __init__(self, model: Any, prompts: Sequence[Sequence[int]], pad: int) -> None:
        self._model = model
        self._pad = pad
        self.device: torch.device = model.device
        config = model.config.get_text_config()
        window = getattr(config, "sliding_window", None)
        self._window = int(window) if window and getattr(config, "use_sliding_window", True) else NEVER
        self._layered = bool(getattr(config, "layer_types", None))
        self._prefix: list[Any] = []
        # No other attention implementation supports a shared prefix.
        self.shared = common_prefix(prompts) if config._attn_implementation == ATTENTION else 0
        if self.shared:
            cache = DynamicCache()
            sharing: set[int] = set()
            ids = torch.tensor([list(prompts[0][: self.shared])], device=self.device)
            start = torch.zeros(1, dtype=torch.long, device=self.device)
            self._forward(ids, start, 0, cache, proof=(cache, sharing))
            if len(sharing) == config.num_hidden_layers:
                self._prefix = cache.layers
            else:  # some layers attend to tensors outside of the cache, or do not pass the prefix on
                self.shared = 0

    def read(self, prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, Any, torch.Tensor]:
        """Read what follows the prefix in each prompt, padded on the left to L columns.

        Returns:
            Logits of the next tokens [B, V]; a cache with the keys and values of the L columns; the first column of
            each row that is not padding [B].
        """
        rests = [list(prompt[self.shared :]) for prompt in prompts]
        width = max(len(rest) for rest in rests)
        padding = [width - len(rest) for rest in rests]
        # One upload, for the program waits at each.
        rows = torch.tensor([[count] + [self._pad] * count + rest for count, rest in zip(padding, rests, strict=True)])
        rows = rows.to(self.device)
        start, ids = rows[:, 0], rows[:, 1:]
        cache = DynamicCache()
        return self._forward(ids, start, 0, cache), cache, start

    def count_in_one_pass(self, prompts: Sequence[Sequence[int]]) -> int:
        """Return how many of these prompts, at least one, are read in one pass."""
        widest = max(len(prompt) for prompt in prompts) - self.shared
        return max(1, min(len(prompts), MAX_READ_TOKENS // widest))

    def step(
        self, tokens: torch.Tensor, start: torch.Tensor, end: torch.Tensor, cache: Any, width: int
    ) -> torch.Tensor:
        """Read one more token [B] a row at column `end` [B] of a cache of `width` columns; return logits [B, V]."""
        return self._forward(tokens[:, None], start, end[:, None], cache, width)

    def _forward(
        self,
        ids: torch.Tensor,
        start: torch.Tensor,
        first: torch.Tensor | int,
        cache: Any,
        width: int | None = None,
        **others: Any,
    ) -> torch.Tensor:
        """Read tokens [B, Q] at the columns first ... first + Q - 1 of `width`; return the last logits [B, V]."""
        shared = self.shared if self._prefix else 0
        columns = first + torch.arange(ids.shape[1], device=self.device)[None]
        positions = (shared + columns - start[:, None]).clamp(min=0)
        full = self._mask(positions, start, shared, width or ids.shape[1], NEVER)
        mask: Any = full
        if self._window < NEVER:
            sliding = self._mask(positions, start, shared, width or ids.shape[1], self._window)
            mask = {"full_attention": full, "sliding_attention": sliding} if self._layered else sliding
        output = self._model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            **({"prefix": self._prefix} if shared else {}),
            **others,
        )
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def _mask(self, positions: torch.Tensor, start: torch.Tensor, shared: int, width: int, window: int) -> torch.Tensor:
        """Return the additive mask over prefix and columns: 0 or the lowest number, [B, 1, Q, P + width]."""
        columns = torch.arange(width, device=start.device)[None]
        own = torch.where(columns < start[:, None], NEVER, shared + columns - start[:, None])
        before = torch.arange(shared, device=start.device).expand(len(start), -1)
        keys = torch.cat([before, own], dim=1)[:, None, None, :]
        queries = positions[:, None, :, None]
        seen = (keys <= queries) & (queries - keys < window)
        hidden = torch.finfo(self._model.dtype).min
        return torch.zeros(seen.shape, dtype=self._model.dtype, device=start.device).masked_fill_(~seen, hidden)


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    prefix: list[Any] | None = None,
    proof: tuple[Any, set[int]] | None = None,
    scaling: float | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Compute attention [B, H, Q, D] over a shared prefix and the rows' own columns; return [B, Q, H, D].

    Args:
        module: the model's attention layer.
        query: [B, H, Q, D].
        key: [B, key heads, columns, D].
        value: likewise.
        attention_mask: added to the scores, [B, 1, Q, P + columns].
        prefix: keys and values by layer, as a cache holds them; P columns.
        proof: a cache, and a set to which a layer adds its index if it attends to exactly what the cache holds.
        scaling: of the scores; 1 / sqrt(D), if None.
        others: arguments of other attention implementations.

    Raises:
        ModelError: the model's attention has capped scores or sinks, which are not supported.
    """
    if others.get("softcap") is not None or others.get("s_aux") is not None:
        raise ModelError(
            "srlm's own decode loop does not support a model whose attention has capped scores or sinks. "
            "Use vLLM for it: engine=vllm, or vllm:PATH."
        )
    if proof and module.layer_idx < len(proof[0].layers):
        held = proof[0].layers[module.layer_idx]
        if key is held.keys and value is held.values:
            proof[1].add(module.layer_idx)
    before = (prefix[module.layer_idx].keys, prefix[module.layer_idx].values) if prefix else None
    rows, _, queries, size = query.shape
    if queries == 1:
        scale = size**-0.5 if scaling is None else scaling
        return _attend_once(query, key, value, attention_mask, before, scale), None
    if before:
        key = torch.cat([before[0].expand(rows, -1, -1, -1), key], dim=2)
        value = torch.cat([before[1].expand(rows, -1, -1, -1), value], dim=2)
    attended, _ = sdpa_attention_forward(
        module, query, key, value, attention_mask, dropout=0.0, scaling=scaling, is_causal=False
    )
    return attended, None


def _attend_once(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor,
    prefix: tuple[torch.Tensor, torch.Tensor] | None,
    scale: float,
) -> torch.Tensor:
    """Compute attention for one query a row [B, H, 1, D], a decode step, as plain products; return [B, 1, H, D].

    All rows and heads of a group meet the prefix in one product: [groups, B * heads of a group, P].
    """
    rows, heads, _, size = query.shape
    groups = key.shape[1]
    grouped = query.view(rows, groups, heads // groups, size) * scale
    scores = grouped @ key.transpose(-1, -2)
    if prefix:
        together = grouped.transpose(0, 1).reshape(groups, -1, size)
        shared = (together @ prefix[0][0].transpose(-1, -2)).view(groups, rows, heads // groups, -1).transpose(0, 1)
        scores = torch.cat([shared, scores], dim=-1)
    weights = (scores + mask).softmax(dim=-1, dtype=torch.float32).to(query.dtype)
    if not prefix:
        return (weights @ value).reshape(rows, 1, heads, -1)
    length = prefix[0].shape[2]
    together = weights[..., :length].transpose(0, 1).reshape(groups, -1, length)
    shared = (together @ prefix[1][0]).view(groups, rows, heads // groups, size).transpose(0, 1)
    return (weights[..., length:] @ value + shared).reshape(rows, 1, heads, size)


AttentionInterface.register(ATTENTION, attend)
