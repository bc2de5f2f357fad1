"""Questions of MT-Bench (arXiv 2306.05685): 80 of two turns, ten per category."""

from dataclasses import dataclass

SCALE = (1.0, 10.0)
"""Lowest and highest grade."""

TEMPERATURES = {
    "writing": 0.7,
    "roleplay": 0.7,
    "reasoning": 0.0,
    "math": 0.0,
    "coding": 0.0,
    "extraction": 0.0,
    "stem": 0.1,
    "humanities": 0.1,
}
"""FastChat's temperature of an answer, by category, in the order of the questions."""

CATEGORIES = tuple(TEMPERATURES)

WITH_REFERENCE = frozenset({"math", "reasoning", "coding"})
"""Categories whose answers are graded with a reference."""

NUMBERED = {81 + place: CATEGORIES[place // 10] for place in range(80)}
"""The category of each question by its published number: ten a category, from 81 to 160."""


@dataclass(frozen=True)
class Question:
    """Two turns, with their reference answers where the category has them."""

    id: int
    category: str
    turns: tuple[str, str]
    references: tuple[str, str] | None = None
