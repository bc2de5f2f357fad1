"""Balanced subsets of training data: over the kinds of demonstrations, and over the scores of judgements."""

from collections import Counter
from collections.abc import Sequence

from srlm.seeding import derive_seed
from srlm.types import Demonstration, SFTExample


def balanced_over_kinds(seeds: Sequence[Demonstration], limit: int | None, seed: int) -> list[Demonstration]:
    """Return at most `limit` demonstrations, as evenly distributed over their kinds as possible."""
    if limit is None or limit >= len(seeds):
        return list(seeds)
    of_kind: dict[str | None, list[Demonstration]] = {}
    for one in sorted(seeds, key=lambda one: derive_seed(seed, "ift", one.id)):
        of_kind.setdefault(one.kind, []).append(one)
    turns = [(number, one) for group in of_kind.values() for number, one in enumerate(group)]
    return [one for _, one in sorted(turns, key=lambda turn: turn[0])[:limit]]


def cap_majority_score(examples: Sequence[SFTExample], seed: int) -> list[SFTExample]:
    """Cap the most common score at the count of the second most common, so that none dominates (section 3.1.1)."""
    counts = Counter(example.score for example in examples).most_common(2)
    if len(counts) < 2:
        return list(examples)
    (common, _), (_, limit) = counts
    of_common = sorted(
        (one.id for one in examples if one.score == common), key=lambda key: derive_seed(seed, "thin", key)
    )
    kept = set(of_common[:limit])
    return [one for one in examples if one.score != common or one.id in kept]


def balanced_subset(examples: Sequence[SFTExample], limit: int | None, seed: int) -> list[SFTExample]:
    """Return at most `limit` examples, as evenly distributed over the scores as possible, in a seeded order."""
    if limit is None or limit >= len(examples):
        return list(examples)
    shuffled = sorted(examples, key=lambda one: derive_seed(seed, "spread", one.id))
    seen: Counter[int | None] = Counter()
    turns = []
    for position, example in enumerate(shuffled):
        turns.append((seen[example.score], position, example))
        seen[example.score] += 1
    return [example for _, _, example in sorted(turns, key=lambda turn: turn[:2])[:limit]]
