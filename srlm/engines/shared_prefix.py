"""Forward passes over prompts that begin alike: what they share is read once and attended to by all of them.

A shared beginning (a system message, a rubric, few shots) is computed for one row and kept once. Its keys meet the
queries of all rows in one product, as in cascade inference, and its memory is not multiplied by the rows. For a single
query, the keys and values of grouped heads are not repeated either: that is most of a decode step on a processor.
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
"""The name under which transformers finds `attend`."""

READ = 16384
"""Tokens that are read in one pass at the most: more of them take no less time each, and more memory."""

NEVER = 1 << 30
"""A position that no query sees; a window that holds all."""


def attention_for(config: dict[str, Any]) -> str:
    """The attention with which a model of this config.json is loaded: ours, or the model's own where it is another.

    Raises:
        ModelError: the model keeps more than keys and values.
    """
    require_layers(config)
    config = text_config(config)
    capped = config.get("attn_logit_softcapping") is not None or config.get("model_type") == "gpt_oss"
    return "eager" if capped else ATTENTION


class Reader:
    """A model that has read the common prefix of some prompts, and goes on with any of them."""

    def __init__(self, model: Any, prompts: Sequence[Sequence[int]], pad: int) -> None:
        self._model = model
        self._pad = pad
        config = model.config.get_text_config()
        window = getattr(config, "sliding_window", None)
        self._window = int(window) if window and getattr(config, "use_sliding_window", True) else NEVER
        self._layered = bool(getattr(config, "layer_types", None))
        self._prefix: list[Any] = []
        # Any other attention than ours knows nothing of a shared prefix.
        self.shared = common_prefix(prompts) if config._attn_implementation == ATTENTION else 0
        if self.shared:
            cache = DynamicCache()
            sharing: set[int] = set()
            ids = torch.tensor([list(prompts[0][: self.shared])])
            self._forward(ids, torch.zeros(1, dtype=torch.long), 0, cache, proof=(cache, sharing))
            if len(sharing) == config.num_hidden_layers:
                self._prefix = cache.layers
            else:  # some attend to other things than what the cache holds, or do not pass the prefix on
                self.shared = 0

    def read(self, prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, Any, torch.Tensor]:
        """Read the rests of prompts, padded on the left to L columns.

        Returns:
            Logits of the next tokens [B, V]; a cache with the keys and values of the L columns; the first column of
            each row that is not padding [B].
        """
        rests = [list(prompt[self.shared :]) for prompt in prompts]
        width = max(len(rest) for rest in rests)
        ids = torch.tensor([[self._pad] * (width - len(rest)) + rest for rest in rests])
        start = torch.tensor([width - len(rest) for rest in rests])
        cache = DynamicCache()
        return self._forward(ids, start, 0, cache), cache, start.to(self._model.device)

    def fits(self, prompts: Sequence[Sequence[int]]) -> int:
        """How many of these prompts, one at least, are read in one pass."""
        widest = max(len(prompt) for prompt in prompts) - self.shared
        return max(1, min(len(prompts), READ // widest))

    def step(
        self, tokens: torch.Tensor, start: torch.Tensor, end: torch.Tensor, cache: Any, width: int
    ) -> torch.Tensor:
        """Read one more token [B] a row at column `end` [B] of a cache of `width` columns; logits [B, V]."""
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
        """Read [B, Q] tokens that stand at the columns first ... first + Q - 1 of `width` columns in all."""
        device = self._model.device
        ids, start = ids.to(device), start.to(device)
        shared = self.shared if self._prefix else 0
        columns = first + torch.arange(ids.shape[1], device=device)[None]
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
        """What each query [B, Q] sees of the prefix and the columns: 0 or the lowest number, [B, 1, Q, P + width]."""
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
    """Attention [B, H, Q, D] over a shared prefix and the rows' own columns; returns [B, Q, H, D].

    Several queries go through PyTorch's kernel. One query a row, which is a decode step, is two plain products.

    Args:
        module: the model's attention layer.
        query: [B, H, Q, D].
        key: [B, heads of keys, columns, D].
        value: likewise.
        attention_mask: what is added to the scores, [B, 1, Q, P + columns].
        prefix: keys and values by layer, as a cache holds them; P columns.
        proof: a cache, and where a layer enters itself if it attends to just what the cache holds.
        scaling: of the scores; one over the root of D, if not given.
        others: what other kinds of attention take.

    Raises:
        ModelError: the model's attention has capped scores or sinks, which are not computed here.
    """
    if others.get("softcap") is not None or others.get("s_aux") is not None:
        raise ModelError(
            "A model whose attention has capped scores or sinks is not supported by srlm's own decode loop. "
            "Use vLLM for it: engine=vllm, or vllm:PATH."
        )
    if proof and module.layer_idx < len(proof[0].layers):
        held = proof[0].layers[module.layer_idx]
        if key is held.keys and value is held.values:
            proof[1].add(module.layer_idx)
    before = (prefix[module.layer_idx].keys, prefix[module.layer_idx].values) if prefix else None
    rows, heads, queries, size = query.shape
    if queries > 1:
        if before:
            key = torch.cat([before[0].expand(rows, -1, -1, -1), key], dim=2)
            value = torch.cat([before[1].expand(rows, -1, -1, -1), value], dim=2)
        attended, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=0.0, scaling=scaling, is_causal=False
        )
        return attended, None
    groups = key.shape[1]
    scale = size**-0.5 if scaling is None else scaling
    grouped = query.view(rows, groups, heads // groups, size) * scale
    scores = grouped @ key.transpose(-1, -2)
    if before:
        # All rows and heads of a group meet the prefix in one product: [groups, B * heads of a group, P].
        together = grouped.transpose(0, 1).reshape(groups, -1, size)
        shared = (together @ before[0][0].transpose(-1, -2)).view(groups, rows, heads // groups, -1).transpose(0, 1)
        scores = torch.cat([shared, scores], dim=-1)
    weights = (scores + attention_mask).softmax(dim=-1, dtype=torch.float32).to(query.dtype)
    if not before:
        return (weights @ value).reshape(rows, 1, heads, -1), None
    length = before[0].shape[2]
    together = weights[..., :length].transpose(0, 1).reshape(groups, -1, length)
    shared = (together @ before[1][0]).view(groups, rows, heads // groups, size).transpose(0, 1)
    return (weights[..., length:] @ value + shared).reshape(rows, 1, heads, size), None


AttentionInterface.register(ATTENTION, attend)
