"""Exact nucleus (top-p) sampling (Holtzman et al. 2020, arXiv 1904.09751).

Sorting the whole vocabulary for every token costs more than a small model on a CPU. The nucleus is searched among the
few most probable tokens, with the probabilities of the full distribution; where it is wider, among more, and at last
among all. So the result is exact, and each row depends on its own random number only.

The program waits for the device once for all rows, when it reads the tokens and which rows have a wider nucleus; and
once more for each width at which those are searched again.
"""

from typing import NamedTuple

import torch

WIDTHS = (64, 1024)
"""Numbers of most probable tokens that are searched before the whole vocabulary."""

CPU_CHUNK, GPU_CHUNK = 32, 512
"""Rows that are processed together: their logits fit into a CPU's cache, and float32 copies into a GPU's memory."""

NOT_FINITE, WIDER = -1, -2
"""In place of a token: its logit is not finite; the nucleus is wider than what was searched."""


class Draw(NamedTuple):
    """One token a row: `tokens` [B] on the device, and `numbers` in Python, `NOT_FINITE` where its logit is not."""

    tokens: torch.Tensor
    numbers: list[int]


class _Scale(NamedTuple):
    """Maximum, inverse temperature and mass of the logits, [B, 1] each; and the parameters of the rows, [B] each."""

    best: torch.Tensor
    inverse: torch.Tensor
    mass: torch.Tensor
    greedy: torch.Tensor
    top_p: torch.Tensor
    uniform: torch.Tensor

    def of(self, rows: torch.Tensor) -> "_Scale":
        return _Scale(*(part[rows] for part in self))


def draw(
    logits: torch.Tensor,
    temperature: torch.Tensor,
    top_p: torch.Tensor,
    uniform: torch.Tensor,
    *,
    sampled: bool = True,
    greedy: bool = True,
) -> Draw:
    """Sample one token a row, by inverse transform sampling.

    Args:
        logits: [B, V].
        temperature: [B]; 0 is greedy.
        top_p: [B].
        uniform: [B], in [0, 1).
        sampled: False if all rows are greedy: said by the caller, because the device would have to be asked.
        greedy: False if the rows of temperature 0 are not used: theirs may then be any of their most probable tokens.

    Returns:
        The sampled tokens. Where logits are NaN, a token whose logit is NaN.
    """
    if not sampled:
        tokens = logits.argmax(dim=-1)
        return Draw(tokens, _marked(logits, tokens).tolist())
    vocabulary = logits.shape[-1]
    first, *others = [*(width for width in WIDTHS if width < vocabulary), vocabulary]
    found = [
        _draw_first(logits[part], temperature[part], top_p[part], uniform[part], first, greedy=greedy)
        for part in _parts(logits)
    ]
    tokens, marked, *scale = found[0] if len(found) == 1 else map(torch.cat, zip(*found, strict=True))
    numbers: list[int] = marked.tolist()
    for width in others:
        left = [row for row, number in enumerate(numbers) if number == WIDER]
        if not left:
            break
        rows = torch.tensor(left, device=logits.device)
        for part in _parts(rows):
            some = rows[part]
            tokens[some], marked[some] = _search(logits[some], _Scale(*scale).of(some), width)
        for row, number in zip(left, marked[rows].tolist(), strict=True):
            numbers[row] = number
    return Draw(tokens, numbers)


def _parts(rows: torch.Tensor) -> list[slice]:
    size = CPU_CHUNK if rows.device.type == "cpu" else GPU_CHUNK
    return [slice(start, start + size) for start in range(0, len(rows), size)]


def _draw_first(
    logits: torch.Tensor,
    temperature: torch.Tensor,
    top_p: torch.Tensor,
    uniform: torch.Tensor,
    width: int,
    *,
    greedy: bool,
) -> tuple[torch.Tensor, ...]:
    """Search the `width` most probable tokens; return tokens, marked tokens, and the parts of a `_Scale`."""
    zero = temperature == 0
    inverse = torch.where(zero, 1.0, 1 / temperature)[:, None]
    best = logits.amax(dim=-1, keepdim=True)
    mass = (logits.float() - best).mul_(inverse).exp_().sum(-1, keepdim=True)
    scale = _Scale(best, inverse, mass, zero, top_p, uniform)
    tokens, marked = _search(logits, scale, width)
    if greedy:
        # topk and argmax break ties differently: a greedy row must get the same token in every batch.
        tokens = torch.where(zero, logits.argmax(dim=-1), tokens)
        marked = torch.where(zero, _marked(logits, tokens), marked)
    return tokens, marked, *scale


def _search(logits: torch.Tensor, scale: _Scale, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw among the `width` most probable tokens; return tokens [B] and marked tokens [B]."""
    values, order = logits.topk(width, dim=-1)
    probabilities = ((values.float() - scale.best) * scale.inverse).exp() / scale.mass
    rank = _rank(probabilities, scale.top_p, scale.uniform).masked_fill(scale.greedy[:, None], 0)
    tokens = order.gather(-1, rank)[:, 0]
    marked = _marked(logits, tokens)
    if width < logits.shape[-1]:
        marked = marked.masked_fill((probabilities.sum(-1) < scale.top_p) & ~scale.greedy, WIDER)
    return tokens, marked


def _marked(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Return tokens [B], and `NOT_FINITE` in place of those whose logit is not finite."""
    finite = logits.gather(-1, tokens[:, None])[:, 0].isfinite()
    return torch.where(finite, tokens, NOT_FINITE)


def _rank(probabilities: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return the rank [B, 1] at which `uniform` falls in the cumulative nucleus of sorted probabilities [B, K]."""
    before = probabilities.cumsum(-1) - probabilities
    kept = torch.where(before < top_p[:, None], probabilities, 0.0)
    cumulative = kept.cumsum(-1)
    rank = torch.searchsorted(cumulative, uniform[:, None] * cumulative[:, -1:], right=True)
    return torch.minimum(rank, (kept > 0).sum(-1, keepdim=True) - 1).clamp(min=0)
