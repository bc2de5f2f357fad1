"""Exact draws from the nucleus, the smallest set of most probable tokens with the mass top-p (Holtzman et al. 2020).

Sorting a whole vocabulary for every token costs more than the model itself on a processor. The nucleus is looked for
among the few most probable tokens, whose probabilities are those of the whole distribution; where it is wider, among
more, and at last among all. So nothing is cut off, and each row is settled by its own random number.
"""

import torch

WIDTHS = (64, 1024)
"""Numbers of most probable tokens that are tried before the whole vocabulary."""

CHUNK = 32
"""Rows that are looked at together: so many logits stay in a processor's cache."""


def draw(logits: torch.Tensor, temperature: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """One token a row, by inverse transform.

    Args:
        logits: [B, V].
        temperature: [B]; 0 takes the most probable token.
        top_p: [B].
        uniform: [B], in [0, 1).

    Returns:
        [B], the drawn tokens. Where logits are not numbers, a token whose logit is none.
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
    # topk breaks ties otherwise than argmax: a greedy row takes the same token in any company.
    return torch.where(greedy, logits.argmax(dim=-1), tokens) if bool(greedy.any()) else tokens


def _rank(probabilities: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Where `uniform` falls in the cumulated nucleus of falling probabilities [B, K]; shape [B, 1]."""
    before = probabilities.cumsum(-1) - probabilities
    kept = torch.where(before < top_p[:, None], probabilities, 0.0)
    cumulative = kept.cumsum(-1)
    rank = torch.searchsorted(cumulative, uniform[:, None] * cumulative[:, -1:], right=True)
    return torch.minimum(rank, (kept > 0).sum(-1, keepdim=True) - 1).clamp(min=0)
