"""Which of two answers is better. Judges favour a position (Zheng et al. 2023, section 3.3), so both orders are asked.

The judge's next token is compared between "A" and "B": a verdict's value is the probability of the answer shown first.
An engine that gives no probabilities gives a plain vote, 1 or 0. A `Preference` can be read in three ways:

    verdict   win, tie or loss; a tie when the orders disagree: the head-to-head of arXiv 2401.10020, section 3.2
    mean      of both orders: uses how sure the judge is, and a liking for a position cancels out
    single    one order a pair, drawn from the instruction: AlpacaEval 2 (arXiv 2404.04475), at half of the calls

A judge that thinks before it answers is about to say something else than "A" or "B": such verdicts are not read, by the
probability that both have together. `Voting` gives a judge behind a server room to think; its words are then the vote.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from srlm.inference import Caller
from srlm.judges.injection import find_all_injections
from srlm.judges.parse import LEAST_MASS, read_choice
from srlm.judges.template import Template, load_template
from srlm.seeding import model_first
from srlm.strip_reasoning import mass_of, thoughts_of
from srlm.types import GREEDY, Answer, Failed, InjectionFlag, Message, Request, Scored, Verdict

SLOTS = ("instruction", "answer_a", "answer_b")
CHOICES = ("A", "B")


@dataclass(frozen=True)
class Voting:
    """How a judge is asked to choose: in how many tokens, and how much of its probability both answers must have."""

    tokens: int = 1
    least_mass: float = LEAST_MASS

    def label(self, template: Template) -> str:
        """The template by its name and digest, with what is not as usual: verdicts of two labels are not alike."""
        more = f" in {self.tokens} tokens" if self.tokens != 1 else ""
        mass = f" with a mass of {self.least_mass:g}" if self.least_mass != LEAST_MASS else ""
        return f"{template.name}:{template.digest}{more}{mass}"


def voting_of(tokens: int | None, least_mass: float | None) -> Voting:
    """How a judge is asked to choose by options, each of which may not be given."""
    return Voting(tokens or 1, LEAST_MASS if least_mass is None else least_mass)


VOTE = Voting()
"""The next token alone, as always."""


@dataclass(frozen=True)
class Match:
    """Two answers to one instruction."""

    id: str
    instruction: str
    first: Answer
    second: Answer

    @property
    def drawn(self) -> int:
        """The order that is shown where only one is: 0 for (first, second), 1 for (second, first).

        A coin that depends on the instruction alone, the one of AlpacaEval 2: with a model's answer as `first` and the
        reference as `second`, a judge sees every pair as it did there.
        """
        return 0 if model_first(self.instruction) else 1

    def shown(self, order: int) -> tuple[Answer, Answer]:
        """Its answers as a judge sees them."""
        return (self.first, self.second) if order == 0 else (self.second, self.first)


@dataclass(frozen=True)
class Preference:
    """A judged match. `orders` are two estimates of one probability, that `first` is better.

    The one is from the order (first, second), the other from (second, first); None where there is no readable verdict.
    `verdicts` are those that were asked for: one, or both in that order.
    """

    match: Match
    orders: tuple[float | None, float | None]
    verdicts: tuple[Verdict, ...]

    @property
    def value(self) -> float | None:
        """The mean of both orders, or the single one where only one was asked."""
        return self.single if len(self.verdicts) == 1 else self.mean

    @property
    def verdict(self) -> Literal["win", "tie", "loss"] | None:
        """What both orders say of `first`; a tie when they disagree, or when either is undecided."""
        return verdict_of(self.orders)

    @property
    def mean(self) -> float | None:
        """None when either order gave no readable verdict: half a comparison would carry the judge's position bias."""
        one, two = self.orders
        return None if one is None or two is None else (one + two) / 2

    @property
    def single(self) -> float | None:
        """What the order says that the instruction draws."""
        return self.orders[self.match.drawn]

    @property
    def consistent(self) -> bool | None:
        """Whether both orders name the same winner; None where one is missing."""
        one, two = self.orders
        return None if one is None or two is None else (one > 0.5) == (two > 0.5)


def verdict_of(orders: tuple[float | None, float | None]) -> Literal["win", "tie", "loss"] | None:
    """What two estimates of one probability, from both orders, say of the first answer; None where one is missing."""
    one, two = orders
    if one is None or two is None:
        return None
    if one > 0.5 and two > 0.5:
        return "win"
    return "loss" if one < 0.5 and two < 0.5 else "tie"


def load_pairwise() -> Template:
    """The pairwise prompt that ships with srlm."""
    return load_template("pairwise", SLOTS)


def compare(
    caller: Caller,
    template: Template,
    matches: Sequence[Match],
    *,
    label: str,
    orders: Literal["both", "one"] = "both",
    voting: Voting = VOTE,
) -> list[Preference]:
    """Judge every match in both orders, or in the one that its instruction draws."""
    asked = [(match, order) for match in matches for order in ((0, 1) if orders == "both" else (match.drawn,))]
    requests: list[Request] = []
    sampling = replace(GREEDY, max_tokens=voting.tokens)
    for match, order in asked:
        one, two = match.shown(order)
        filled = template.fill(instruction=match.instruction, answer_a=one.text, answer_b=two.text)
        requests.append(Request((Message("user", filled),), sampling, choices=CHOICES))
    suspected: list[tuple[InjectionFlag, ...]] = []

    def look() -> Iterator[None]:
        for match in matches:
            suspected.append(find_all_injections((match.first, match.second), template))
            yield

    looking = look()
    replies = caller.ask(requests, label, background=looking)
    for _ in looking:
        pass
    each = 2 if orders == "both" else 1
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
                injection_suspected=suspected[number // each],
                thoughts=thoughts_of(reply),
                mass=mass_of(reply),
            )
        )
    return [_preference(match, verdicts[each * number : each * number + each]) for number, match in enumerate(matches)]


def _preference(match: Match, verdicts: Sequence[Verdict]) -> Preference:
    of_order: dict[int, float] = {}
    for verdict in verdicts:
        if isinstance(verdict.reading, Scored):
            value = verdict.reading.value
            of_order[verdict.sample] = value if verdict.sample == 0 else 1 - value
    return Preference(match, (of_order.get(0), of_order.get(1)), tuple(verdicts))
