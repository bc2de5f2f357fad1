"""How far a judge can be trusted, measured on pairs of answers whose order people have labelled.

A judge that agrees with the labels in half of the pairs is a coin. Every figure that a judge gave is shown with its
card.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan

from srlm.display import Progress
from srlm.engines.engine import Engine
from srlm.judges.pairwise import Match, compare, load_pairwise
from srlm.ledger import Ledger
from srlm.randomness import derive
from srlm.stats.intervals import Estimate, bootstrap_ratio
from srlm.types import Answer, RankedPrompt

WEAK = 0.65
"""Below this lower bound of agreement a judge is called weak: on near-equal answers people agree with each other in
63-81 % of cases (Zheng et al. 2023, Table 5), and ours are clearly graded."""


@dataclass(frozen=True)
class JudgeCard:
    """What a pairwise judge is worth. Rates are over labelled pairs, clustered by instruction."""

    judge: str
    rubric: str
    agreement: Estimate
    consistency: Estimate
    first_position: Estimate
    longer_preferred: Estimate
    read: float

    @property
    def weak(self) -> bool:
        """Whether its agreement with the labels may be as low as `WEAK`."""
        return not self.agreement.low >= WEAK

    def caption(self) -> str:
        """The card in one sentence, to stand under a table."""
        verdict = "This judge is weak" if self.weak else "Judge"
        return (
            f"{verdict}: {self.judge} agrees with the labelled order in {percent(self.agreement)} of "
            f"{self.agreement.n} pairs (50 % is a coin), names the same winner in both orders in "
            f"{percent(self.consistency)}, prefers the answer shown first in {percent(self.first_position)} and the "
            f"longer one in {percent(self.longer_preferred)}; {self.read:.0%} of its verdicts could be read."
        )


def percent(estimate: Estimate) -> str:
    """An estimate of a rate as "55 % [48, 62]"; "an unknown share" where nothing was there to count."""
    if isnan(estimate.value):
        return "an unknown share"
    if isnan(estimate.low):
        return f"{100 * estimate.value:.0f} %"
    return f"{100 * estimate.value:.0f} % [{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]"


def labelled_matches(ranked: Sequence[RankedPrompt], limit: int) -> list[Match]:
    """Pairs of answers with different rank, the better one first; at most `limit`, spread evenly over instructions."""
    of_prompt: list[list[Match]] = []
    for prompt in ranked:
        pairs = [
            (a, b) for a, b in combinations(sorted(prompt.answers, key=lambda one: one.rank), 2) if a.rank != b.rank
        ]
        pairs.sort(key=lambda pair: derive("card", prompt.id, pair[0].text, pair[1].text))
        of_prompt.append(
            [
                Match(
                    f"card-{prompt.id}-{number}",
                    prompt.instruction,
                    Answer(f"{prompt.id}-a{prompt.answers.index(better)}", prompt.id, "label", better.text, "stop"),
                    Answer(f"{prompt.id}-a{prompt.answers.index(worse)}", prompt.id, "label", worse.text, "stop"),
                )
                for number, (better, worse) in enumerate(pairs)
            ]
        )
    rounds = max((len(pairs) for pairs in of_prompt), default=0)
    spread = [pairs[number] for number in range(rounds) for pairs in of_prompt if number < len(pairs)]
    return spread[:limit]


def measure(
    engine: Engine, ranked: Sequence[RankedPrompt], ledger: Ledger, *, limit: int, stage: str, progress: Progress
) -> JudgeCard:
    """Measure a pairwise judge on labelled pairs."""
    template = load_pairwise()
    matches = labelled_matches(ranked, limit)
    found = compare(
        engine, template, matches, ledger, stage=stage, progress=progress, label=f"judge's card of {engine.name}"
    )
    read = [one for one in found if one.value is not None]
    clusters = sorted({one.match.first.prompt_id for one in read})

    def rate(hits: list[tuple[str, float]]) -> Estimate:
        totals = [sum(hit for owner, hit in hits if owner == cluster) for cluster in clusters]
        counts = [sum(owner == cluster for owner, _ in hits) for cluster in clusters]
        return bootstrap_ratio(totals, counts)

    def owner(one: int) -> str:
        return read[one].match.first.prompt_id

    agreement, consistency, position, longer = [], [], [], []
    for index, one in enumerate(read):
        value = one.value if one.value is not None else 0.5
        agreement.append((owner(index), 1.0 if value > 0.5 else 0.5 if value == 0.5 else 0.0))
        consistency.append((owner(index), float(bool(one.consistent))))
        first, second = one.orders
        if first is not None and second is not None:
            position += [(owner(index), float(first > 0.5)), (owner(index), float(1 - second > 0.5))]
        gap = len(one.match.first.text) - len(one.match.second.text)
        if gap and value != 0.5:
            longer.append((owner(index), float((gap > 0) == (value > 0.5))))
    return JudgeCard(
        judge=engine.name,
        rubric=f"{template.name}:{template.digest}",
        agreement=rate(agreement),
        consistency=rate(consistency),
        first_position=rate(position),
        longer_preferred=rate(longer),
        read=sum(value is not None for one in found for value in one.orders) / max(1, 2 * len(found)),
    )
