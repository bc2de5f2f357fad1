"""Which of two answers is better, asked in both orders: judges favour a position (Zheng et al. 2023, section 3.3).

The judge's next token is compared between "A" and "B" (as AlpacaEval 2 does): the value of a verdict is the
probability of the answer shown first. An engine that gives no probabilities gives a plain vote, 1 or 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from srlm.calls import ask
from srlm.display import Progress
from srlm.engines.engine import Engine
from srlm.judges.parse import read_choice
from srlm.judges.template import Template, load_template
from srlm.ledger import Ledger
from srlm.types import Answer, Failed, Message, Request, Scored, Verdict

SLOTS = ("instruction", "answer_a", "answer_b")
CHOICES = ("A", "B")


@dataclass(frozen=True)
class Match:
    """Two answers to one instruction."""

    id: str
    instruction: str
    first: Answer
    second: Answer


@dataclass(frozen=True)
class Preference:
    """A match judged in both orders. `value`: probability that `first` is better, the mean of both orders.

    `orders` are the two estimates of that same probability, from the order (first, second) and from (second, first).
    """

    match: Match
    orders: tuple[float | None, float | None]
    verdicts: tuple[Verdict, Verdict]

    @property
    def value(self) -> float | None:
        """None when either order gave no readable verdict: half a comparison would carry the judge's position bias."""
        one, two = self.orders
        return None if one is None or two is None else (one + two) / 2

    @property
    def consistent(self) -> bool | None:
        """Whether both orders name the same winner; None where one is missing."""
        one, two = self.orders
        return None if one is None or two is None else (one > 0.5) == (two > 0.5)


def load_pairwise() -> Template:
    """The pairwise prompt that ships with srlm."""
    return load_template("pairwise", SLOTS)


def compare(
    engine: Engine,
    template: Template,
    matches: Sequence[Match],
    ledger: Ledger,
    *,
    stage: str,
    progress: Progress,
    label: str,
) -> list[Preference]:
    """Judge every match in both orders."""
    requests: list[Request] = []
    for match in matches:
        for one, two in ((match.first, match.second), (match.second, match.first)):
            filled = template.fill(instruction=match.instruction, answer_a=one.text, answer_b=two.text)
            requests.append(Request((Message("user", filled),), choices=CHOICES))
    replies = ask(engine, requests, ledger, stage=stage, progress=progress, label=label)
    rubric = f"{template.name}:{template.digest}"
    found: list[Preference] = []
    for number, match in enumerate(matches):
        verdicts: list[Verdict] = []
        for order, ids in enumerate(((match.first.id, match.second.id), (match.second.id, match.first.id))):
            key, reply = replies[2 * number + order]
            reading = reply if isinstance(reply, Failed) else read_choice(reply, CHOICES)
            verdicts.append(Verdict(f"{match.id}-v{order}", engine.name, rubric, ids, reading, order, key[:16]))
        shown_first, shown_second = (
            verdict.reading.value if isinstance(verdict.reading, Scored) else None for verdict in verdicts
        )
        orders = (shown_first, None if shown_second is None else 1 - shown_second)
        found.append(Preference(match, orders, (verdicts[0], verdicts[1])))
    return found
