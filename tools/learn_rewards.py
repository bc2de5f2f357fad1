"""Rewards of the learning test that are not the model's judgement: programs for the setting `reward`.

checker          1 for a solved puzzle, else 0: what the best judge of right and wrong would say
points           the points of the rubric as the checker counts them: what the best judge of the rubric would say
random_points    points drawn at random for each answer to each puzzle
constant         the same for every answer

Answers are judged by these in place of the model with `make learn LEARN="--learn rollouts"`.
"""

from srlm.puzzle.task import FULL_SCORE, Puzzle
from srlm.seeding import derive_seed


def checker(prompt: str, answer: str) -> bool:
    """Return whether an answer solves the puzzle."""
    return Puzzle(prompt).score(answer.strip()) == FULL_SCORE


def points(prompt: str, answer: str) -> int:
    """Return the points of an answer."""
    return Puzzle(prompt).score(answer.strip())


def random_points(prompt: str, answer: str) -> int:
    """Return points that depend on the puzzle and the answer, but not on whether the one solves the other."""
    return derive_seed("random points", prompt, answer) % (FULL_SCORE + 1)


def constant(prompt: str, answer: str) -> int:
    """Return the highest score."""
    return FULL_SCORE
