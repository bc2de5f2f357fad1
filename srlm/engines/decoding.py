"""The decode loop of local generation: one prefill, then one token a step for every row that has not ended.

What is in here: a prefix shared by all prompts of the batch is computed once; a prompt with n samples is prefilled
once; rows that have ended leave the batch; sampling is exact (nothing is cut off beyond top-p) and seeded per row, so
that the draw of a row does not depend on who shares its batch. What is left out: refilling freed rows with new
prompts, and paged memory: vLLM does these, and is the better engine on a GPU.

Greedy decoding equals `transformers.generate` in float32 (tests/srlm/engines/test_decoding.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

NUCLEUS = 512
"""Tokens that are sorted for top-p; the whole vocabulary only for rows whose nucleus is wider."""

COMPACT_AT = 0.8
"""Ended rows are dropped once fewer than this share of the batch is alive: each drop copies the cache."""


@dataclass
class Row:
    """One answer in the making. `uniforms` are its own random numbers, one a step."""

    prompt: int
    temperature: float
    top_p: float
    max_tokens: int
    uniforms: "torch.Tensor"
    stopped: Callable[[list[int]], bool]
    tokens: list[int] = field(default_factory=list)
    finish: str = ""


def common_prefix(sequences: Sequence[list[int]]) -> int:
    """Length of the longest prefix of all sequences that leaves each at least one token."""
    shortest, longest = min(sequences), max(sequences)
    limit = min(len(sequence) for sequence in sequences) - 1
    length = 0
    while length < limit and shortest[length] == longest[length]:
        length += 1
    return length


def prefill(model: Any, prompts: Sequence[list[int]], pad: int) -> tuple["torch.Tensor", Any, "torch.Tensor"]:
    """Read the prompts; return next-token logits [B, V] in float32, the cache, and the attention mask [B, L].

    The common prefix is computed for one row and copied; the rests are padded on the left, between prefix and rest.
    """
    import torch
    from transformers import DynamicCache

    shared = common_prefix(prompts)
    rests = [list(prompt[shared:]) for prompt in prompts]
    width = max(len(rest) for rest in rests)
    cache = DynamicCache(config=model.config)
    if shared:
        model(
            input_ids=torch.tensor([prompts[0][:shared]], device=model.device), past_key_values=cache, logits_to_keep=1
        )
        cache.batch_repeat_interleave(len(prompts))
    ids = torch.tensor([[pad] * (width - len(rest)) + rest for rest in rests], device=model.device)
    real = torch.tensor([[0] * (width - len(rest)) + [1] * len(rest) for rest in rests], device=model.device)
    mask = torch.cat([torch.ones(len(prompts), shared, dtype=torch.long, device=model.device), real], dim=1)
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, shared:]
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return output.logits[:, -1].float(), cache, mask


def draw(
    logits: "torch.Tensor", temperature: "torch.Tensor", top_p: "torch.Tensor", uniform: "torch.Tensor"
) -> "torch.Tensor":
    """One token a row by inverse transform over the nucleus.

    Args:
        logits: [B, V] float32.
        temperature: [B]; 0 is greedy.
        top_p: [B].
        uniform: [B].

    The nucleus is the smallest set of most probable tokens whose mass reaches top_p (Holtzman et al. 2020). Rows whose
    nucleus is wider than `NUCLEUS` are sorted whole, so the draw is exact.
    """
    import torch

    greedy = temperature == 0
    if bool(greedy.all()):
        return logits.argmax(-1)
    scaled = logits / torch.where(greedy, torch.ones_like(temperature), temperature)[:, None]
    mass = scaled.logsumexp(-1, keepdim=True)
    values, order = scaled.topk(min(NUCLEUS, scaled.shape[-1]), dim=-1)
    probabilities = (values - mass).exp()
    tokens = order.gather(-1, _rank(probabilities, top_p, uniform))[:, 0]
    wide = probabilities.sum(-1) < top_p
    if bool(wide.any()):
        values, order = scaled[wide].sort(-1, descending=True)
        tokens[wide] = order.gather(-1, _rank((values - mass[wide]).exp(), top_p[wide], uniform[wide]))[:, 0]
    return torch.where(greedy, logits.argmax(-1), tokens)


def _rank(probabilities: "torch.Tensor", top_p: "torch.Tensor", uniform: "torch.Tensor") -> "torch.Tensor":
    """Where `uniform` falls in the cumulated nucleus of falling probabilities [B, K]; shape [B, 1]."""
    import torch

    before = probabilities.cumsum(-1) - probabilities
    kept = torch.where(before < top_p[:, None], probabilities, torch.zeros_like(probabilities))
    cumulative = kept.cumsum(-1)
    rank = torch.searchsorted(cumulative, uniform[:, None] * cumulative[:, -1:], right=True)
    return torch.minimum(rank, (kept > 0).sum(-1, keepdim=True) - 1)


def generate(
    model: Any,
    prompts: Sequence[list[int]],
    rows: list[Row],
    *,
    eos: frozenset[int],
    pad: int,
    ended: Callable[[], None],
) -> None:
    """Fill `tokens` and `finish` of every row; call `ended` as each one ends. Rows of one prompt share its prefill."""
    import torch

    device = model.device
    logits, cache, mask = prefill(model, prompts, pad)
    live = list(rows)
    source = torch.tensor([row.prompt for row in live], device=device)
    if source.tolist() != list(range(len(prompts))):
        cache.batch_select_indices(source)
        logits, mask = logits[source], mask[source]
    step = 0
    while True:
        tokens = _next_tokens(logits, live, step)
        step += 1
        for row, token in zip(live, tokens.tolist(), strict=True):
            if not row.finish and _take(row, token, eos):
                ended()
        alive = [index for index, row in enumerate(live) if not row.finish]
        if not alive:
            return
        if len(alive) <= COMPACT_AT * len(live):
            keep = torch.tensor(alive, device=device)
            cache.batch_select_indices(keep)
            tokens, mask = tokens[keep], mask[keep]
            live = [live[index] for index in alive]
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
        output = model(
            input_ids=tokens[:, None],
            attention_mask=mask,
            position_ids=mask.sum(1, keepdim=True) - 1,
            past_key_values=cache,
            use_cache=True,
        )
        logits = output.logits[:, -1].float()


def _next_tokens(logits: "torch.Tensor", live: list[Row], step: int) -> "torch.Tensor":
    import torch

    def column(values: list[float]) -> "torch.Tensor":
        return torch.tensor(values, dtype=torch.float32, device=logits.device)

    uniform = column([float(row.uniforms[min(step, len(row.uniforms) - 1)]) for row in live])
    return draw(logits, column([row.temperature for row in live]), column([row.top_p for row in live]), uniform)


def _take(row: Row, token: int, eos: frozenset[int]) -> bool:
    """Give a row its next token, and say whether it ends; an ended row is computed along until it is dropped."""
    if token in eos:
        row.finish = "stop"
        return True
    row.tokens.append(token)
    if row.stopped(row.tokens):
        row.finish = "stop"
    elif len(row.tokens) >= row.max_tokens:
        row.finish = "length"
    return bool(row.finish)
