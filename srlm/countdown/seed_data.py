"""Seed data of Countdown by the rule "exactly once", made by its checker: forms to learn, for IFT and for EFT.

IFT: the work, some attempts that fail and one that does not, then the line with the answer. EFT: a right and a wrong
expression for each puzzle, judged by working it out: the numbers, each operation with its result, the comparison with
the target. A judge that learned this reads the expression alone (`rollouts.shows: answer`).

The puzzles are of the training split, and of a seed of their own, so that few of them come in the rollouts again.
"""

import random
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Literal

from srlm.countdown.expression import read_expression
from srlm.countdown.task import Countdown, Rule, combine, countdowns_of, read_equation
from srlm.seeding import derive_seed
from srlm.types import Demonstration, RankedAnswer, RankedPrompt

RULE: Rule = "exactly once"
SIZES = (3, 3, 3, 4)
"""How many numbers the puzzles have, in turn."""
DEMONSTRATIONS = 600
RANKED = 2000
HELD_OUT = 100
"""Puzzles with two judged answers each: for training, and held out."""
ATTEMPTS = 2
"""Maximum number of attempts that fail in a demonstration."""
FAULTS = {"value": 10, "missing": 2, "twice": 3, "replaced": 5, "foreign": 3, "target": 1, "words": 1}
"""What is wrong with wrong answers, with its frequency: the value, the numbers, or that it is no expression."""
EQUATIONS = 0.2
"""Share of the answers that are an equation with the target, which a wrong answer claims too."""


def demonstrations(seed: int) -> list[Demonstration]:
    """Create solved puzzles."""
    made = []
    for number, puzzle in enumerate(_puzzles(seed, "ift", DEMONSTRATIONS)):
        chance = _chance(seed, "ift", puzzle)
        attempts = [combine(chance, puzzle.numbers) for _ in range(chance.randint(0, ATTEMPTS))]
        failed = dict.fromkeys(expression for value, expression in attempts if value != puzzle.target)
        lines = [_worked_out(puzzle, one) for one in [*failed, puzzle.solution]]
        text = "\n".join([*lines, f"Answer: {puzzle.solution}"])
        made.append(Demonstration(f"ift-{number:03d}", puzzle.prompt(RULE), text))
    return made


def ranked(seed: int) -> list[RankedPrompt]:
    """Create puzzles with a right and a wrong answer: the training split, then the validation split."""
    found = []
    for number, puzzle in enumerate(_puzzles(seed, "eft", RANKED + HELD_OUT)):
        chance = _chance(seed, "eft", puzzle)
        right, wrong = puzzle.solution, _wrong(puzzle, chance)
        if read_expression(wrong) and chance.random() < EQUATIONS:
            right, wrong = f"{right} = {puzzle.target}", f"{wrong} = {puzzle.target}"
        answers = tuple(
            RankedAnswer(text, rank, 1 - rank, verdict(puzzle, text)) for rank, text in enumerate([right, wrong])
        )
        split: Literal["train", "validation"] = "train" if number < RANKED else "validation"
        found.append(RankedPrompt(f"eft-{number:04d}", puzzle.prompt(RULE), answers, split, scale="0-1"))
    return found


def verdict(puzzle: Countdown, answer: str) -> str:
    """Return the reasons of a judgement: the numbers of an answer, and its value, worked out.

    After each number it says which of the given ones are left: a small model that compares two whole lists overlooks a
    number that was not given (results/reproductions/rlsr-countdown).
    """
    found = read_equation(answer, puzzle.target)
    if found is None:
        return "No expression."
    said, left = [f"Given {_listed(puzzle.numbers)}."], list(puzzle.numbers)
    for number in found.numbers:
        if number not in left:
            return " ".join([*said, f"{number}: not left."])
        left.remove(number)
        said.append(f"{number}: left {_listed(left) or 'none'}.")
    if left:
        return " ".join([*said, "Not all are used."])
    equal = "is" if found.value == puzzle.target else "is not"
    return " ".join([*said, f"{', '.join(found.steps)}. {found.value} {equal} {puzzle.target}."])


def _puzzles(seed: int, purpose: str, count: int) -> list[Countdown]:
    return list(islice(countdowns_of("train", derive_seed(seed, purpose), SIZES), count))


def _chance(seed: int, purpose: str, puzzle: Countdown) -> random.Random:
    return random.Random(derive_seed(seed, purpose, puzzle.id))


def _worked_out(puzzle: Countdown, expression: str) -> str:
    """Return the operations of an expression as a line of work: "25 + 2 = 27, 27 * 3 = 81, not 80."."""
    found = read_expression(expression)
    if found is None:
        raise ValueError(f"{expression} is no expression")
    ending = "" if found.value == puzzle.target else f", not {puzzle.target}"
    return f"{', '.join(found.steps)}{ending}."


def _wrong(puzzle: Countdown, chance: random.Random) -> str:
    """Sample a wrong answer: a fault is drawn, and drawn again where the puzzle does not allow it."""
    while True:
        fault = chance.choices(list(FAULTS), list(FAULTS.values()))[0]
        answer = _faulty(fault, puzzle, chance)
        found = read_equation(answer, puzzle.target)
        right = found and Counter(found.numbers) == Counter(puzzle.numbers) and found.value == puzzle.target
        if not right:
            return answer


def _faulty(fault: str, puzzle: Countdown, chance: random.Random) -> str:
    numbers, target = puzzle.numbers, puzzle.target
    one, *rest = chance.sample(numbers, len(numbers))
    match fault:
        case "value":  # the nearest of some attempts, so that a judge has to work it out
            attempts = [combine(chance, numbers) for _ in range(chance.randint(1, 6))]
            missed = [attempt for attempt in attempts if attempt[0] != target] or attempts
            return min(missed, key=lambda attempt: abs(attempt[0] - target))[1]
        case "missing":
            return combine(chance, rest)[1]
        case "twice":
            return combine(chance, [*rest, chance.choice(rest)] if chance.random() < 0.5 else [*numbers, one])[1]
        case "replaced":  # a number that was not given, in any place
            near = one + chance.choice([-2, -1, 1, 2, 10, -10])
            other = chance.choice([near if near > 0 else one + 1, chance.randint(1, 99), target])
            return combine(chance, [*rest, other])[1]
        case "foreign":  # it comes to the target, by a number that was not given
            value, expression = combine(chance, rest)
            sign = "+" if value < target else "-"
            return f"{expression} {sign} {abs(target - value)}"
        case "target":
            return str(target)
    return chance.choice(["no solution", f"({combine(chance, numbers)[1]}", "It cannot be made.", "(2 + 3) x"])


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
