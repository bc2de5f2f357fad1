"""Detection of judge drift: the verdicts of a pinned judge on labelled pairs, compared with those it gives today.

A judge behind a server can change under its name, and every metric with it. So it is asked again about pairs whose
verdicts are known, and never from a run's ledger, which would give the old answers. Some servers answer a little
differently each time: pinning twice shows by how much, and the policy's minimum belongs below that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from pydantic import TypeAdapter, ValidationError

from evals.gate.comparison_json import ComparisonJson
from srlm.console import Progress
from srlm.engines.engine import Engine
from srlm.errors import DataError, UsageError
from srlm.inference import Caller
from srlm.jsonl import explain, read_json
from srlm.judges.measure_judge_card import rate
from srlm.judges.pairwise import Match, Preference, compare, load_pairwise
from srlm.judges.preference_data import LabelledSet
from srlm.ledger import Ledger
from srlm.stats.intervals import Estimate
from srlm.stats.paired import Paired, paired_difference
from srlm.transcript import transcript
from srlm.types import SCHEMA, Answer, Message

STAGE = "gate/calibration"
Orders = tuple[float | None, float | None]
"""Two estimates of the probability that the better answer is better, one from each order; None where unparsed."""


@dataclass(frozen=True)
class PinnedPair:
    """A labelled pair of answers with the judge's verdicts in both orders."""

    id: str
    instruction: str
    better: str
    worse: str
    orders: Orders
    context: tuple[Message, ...] = ()

    @property
    def match(self) -> Match:
        """Return the pair as the judge is asked about it, the better answer first."""
        one, two = (
            Answer(f"{self.id}-{place}", self.id, "label", text, "stop")
            for place, text in (("better", self.better), ("worse", self.worse))
        )
        return Match(self.id, self.instruction, one, two, self.context)


@dataclass(frozen=True)
class PinnedVerdicts:
    """The verdicts of a judge on labelled pairs, with the judge, its prompt template and the labelled set."""

    judge: str
    identity: str
    rubric: str
    labelled: str
    labelled_digest: str
    pairs: tuple[PinnedPair, ...]
    schema: int = SCHEMA


@dataclass(frozen=True)
class DriftResult:
    """A judge's verdicts of today on its pinned pairs, compared with the pinned ones; clustered by instruction.

    Attributes:
        judge: its name.
        same: the share of unchanged verdicts, of those that were parsed both times.
        read: the share that was parsed today.
        labels: its agreement with the labels, today less then, pair by pair.
        drifted: the agreement with the labels has changed significantly.
    """

    judge: str
    same: Estimate
    read: Estimate
    labels: Paired
    drifted: bool


def pin_judge(
    engine: Engine, labelled: LabelledSet, ledger: Ledger, *, limit: int | None, progress: Progress
) -> PinnedVerdicts:
    """Ask a judge about at most `limit` labelled pairs in both orders, and return its verdicts.

    Raises:
        EngineFailed: no call was answered.
        UsageError: none of its verdicts can be parsed.
    """
    matches = [match for _, match in labelled.matches(limit)]
    found = _judge(engine, matches, ledger, progress)
    if all(order is None for one in found for order in one.orders):
        raise UsageError(
            f"None of the verdicts of {engine.name} on {len(matches)} pairs can be parsed, so it cannot be pinned. "
            f"Measure it: srlm judge card {quote(engine.name)}"
        )
    pairs = [
        PinnedPair(one.match.id, one.match.instruction, *_texts(one.match), one.orders, one.match.context)
        for one in found
    ]
    return PinnedVerdicts(
        judge=engine.name,
        identity=engine.identity,
        rubric=_rubric(),
        labelled=labelled.name,
        labelled_digest=labelled.digest,
        pairs=tuple(pairs),
    )


def measure_drift(
    engine: Engine, pinned: PinnedVerdicts, ledger: Ledger, *, risk: float, progress: Progress
) -> DriftResult:
    """Ask the pinned judge about its pairs again, and compare. `risk` is the two-sided level of the test.

    Raises:
        UsageError: it is another judge, or the pairwise prompt has changed since.
        EngineFailed: no call was answered.
    """
    if (engine.name, engine.identity) != (pinned.judge, pinned.identity):
        raise UsageError(
            f"The calibration set has verdicts of {pinned.judge} ({pinned.identity}), and --judge is {engine.name} "
            f"({engine.identity}). Name that judge, or pin this one: srlm gate pin {quote(engine.name)}"
        )
    if _rubric() != pinned.rubric:
        raise UsageError(
            f"The calibration set was pinned with the prompt {pinned.rubric}, and this version of srlm asks with "
            f"{_rubric()}. Pin the judge again: srlm gate pin {quote(engine.name)}"
        )
    found = _judge(engine, [pair.match for pair in pinned.pairs], ledger, progress)
    return drift_between(pinned, [one.orders for one in found], risk)


def drift_between(pinned: PinnedVerdicts, today: Sequence[Orders], risk: float) -> DriftResult:
    """Compare the verdicts of `today`, in the order of the pinned pairs, with the pinned ones."""
    both = list(zip(pinned.pairs, today, strict=True))
    verdicts = [(transcript(pair), *ends) for pair, orders in both for ends in zip(pair.orders, orders, strict=True)]
    labels = [
        (transcript(pair), _correct(then), _correct(now))
        for pair, orders in both
        if (then := _mean(pair.orders)) is not None and (now := _mean(orders)) is not None
    ]
    changed = paired_difference(
        [now for _, _, now in labels], [then for _, then, _ in labels], [owner for owner, _, _ in labels]
    )
    gap = changed.difference
    return DriftResult(
        judge=pinned.judge,
        same=rate(
            (owner, float(_correct(then) == _correct(now)))
            for owner, then, now in verdicts
            if then is not None and now is not None
        ),
        read=rate((owner, float(now is not None)) for owner, _, now in verdicts),
        labels=changed,
        drifted=changed.p_value < risk and gap.low * gap.high > 0,
    )


def refuse_other_judges(pinned: PinnedVerdicts, comparison: ComparisonJson, suites: Sequence[str]) -> None:
    """Raise UsageError where a suite was judged by another judge than the pinned one."""
    for one in comparison.judges:
        if one.suite in suites and one.judge != f"{pinned.judge} {pinned.identity}":
            raise UsageError(
                f"The suite {one.suite} was judged by {one.judge}, and the calibration set is of {pinned.judge} "
                f"{pinned.identity}, so it shows nothing about these verdicts. Pin the judge that gave them: srlm gate "
                "pin"
            )


def read_pinned_verdicts(path: Path) -> PinnedVerdicts:
    """Read the file that `srlm gate pin` wrote.

    Raises:
        DataError: there is no such file, or it is something else.
    """
    if not path.exists():
        raise DataError(path, "there is no such calibration set. Make one with: srlm gate pin SPEC")
    try:
        return TypeAdapter(PinnedVerdicts).validate_python(read_json(path))
    except ValidationError as error:
        raise DataError(
            path, f"is no calibration set of this version ({explain(error)}). Make one: srlm gate pin"
        ) from None


def _rubric() -> str:
    """Return the name and digest of the pairwise prompt template."""
    template = load_pairwise()
    return f"{template.name}:{template.digest}"


def _judge(engine: Engine, matches: Sequence[Match], ledger: Ledger, progress: Progress) -> list[Preference]:
    label = f"{engine.name} on {len(matches)} labelled pairs, both orders"
    return compare(Caller(engine, ledger, STAGE, progress), load_pairwise(), matches, label=label)


def _texts(match: Match) -> tuple[str, str]:
    return match.first.text, match.second.text


def _mean(orders: Orders) -> float | None:
    one, two = orders
    return None if one is None or two is None else (one + two) / 2


def _correct(value: float) -> float:
    """Return 1 if the better answer is preferred, 0 if the other one is, and one half for neither."""
    return 0.5 if value == 0.5 else float(value > 0.5)
