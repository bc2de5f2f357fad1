"""Exact nucleus (top-p) sampling (Holtzman et al. 2020, arXiv 1904.09751).

Sorting the whole vocabulary for every token costs more than a small model on a CPU. The nucleus is searched among the
few most probable tokens, with the probabilities of the full distribution; where it is wider, among more, and at last
among all. So the result is exact, and each row depends on its own random number only.
"""

import torch

WIDTHS = (64, 1024)
"""Numbers of most probable tokens that are searched before the whole vocabulary."""

CHUNK = 32
"""Rows that are processed together: their logits fit into a CPU's cache."""


def draw(logits: torch.Tensor, temperature: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Sample one token a row, by inverse transform sampling.

    Args:
        logits: [B, V].
        temperature: [B]; 0 is greedy.
        top_p: [B].
        uniform: [B], in [0, 1).

    Returns:
        The sampled tokens [B]. Where logits are NaN, a token whose logit is NaN.
    """
    rows = logits.shape[0] if logits.is_cuda else CHUNK
    parts = [slice(start, start + rows) for start in range(0, len(logits), rows)]
    return torch.cat([_draw(logits[part], temperature[part], top_p[part], uniform[part]) for part in parts])


def _draw(logits: torch.Tensor, temperature: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    if not bool(temperature.any()):
        return logits.argmax(dim=-1)
    greedy = temperature == 0
    inverse = torch.where(greedy, 1.0, 1 / temperature)[:, None]
    best = logits.amax(dim=-1, keepdim=True)
    mass = (logits.float() - best).mul_(inverse).exp_().sum(-1, keepdim=True)
    tokens = torch.empty(len(logits), dtype=torch.long, device=logits.device)
    left = torch.arange(len(logits), device=logits.device)
    vocabulary = logits.shape[-1]
    for width in (*(width for width in WIDTHS if width < vocabulary), vocabulary):
        values, order = logits[left].topk(width, dim=-1)
        probabilities = ((values.float() - best[left]) * inverse[left]).exp() / mass[left]
        rank = _rank(probabilities, top_p[left], uniform[left]).masked_fill(greedy[left, None], 0)
        tokens[left] = order.gather(-1, rank)[:, 0]
        left = left[(probabilities.sum(-1) < top_p[left]) & ~greedy[left]]
        if not len(left):
            break
    # topk and argmax break ties differently: a greedy row must get the same token in every batch.
    return torch.where(greedy, logits.argmax(dim=-1), tokens) if bool(greedy.any()) else tokens


def _rank(probabilities: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return the rank [B, 1] at which `uniform` falls in the cumulative nucleus of sorted probabilities [B, K]."""
    before = probabilities.cumsum(-1) - probabilities
    kept = torch.where(before < top_p[:, None], probabilities, 0.0)
    cumulative = kept.cumsum(-1)
    rank = torch.searchsorted(cumulative, uniform[:, None] * cumulative[:, -1:], right=True)
    return torch.minimum(rank, (kept > 0).sum(-1, keepdim=True) - 1).clamp(min=0)
