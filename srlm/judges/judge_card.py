"""How far a judge can be trusted: what `srlm.judges.measure_judge_card` found on pairs of answers that people have labelled.

A judge that agrees with the labels in half of the pairs is a coin. Every figure that a judge gave is shown with its
card. What cannot be known (no pair of different length, no price, an old card) is nan, and printed as unknown.
"""

import hashlib
from dataclasses import asdict, dataclass, field
from math import isnan, nan
from pathlib import Path
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from srlm.errors import DataError
from srlm.jsonl import explain, read_json, with_nan, without_nan, write_json
from srlm.stats.intervals import Estimate
from srlm.types import SCHEMA

WEAK = 0.65
"""Below this lower bound of agreement a judge is called weak: on near-equal answers people agree with each other in
63-81 % of cases (Zheng et al. 2023, Table 5), and ours are clearly graded."""

UNKNOWN = Estimate(nan, nan, nan, 0, 0)


@dataclass(frozen=True)
class Reliability:
    """What became of the calls, and what they took. Rates and means are clustered by instruction.

    `failed` is the share of all verdicts for which no answer came, `parsed` the share of the answers that could be
    read. `seconds` and `cost` (US dollars) are per thousand verdicts. Seconds are those that the engine was busy when
    the answer was computed, as the ledger has them; calls in flight side by side each count their own.
    """

    verdicts: int = 0
    parsed: Estimate = UNKNOWN
    failed: Estimate = UNKNOWN
    seconds: Estimate = UNKNOWN
    cost: Estimate = UNKNOWN


@dataclass(frozen=True)
class Mass:
    """How much of its probability the judge gave its choices, before they were renormalised.

    `median` is over the verdicts of which it is known, None where it is of none. `below` is the share of them that had
    less than `least` and were not read: there the judge was about to say something else.
    """

    median: float | None = None
    least: float | None = None
    below: Estimate = UNKNOWN

    @property
    def words(self) -> str:
        """What the judge does elsewhere, as the end of a sentence; nothing where it always names a choice."""
        if not self.below.value > 0:
            return ""
        return (
            f"in {percent(self.below)} of its verdicts it was about to say something else than a choice, and these are "
            "not read"
        )


@dataclass(frozen=True)
class LengthBias:
    """On the pairs of different length between which it decides: how often it prefers the longer answer.

    `labelled` is how often the longer one is the better one by the labels, on the same pairs; `excess` the difference,
    its bias for (above 0) or against (below 0) length.
    """

    preferred: Estimate = UNKNOWN
    labelled: Estimate = UNKNOWN
    excess: Estimate = UNKNOWN


@dataclass(frozen=True)
class ScoreCard:
    """What a judge of single answers is worth: its scores of the two answers of each labelled pair.

    `agreement` counts a pair with equal scores as half; `ties` is the share of such pairs. `histogram` counts answers
    by their mean score, rounded to the nearest whole one, from `lowest` up. Pairs and answers without a readable
    verdict are left out, and seen in `reliability`.
    """

    rubric: str
    scoring: str
    agreement: Estimate
    ties: Estimate
    length: LengthBias
    mean: Estimate
    lowest: int
    histogram: tuple[int, ...]
    reliability: Reliability
    subsets: dict[str, Estimate] = field(default_factory=dict)
    mass: Mass = Mass()

    @property
    def weak(self) -> bool:
        """Whether its agreement with the labels may be as low as `WEAK`."""
        return not self.agreement.low >= WEAK

    def caption(self, judge: str) -> str:
        """These figures in one sentence, to stand under scores that this judge gave."""
        verdict = "This judge is weak" if self.weak else "Judge"
        return (
            f"{verdict}: the scores of {judge} ({self.scoring}) order labelled answers as people do in "
            f"{percent(self.agreement)} of {self.agreement.n} pairs (50 % is a coin) and are equal in "
            f"{percent(self.ties)}; it gives the longer answer more in {_length(self.length)}; "
            f"{percent(self.reliability.parsed)} of its replies could be read."
        )


@dataclass(frozen=True)
class JudgeCard:
    """What a judge is worth. The first rates are those of the pairwise judge, over labelled pairs, by instruction.

    `first_position` counts single verdicts, all others pairs of verdicts, one in each order. `subsets` has the
    agreement on each part of the labelled set, where it has parts. `scores` is missing where only pairs were judged.
    Cards that older versions wrote lack what has a default here.
    """

    judge: str
    rubric: str
    agreement: Estimate
    consistency: Estimate
    first_position: Estimate
    longer_preferred: Estimate
    read: float
    identity: str = ""
    labelled: str = ""
    labelled_digest: str = ""
    pairs: int = 0
    instructions: int = 0
    length: LengthBias = LengthBias()
    reliability: Reliability = Reliability()
    subsets: dict[str, Estimate] = field(default_factory=dict)
    scores: ScoreCard | None = None
    schema: int = SCHEMA
    mass: Mass = Mass()

    @property
    def weak(self) -> bool:
        """Whether its agreement with the labels may be as low as `WEAK`."""
        return not self.agreement.low >= WEAK

    def caption(self) -> str:
        """The pairwise card in one sentence, to stand under a table."""
        verdict = "This judge is weak" if self.weak else "Judge"
        longer = percent(self.longer_preferred) if isnan(self.length.preferred.value) else _length(self.length)
        return (
            f"{verdict}: {self.judge} agrees with the labelled order in {percent(self.agreement)} of "
            f"{self.agreement.n} pairs (50 % is a coin), names the same winner in both orders in "
            f"{percent(self.consistency)}, prefers the answer shown first in {percent(self.first_position)} and the "
            f"longer one in {longer}; {self.read:.0%} of its verdicts could be read"
            f"{f': {self.mass.words} (--judge-tokens lets it think first)' if self.mass.words else ''}."
        )


def percent(estimate: Estimate) -> str:
    """An estimate of a rate as "55 % [48, 62]"; "an unknown share" where nothing was there to count."""
    if isnan(estimate.value):
        return "an unknown share"
    if isnan(estimate.low):
        return f"{100 * estimate.value:.0f} %"
    return f"{100 * estimate.value:.0f} % [{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]"


def _length(length: LengthBias) -> str:
    if isnan(length.labelled.value):
        return percent(length.preferred)
    return f"{percent(length.preferred)} (the better one by the labels in {100 * length.labelled.value:.0f} %)"


def store_card(ledger: Path, card: JudgeCard) -> Path:
    """Write a card beside the ledger that its calls are in. One of the same judge, measured alike, is overwritten."""
    scored = (card.scores.rubric, card.scores.scoring) if card.scores else ()
    how = (card.identity, card.rubric, card.labelled_digest, card.pairs, *scored)
    digest = hashlib.sha256(repr(how).encode()).hexdigest()[:8]
    path = _folder(ledger) / f"{quote(card.judge, safe='')}.{quote(card.labelled, safe='')}.{digest}.json"
    write_json(path, without_nan(asdict(card)))
    return path


def find_judge_card(ledger: Path, identity: str, rubric: str, scoring: str) -> tuple[Path, JudgeCard] | None:
    """The card, beside this ledger, of a model that scores in this way; of several the one measured on most pairs.

    Raises:
        DataError: a card is damaged.
    """
    adapter = TypeAdapter(JudgeCard)
    found: list[tuple[Path, JudgeCard]] = []
    for path in sorted(_folder(ledger).glob("*.json")):
        try:
            card = adapter.validate_python(with_nan(read_json(path)))
        except ValidationError as error:
            raise DataError(path, f"is no judge's card of this version ({explain(error)}); delete it.") from None
        if card.scores and (card.identity, card.scores.rubric, card.scores.scoring) == (identity, rubric, scoring):
            found.append((path, card))
    return max(found, key=lambda one: one[1].pairs, default=None)


def _folder(ledger: Path) -> Path:
    return ledger.parent / "cards"
