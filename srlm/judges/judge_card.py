"""Judge cards: the measured reliability of a judge on pairs of answers labelled by people.

Agreement with half of the labels is chance level. Every metric from a judge is shown with its card. Values that are not
known (no pair of different length, no price, an old card) are nan, and printed as unknown. Cards are computed by
`srlm.judges.measure_judge_card`.
"""

import hashlib
from dataclasses import asdict, dataclass, field
from math import isnan, nan
from pathlib import Path
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from srlm.errors import DataError
from srlm.jsonl import explain, read_json, with_nan, without_nan, write_json
from srlm.stats.five_numbers import FiveNumbers
from srlm.stats.formatting import percent
from srlm.stats.intervals import Estimate
from srlm.types import SCHEMA

WEAK = 0.65
"""Lower bound of the agreement below which a judge is called weak: on near-equal answers people agree with each other
in 63-81 % of cases (Zheng et al. 2023, Table 5), and the packaged pairs have clear differences."""

UNKNOWN = Estimate(nan, nan, nan, 0, 0)


@dataclass(frozen=True)
class Reliability:
    """Failed and unparsed verdicts, time and cost. Rates and means are clustered by instruction.

    `failed` is the share of calls without a reply, `parsed` the share of the replies that could be parsed. `seconds`
    and `cost` (US dollars) are per thousand verdicts. Seconds are the engine's time for the reply, from the ledger;
    concurrent requests count their own time each.
    """

    verdicts: int = 0
    parsed: Estimate = UNKNOWN
    failed: Estimate = UNKNOWN
    seconds: Estimate = UNKNOWN
    cost: Estimate = UNKNOWN


@dataclass(frozen=True)
class Mass:
    """The probability that the judge gave to all choices together, before they were renormalised.

    `median` is over the verdicts with a known probability, None without any. `below` is the share of them with less
    than `least`, which are unparsed: the judge was about to write something else.
    """

    median: float | None = None
    least: float | None = None
    below: Estimate = UNKNOWN

    @property
    def words(self) -> str:
        """The share of verdicts below `least`, as the end of a sentence; "" if there are none."""
        if not self.below.value > 0:
            return ""
        return (
            f"in {percent(self.below)} of its verdicts it was about to write something else than a choice, and these "
            "are unparsed"
        )


@dataclass(frozen=True)
class LengthBias:
    """Length bias: how often the judge prefers the longer answer, on decided pairs of different length.

    `labelled` is how often the longer answer is the labelled one, on the same pairs. `excess` is the difference: the
    bias for (above 0) or against (below 0) length.
    """

    preferred: Estimate = UNKNOWN
    labelled: Estimate = UNKNOWN
    excess: Estimate = UNKNOWN


@dataclass(frozen=True)
class ScoreCard:
    """Reliability of a pointwise judge: its scores of both answers of each labelled pair.

    `agreement` counts a pair with equal scores as half; `ties` is the share of such pairs. `histogram` counts answers
    by their mean score, rounded to the nearest integer, from `lowest` up; scores without a scale, of a program, a
    reward model or a combination, have `five_numbers` in its place. Pairs and answers without a parsed verdict are left
    out, and counted in `reliability`. `vetoed` is the share of answers that a combination vetoes: one loses against an
    answer that is not vetoed, and two are equal.
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
    five_numbers: FiveNumbers | None = None
    vetoed: Estimate = UNKNOWN

    @property
    def weak(self) -> bool:
        """True if the lower bound of the agreement is below `WEAK`."""
        return not self.agreement.low >= WEAK

    def caption(self, judge: str) -> str:
        """Summarise the card in one sentence, for a caption under this judge's scores."""
        verdict = "This judge is weak" if self.weak else "Judge"
        return (
            f"{verdict}: the scores of {judge} ({self.scoring}) agree with the labels in "
            f"{percent(self.agreement)} of {self.agreement.n} pairs (50 % is chance) and are equal in "
            f"{percent(self.ties)}; the longer answer scores higher in {_length(self.length)}; "
            f"{percent(self.reliability.parsed)} of its replies could be parsed."
        )


@dataclass(frozen=True)
class JudgeCard:
    """Reliability of a judge on labelled pairs. Rates are those of the pairwise judge, clustered by instruction.

    `first_position` counts single verdicts, all others pairs of verdicts, one in each order. `subsets` has the
    agreement on each part of a labelled set with several parts. `scores` is None if only pairs were judged. Fields with
    a default may be missing in cards of older versions. Programs, reward models and combinations have
    `scores` alone.
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
    def pairwise(self) -> bool:
        """True if the judge compared pairs, and did not only score single answers."""
        return self.agreement.n > 0 or self.reliability.verdicts > 0

    @property
    def weak(self) -> bool:
        """True if the lower bound of the agreement is below `WEAK`."""
        return not self.agreement.low >= WEAK

    def caption(self) -> str:
        """Summarise the pairwise card in one sentence, for a caption under a table."""
        verdict = "This judge is weak" if self.weak else "Judge"
        longer = percent(self.longer_preferred) if isnan(self.length.preferred.value) else _length(self.length)
        return (
            f"{verdict}: {self.judge} agrees with the labelled order in {percent(self.agreement)} of "
            f"{self.agreement.n} pairs (50 % is chance), has the same winner in both orders in "
            f"{percent(self.consistency)}, prefers the answer shown first in {percent(self.first_position)} and the "
            f"longer one in {longer}; {self.read:.0%} of its verdicts could be parsed"
            f"{f': {self.mass.words} (--judge-tokens lets it reason first)' if self.mass.words else ''}."
        )


def _length(length: LengthBias) -> str:
    if isnan(length.labelled.value):
        return percent(length.preferred)
    return f"{percent(length.preferred)} (the better one by the labels in {100 * length.labelled.value:.0f} %)"


def store_card(ledger: Path, card: JudgeCard) -> Path:
    """Write a card next to the ledger of its calls. A card of the same judge and measurement is overwritten."""
    scored = (card.scores.rubric, card.scores.scoring) if card.scores else ()
    how = (card.identity, card.rubric, card.labelled_digest, card.pairs, *scored)
    digest = hashlib.sha256(repr(how).encode()).hexdigest()[:8]
    path = _folder(ledger) / f"{quote(card.judge, safe='')}.{quote(card.labelled, safe='')}.{digest}.json"
    write_json(path, without_nan(asdict(card)))
    return path


def find_judge_card(ledger: Path, identity: str, rubric: str, scoring: str) -> tuple[Path, JudgeCard] | None:
    """Find the card of a pointwise judge next to this ledger; of several the one measured on most pairs.

    Raises:
        DataError: a card is damaged.
    """
    adapter = TypeAdapter(JudgeCard)
    found: list[tuple[Path, JudgeCard]] = []
    for path in sorted(_folder(ledger).glob("*.json")):
        try:
            card = adapter.validate_python(with_nan(read_json(path)))
        except ValidationError as error:
            raise DataError(path, f"is not a judge card of this version ({explain(error)}). Delete it.") from None
        if card.scores and (card.identity, card.scores.rubric, card.scores.scoring) == (identity, rubric, scoring):
            found.append((path, card))
    return max(found, key=lambda one: one[1].pairs, default=None)


def _folder(ledger: Path) -> Path:
    return ledger.parent / "cards"
