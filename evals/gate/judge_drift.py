"""Labelled pairs with the verdicts that a judge gave when it was pinned, and what it says of the same pairs today.

A judge behind a server can change under its name, and every figure with it. So it is asked anew, about pairs whose
verdicts are known: never out of a run's ledger, which would give the old answers. Some servers answer a little
differently each time; pinning twice shows by how much, and the policy's floor belongs below that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from pydantic import TypeAdapter, ValidationError

from evals.gate.comparison_json import Compared
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
from srlm.types import SCHEMA, Answer

STAGE = "gate/calibration"
Orders = tuple[float | None, float | None]


@dataclass(frozen=True)
class PinnedPair:
    """Two answers of known order, and two estimates that the better one is better: one from each order, None unread."""

    id: str
    instruction: str
    better: str
    worse: str
    orders: Orders

    @property
    def match(self) -> Match:
        """As a judge is asked about it, the better answer first."""
        one, two = (
            Answer(f"{self.id}-{place}", self.id, "label", text, "stop")
            for place, text in (("better", self.better), ("worse", self.worse))
        )
        return Match(self.id, self.instruction, one, two)


@dataclass(frozen=True)
class Calibration:
    """The pairs, whose verdicts they are, by which wording, and of which labelled set."""

    judge: str
    identity: str
    rubric: str
    labelled: str
    labelled_digest: str
    pairs: tuple[PinnedPair, ...]
    schema: int = SCHEMA


@dataclass(frozen=True)
class Asked:
    """What a judge says of pinned pairs today.

    `same` is the share of single verdicts that are what they were, of those that can be read both times; `read` the
    share that can be read today; `labels` its agreement with the labels, today less then, pair by pair. All are
    clustered by instruction. `moved`: that the agreement with the labels has changed is no chance.
    """

    judge: str
    same: Estimate
    read: Estimate
    labels: Paired
    moved: bool


def pin(engine: Engine, labelled: LabelledSet, ledger: Ledger, *, limit: int | None, progress: Progress) -> Calibration:
    """Ask a judge about labelled pairs, both orders of at most `limit`, and keep what it says.

    Raises:
        EngineFailed: no call at all was answered.
        UsageError: none of its verdicts can be read.
    """
    matches = [match for _, match in labelled.matches(limit)]
    found = _judged(engine, matches, ledger, progress)
    if all(order is None for one in found for order in one.orders):
        raise UsageError(
            f"None of the verdicts of {engine.name} on {len(matches)} pairs can be read: it cannot be pinned as it is. "
            f"Measure it: srlm judge card {quote(engine.name)}"
        )
    template = load_pairwise()
    pairs = [PinnedPair(one.match.id, one.match.instruction, *_texts(one.match), one.orders) for one in found]
    return Calibration(
        judge=engine.name,
        identity=engine.identity,
        rubric=f"{template.name}:{template.digest}",
        labelled=labelled.name,
        labelled_digest=labelled.digest,
        pairs=tuple(pairs),
    )


def ask_again(engine: Engine, pinned: Calibration, ledger: Ledger, *, risk: float, progress: Progress) -> Asked:
    """Ask the pinned judge about its pairs once more. `risk`, two-sided, is that of calling a change what is chance.

    Raises:
        UsageError: it is another judge, or the wording of the pairwise prompt has changed since.
        EngineFailed: no call at all was answered.
    """
    template = load_pairwise()
    rubric = f"{template.name}:{template.digest}"
    if (engine.name, engine.identity) != (pinned.judge, pinned.identity):
        raise UsageError(
            f"The calibration set has verdicts of {pinned.judge} ({pinned.identity}), and --judge is {engine.name} "
            f"({engine.identity}). Name that judge, or pin this one: srlm gate pin {quote(engine.name)}"
        )
    if rubric != pinned.rubric:
        raise UsageError(
            f"The calibration set was pinned with the prompt {pinned.rubric}, and this version of srlm asks with "
            f"{rubric}. Pin it anew: srlm gate pin {quote(engine.name)}"
        )
    found = _judged(engine, [pair.match for pair in pinned.pairs], ledger, progress)
    return compared_with(pinned, [one.orders for one in found], risk)


def compared_with(pinned: Calibration, today: Sequence[Orders], risk: float) -> Asked:
    """The verdicts of `today`, in the order of the pinned pairs, beside the pinned ones."""
    both = list(zip(pinned.pairs, today, strict=True))
    verdicts = [(pair.instruction, *ends) for pair, orders in both for ends in zip(pair.orders, orders, strict=True)]
    labels = [
        (pair.instruction, _right(then), _right(now))
        for pair, orders in both
        if (then := _mean(pair.orders)) is not None and (now := _mean(orders)) is not None
    ]
    changed = paired_difference(
        [now for _, _, now in labels], [then for _, then, _ in labels], [owner for owner, _, _ in labels]
    )
    gap = changed.difference
    return Asked(
        judge=pinned.judge,
        same=rate(
            (owner, float(_right(then) == _right(now)))
            for owner, then, now in verdicts
            if then is not None and now is not None
        ),
        read=rate((owner, float(now is not None)) for owner, _, now in verdicts),
        labels=changed,
        moved=changed.p_value < risk and gap.low * gap.high > 0,
    )


def refuse_other_judges(pinned: Calibration, compared: Compared, suites: Sequence[str]) -> None:
    """Raise UsageError where a suite was judged by somebody whom the calibration says nothing about."""
    for one in compared.judges:
        if one.suite in suites and one.judge != f"{pinned.judge} {pinned.identity}":
            raise UsageError(
                f"The suite {one.suite} was judged by {one.judge}, and the calibration set is of {pinned.judge} "
                f"{pinned.identity}: it says nothing about these verdicts. Pin the judge that gave them: srlm gate pin"
            )


def read_calibration(path: Path) -> Calibration:
    """What `srlm gate pin` wrote.

    Raises:
        DataError: there is no such file, or it is something else.
    """
    if not path.exists():
        raise DataError(path, "there is no such calibration set. Make one with: srlm gate pin SPEC")
    try:
        return TypeAdapter(Calibration).validate_python(read_json(path))
    except ValidationError as error:
        raise DataError(
            path, f"is no calibration set of this version ({explain(error)}). Make one: srlm gate pin"
        ) from None


def _judged(engine: Engine, matches: Sequence[Match], ledger: Ledger, progress: Progress) -> list[Preference]:
    label = f"{engine.name} on {len(matches)} labelled pairs, both orders"
    return compare(Caller(engine, ledger, STAGE, progress), load_pairwise(), matches, label=label)


def _texts(match: Match) -> tuple[str, str]:
    return match.first.text, match.second.text


def _mean(orders: Orders) -> float | None:
    one, two = orders
    return None if one is None or two is None else (one + two) / 2


def _right(value: float) -> float:
    """1 where the better answer is preferred, 0 where the other one is, a half for neither."""
    return 0.5 if value == 0.5 else float(value > 0.5)
