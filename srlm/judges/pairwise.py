"""Pairwise LLM-as-a-judge: the better of two answers, in both orders of presentation.

Judges have a position bias (Zheng et al. 2023, section 3.3), so each pair is judged in both orders. The value of a
verdict is the probability of "A" against "B" as the judge's next token, that is of the answer shown first. Engines
without probabilities give a plain vote, 1 or 0. A `Preference` has two values:

    verdict   win, tie or loss; a tie if the orders disagree: the head-to-head of arXiv 2401.10020, section 3.2
    value     mean of both orders: it has the judge's confidence, and a position bias cancels out

A judge that reasons before it answers would give its next token neither "A" nor "B": its verdict is unparsed if both
have too little probability together. `Voting` allows a judge behind a server to reason first and then vote in words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from srlm.inference import Caller
from srlm.judges.injection import find_all_injections
from srlm.judges.parse import LEAST_MASS, read_choice
from srlm.judges.template import Template, load_template
from srlm.strip_reasoning import mass_of, thoughts_of
from srlm.types import GREEDY, Answer, Failed, InjectionFlag, Message, Request, Scored, Verdict

SLOTS = ("instruction", "answer_a", "answer_b")
CHOICES = ("A", "B")


@dataclass(frozen=True)
class Voting:
    """Settings of a judge's vote: maximum number of tokens, and minimum probability of both choices together."""

    tokens: int = 1
    least_mass: float = LEAST_MASS

    def label(self, template: Template) -> str:
        """Return the name and digest of the template, with the settings that are not the default."""
        more = f" in {self.tokens} tokens" if self.tokens != 1 else ""
        mass = f" with a mass of {self.least_mass:g}" if self.least_mass != LEAST_MASS else ""
        return f"{template.name}:{template.digest}{more}{mass}"


def voting_of(tokens: int | None, least_mass: float | None) -> Voting:
    """Return the settings of a vote from command-line options, with the default for None."""
    return Voting(tokens or 1, LEAST_MASS if least_mass is None else least_mass)


VOTE = Voting()
"""The default: one token."""


@dataclass(frozen=True)
class Match:
    """Two answers to one instruction; `context` is what comes before it, as in `Prompt`."""

    id: str
    instruction: str
    first: Answer
    second: Answer
    context: tuple[Message, ...] = ()

    def shown(self, order: int) -> tuple[Answer, Answer]:
        """Return both answers in the order of presentation: (first, second) for 0, (second, first) for 1."""
        return (self.first, self.second) if order == 0 else (self.second, self.first)


@dataclass(frozen=True)
class Preference:
    """A judged match. `orders` are two estimates of the probability that `first` is better.

    One is from the order (first, second), the other from (second, first); None without a parsed verdict. `verdicts` are
    in the same order.
    """

    match: Match
    orders: tuple[float | None, float | None]
    verdicts: tuple[Verdict, ...]

    @property
    def value(self) -> float | None:
        """The mean of both orders; None if one is missing, because a single order has the judge's position bias."""
        one, two = self.orders
        return None if one is None or two is None else (one + two) / 2

    @property
    def verdict(self) -> Literal["win", "tie", "loss"] | None:
        """The result of `first`; a tie if the orders disagree or one is undecided, None if one is missing."""
        return verdict_of(self.orders)

    @property
    def consistent(self) -> bool | None:
        """True if both orders have the same winner; None if one is missing."""
        one, two = self.orders
        return None if one is None or two is None else (one > 0.5) == (two > 0.5)


def verdict_of(orders: tuple[float | None, float | None]) -> Literal["win", "tie", "loss"] | None:
    """Return the result of the first answer from two estimates of its probability; None if one is missing."""
    one, two = orders
    if one is None or two is None:
        return None
    if one > 0.5 and two > 0.5:
        return "win"
    return "loss" if one < 0.5 and two < 0.5 else "tie"


def load_pairwise() -> Template:
    """Load the pairwise prompt of srlm."""
    return load_template("pairwise", SLOTS)


def compare(
    caller: Caller, template: Template, matches: Sequence[Match], *, label: str, voting: Voting = VOTE
) -> list[Preference]:
    """Judge every match in both orders."""
    asked = [(match, order) for match in matches for order in (0, 1)]
    requests: list[Request] = []
    sampling = replace(GREEDY, max_tokens=voting.tokens)
    for match, order in asked:
        one, two = match.shown(order)
        filled = template.fill(match.context, instruction=match.instruction, answer_a=one.text, answer_b=two.text)
        requests.append(Request((Message("user", filled),), sampling, choices=CHOICES))
    flagged: list[tuple[InjectionFlag, ...]] = []

    def flag() -> Iterator[None]:
        for match in matches:
            flagged.append(find_all_injections((match.first, match.second), template, match.context))
            yield

    flagging = flag()
    replies = caller.ask(requests, label, background=flagging)
    for _ in flagging:
        pass
    verdicts: list[Verdict] = []
    for number, ((match, order), (key, reply)) in enumerate(zip(asked, replies, strict=True)):
        verdicts.append(
            Verdict(
                id=f"{match.id}-v{order}",
                judge=caller.engine.name,
                rubric=voting.label(template),
                answer_ids=tuple(answer.id for answer in match.shown(order)),
                reading=reply if isinstance(reply, Failed) else read_choice(reply, CHOICES, voting.least_mass),
                sample=order,
                call=key[:16],
                injection_suspected=flagged[number // 2],
                thoughts=thoughts_of(reply),
                mass=mass_of(reply),
            )
        )
    return [_preference(match, verdicts[2 * number : 2 * number + 2]) for number, match in enumerate(matches)]


def _preference(match: Match, verdicts: Sequence[Verdict]) -> Preference:
    of_order: dict[int, float] = {}
    for verdict in verdicts:
        if isinstance(verdict.reading, Scored):
            value = verdict.reading.value
            of_order[verdict.sample] = value if verdict.sample == 0 else 1 - value
    return Preference(match, (of_order.get(0), of_order.get(1)), tuple(verdicts))
