"""Seed data of the puzzle task, made by its checker: solved puzzles for IFT, judged answers for EFT.

`Puzzle.check` replaces human rankings: the rationale of a judgement is its row of y and n.
"""

import random

from srlm.puzzle.task import VALUES, Puzzle, Split, puzzles
from srlm.seeding import derive_seed
from srlm.types import Demonstration, RankedAnswer, RankedPrompt

DEMONSTRATIONS = 48
RANKED = 500
HELD_OUT = 100
ANSWERS = 4
"""Judged answers to each ranked puzzle: 2,000 judgements for training."""
SOLVED, MALFORMED = 0.15, 0.05
"""Shares of the judged answers; the others are solutions with some digits changed."""
CHANGES = 4
"""Maximum number of changed digits."""


def demonstrations(seed: int) -> list[Demonstration]:
    """Create solved puzzles."""
    made = []
    for number, puzzle in enumerate(puzzles("ift", seed)[:DEMONSTRATIONS]):
        made.append(Demonstration(f"ift-{number:03d}", puzzle.relations, _solution(puzzle, _chance(seed, puzzle))))
    return made


def ranked(seed: int) -> list[RankedPrompt]:
    """Create puzzles with scored answers of all qualities: the training split, then the validation split."""
    chosen: list[tuple[Split, int]] = [("eft", RANKED), ("validation", HELD_OUT)]
    return [
        RankedPrompt(
            id=f"{split}-{number:03d}",
            instruction=puzzle.relations,
            answers=_answers(puzzle, _chance(seed, puzzle)),
            split="validation" if split == "validation" else "train",
        )
        for split, count in chosen
        for number, puzzle in enumerate(puzzles(split, seed)[:count])
    ]


def changed(answer: str, count: int, rng: random.Random) -> str:
    """Replace `count` digits of an answer by other digits."""
    digits = list(answer)
    for place in rng.sample(range(len(digits)), count):
        digits[place] = rng.choice([str(value) for value in range(1, VALUES + 1) if str(value) != digits[place]])
    return "".join(digits)


def _answers(puzzle: Puzzle, rng: random.Random) -> tuple[RankedAnswer, ...]:
    """Sample answers with at least two different scores, the best first; equal scores have equal rank."""
    texts: set[str] = set()
    while len(texts) < ANSWERS or len({puzzle.score(text) for text in texts}) < 2:
        if len(texts) == ANSWERS:
            texts.clear()
        texts.add(_attempt(puzzle, rng))
    ordered = sorted(texts, key=lambda text: (-puzzle.score(text), text))
    scores = sorted({puzzle.score(text) for text in texts}, reverse=True)
    return tuple(
        RankedAnswer(text, scores.index(puzzle.score(text)), puzzle.score(text), puzzle.check(text)) for text in ordered
    )


def _attempt(puzzle: Puzzle, rng: random.Random) -> str:
    """Sample what a model might write: a solution, a string of the wrong length, or a solution with errors."""
    solution = _solution(puzzle, rng)
    drawn = rng.random()
    if drawn < SOLVED:
        return solution
    if drawn < SOLVED + MALFORMED:
        return rng.choice([solution[:-1], solution + rng.choice(solution)])
    return changed(solution, rng.randint(1, CHANGES), rng)


def _solution(puzzle: Puzzle, rng: random.Random) -> str:
    solution = puzzle.solve(rng)
    if solution is None:
        raise ValueError(f"{puzzle.relations} has no solution")
    return solution


def _chance(seed: int, puzzle: Puzzle) -> random.Random:
    return random.Random(derive_seed(seed, "answers", puzzle.relations))
