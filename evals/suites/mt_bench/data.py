"""MT-Bench (arXiv 2306.05685): what its 80 two-turn questions are, and the means of their grades.

A mean is over the grades that there are, both turns together, as FastChat has it: a grade that is missing leaves `n`,
and is counted beside it. The turns of one conversation are not independent, so intervals are clustered by question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from srlm.stats.intervals import Estimate, mean_interval

SCALE = (1.0, 10.0)
"""The lowest and the highest grade."""

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
"""The categories whose answers are graded beside a reference."""

GROUPS = {
    "math_code_reasoning": ("math", "coding", "reasoning"),
    "hum_extr_stem_role_writ": ("humanities", "extraction", "stem", "roleplay", "writing"),
}
"""The two groups of the self-rewarding paper (arXiv 2401.10020, Table 2)."""

LABELS = {
    "math_code_reasoning": "mathematics, coding, reasoning",
    "hum_extr_stem_role_writ": "humanities, extraction, STEM, roleplay, writing",
}

NUMBERED = {81 + place: CATEGORIES[place // 10] for place in range(80)}
"""The category of each question by its published number: ten a category, from 81 to 160."""

State = Literal["scored", "unparsed", "failed", "unanswered", "absent"]


@dataclass(frozen=True)
class Question:
    """Two turns, and their reference answers where the category has them."""

    id: int
    category: str
    turns: tuple[str, str]
    references: tuple[str, str] | None = None


@dataclass(frozen=True)
class Grade:
    """What the judge gave one turn; None where there is no grade.

    `state` says why: the judge's words hold no grade (`unparsed`), its call broke (`failed`), there was no answer to
    grade (`unanswered`), or a file of judgements has no record (`absent`). `length` is the answer's, in characters.
    """

    question: int
    category: str
    turn: Literal[1, 2]
    score: float | None
    state: State
    length: int | None = None


@dataclass(frozen=True)
class Figure:
    """A mean grade of both turns together and of each. `missing` turns have no grade and are in none of them."""

    both: Estimate
    turn_1: Estimate
    turn_2: Estimate
    missing: int

    @property
    def limits(self) -> tuple[float, float]:
        """Where the mean would lie if each missing grade were the lowest, or the highest; nan without any grade."""
        total, n = self.both.value * self.both.n, self.both.n + self.missing
        return (total + SCALE[0] * self.missing) / n, (total + SCALE[1] * self.missing) / n


def figures(grades: Sequence[Grade]) -> dict[str, Figure]:
    """The mean overall, in the paper's two groups and in each category; what has no question is left out."""
    sets = {"overall": None, **GROUPS, **{category: (category,) for category in _categories(grades)}}
    chosen = {
        key: [one for one in grades if categories is None or one.category in categories]
        for key, categories in sets.items()
    }
    return {key: _figure(some) for key, some in chosen.items() if some}


def _categories(grades: Sequence[Grade]) -> list[str]:
    """MT-Bench's in its order, then those of somebody's own questions."""
    found = {one.category for one in grades}
    return [*(one for one in CATEGORIES if one in found), *sorted(found - set(CATEGORIES))]


def _figure(grades: Sequence[Grade]) -> Figure:
    def mean(*turns: int) -> Estimate:
        given = [(one.score, one.question) for one in grades if one.score is not None and one.turn in turns]
        return mean_interval([score for score, _ in given], [question for _, question in given], bounds=SCALE)

    return Figure(mean(1, 2), mean(1), mean(2), sum(one.score is None for one in grades))
