"""The seeds of the puzzle world, made by its checker: solved puzzles for IFT, judged answers for EFT.

In the place of people who rank answers stands `Puzzle.check`: a judgement's rationale is its row of y and n.
"""

import random

from srlm.puzzle.task import VALUES, Part, Puzzle, puzzles
from srlm.seeding import derive_seed
from srlm.types import Demonstration, RankedAnswer, RankedPrompt

DEMONSTRATIONS = 48
RANKED = 500
HELD_OUT = 100
ANSWERS = 4
"""Judged answers to each ranked puzzle, so that there are 2,000 judgements to learn from."""
SOLVED, MALFORMED = 0.15, 0.05
"""Shares of the judged answers; the others are solutions with some digits changed."""
CHANGES = 4
"""Digits that are changed at the most."""


def demonstrations(seed: int) -> list[Demonstration]:
    """Solved puzzles."""
    made = []
    for number, puzzle in enumerate(puzzles("ift", seed)[:DEMONSTRATIONS]):
        made.append(Demonstration(f"ift-{number:03d}", puzzle.relations, _solution(puzzle, _chance(seed, puzzle))))
    return made


def ranked(seed: int) -> list[RankedPrompt]:
    """Puzzles with answers of every quality, with scores: the training part, then the part held out from it."""
    chosen: list[tuple[Part, int]] = [("eft", RANKED), ("validation", HELD_OUT)]
    return [
        RankedPrompt(
            id=f"{part}-{number:03d}",
            instruction=puzzle.relations,
            answers=_answers(puzzle, _chance(seed, puzzle)),
            split="validation" if part == "validation" else "train",
        )
        for part, count in chosen
        for number, puzzle in enumerate(puzzles(part, seed)[:count])
    ]


def changed(answer: str, count: int, chance: random.Random) -> str:
    """An answer with so many of its digits replaced by others."""
    digits = list(answer)
    for place in chance.sample(range(len(digits)), count):
        digits[place] = chance.choice([str(value) for value in range(1, VALUES + 1) if str(value) != digits[place]])
    return "".join(digits)


def _answers(puzzle: Puzzle, chance: random.Random) -> tuple[RankedAnswer, ...]:
    """Answers of at least two scores, the best first; equal scores have equal rank."""
    texts: set[str] = set()
    while len(texts) < ANSWERS or len({puzzle.score(text) for text in texts}) < 2:
        if len(texts) == ANSWERS:
            texts.clear()
        texts.add(_attempt(puzzle, chance))
    ordered = sorted(texts, key=lambda text: (-puzzle.score(text), text))
    scores = sorted({puzzle.score(text) for text in texts}, reverse=True)
    return tuple(
        RankedAnswer(text, scores.index(puzzle.score(text)), puzzle.score(text), puzzle.check(text)) for text in ordered
    )


def _attempt(puzzle: Puzzle, chance: random.Random) -> str:
    """What a model might write: a solution, something of the wrong length, or a solution with mistakes."""
    solution = _solution(puzzle, chance)
    luck = chance.random()
    if luck < SOLVED:
        return solution
    if luck < SOLVED + MALFORMED:
        return chance.choice([solution[:-1], solution + chance.choice(solution)])
    return changed(solution, chance.randint(1, CHANGES), chance)


def _solution(puzzle: Puzzle, chance: random.Random) -> str:
    solution = puzzle.solve(chance)
    if solution is None:
        raise ValueError(f"{puzzle.relations} has no solution")
    return solution


def _chance(seed: int, puzzle: Puzzle) -> random.Random:
    return random.Random(derive_seed(seed, "answers", puzzle.relations))
