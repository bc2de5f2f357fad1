"""Mean grades of MT-Bench: overall, in the two groups of the self-rewarding paper, and by category.

A mean is over the available grades of both turns, as in FastChat: a missing grade is not in `n` and is counted
separately. The turns of one conversation are not independent, so intervals are clustered by question.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from evals.suites.mt_bench.data import CATEGORIES, SCALE
from evals.suites.mt_bench.result import Grade
from srlm.stats.intervals import Estimate, mean_interval

GROUPS = {
    "math_code_reasoning": ("math", "coding", "reasoning"),
    "hum_extr_stem_role_writ": ("humanities", "extraction", "stem", "roleplay", "writing"),
}
"""The two groups of the self-rewarding paper (arXiv 2401.10020, Table 2)."""

LABELS = {
    "math_code_reasoning": "mathematics, coding, reasoning",
    "hum_extr_stem_role_writ": "humanities, extraction, STEM, roleplay, writing",
}


@dataclass(frozen=True)
class MeanGrades:
    """Mean grade of both turns together and of each. `missing` turns have no grade and are in none of the means."""

    both: Estimate
    turn_1: Estimate
    turn_2: Estimate
    missing: int

    @property
    def limits(self) -> tuple[float, float]:
        """Return the mean if each missing grade were the lowest, and if it were the highest; nan without any grade."""
        total, n = self.both.value * self.both.n, self.both.n + self.missing
        return (total + SCALE[0] * self.missing) / n, (total + SCALE[1] * self.missing) / n


def mean_grades(grades: Sequence[Grade]) -> dict[str, MeanGrades]:
    """Compute the means overall, in the paper's two groups and in each category; empty sets are left out."""
    sets = {"overall": None, **GROUPS, **{category: (category,) for category in sorted_categories(grades)}}
    chosen = {
        key: [one for one in grades if categories is None or one.category in categories]
        for key, categories in sets.items()
    }
    return {key: _means(some) for key, some in chosen.items() if some}


def sorted_categories(grades: Sequence[Grade]) -> list[str]:
    """Return the categories of grades: MT-Bench's in its order, then those of other questions by name."""
    found = {one.category for one in grades}
    return [*(one for one in CATEGORIES if one in found), *sorted(found - set(CATEGORIES))]


def _means(grades: Sequence[Grade]) -> MeanGrades:
    def mean(*turns: int) -> Estimate:
        given = [(one.score, one.question) for one in grades if one.score is not None and one.turn in turns]
        return mean_interval([score for score, _ in given], [question for _, question in given], bounds=SCALE)

    return MeanGrades(mean(1, 2), mean(1), mean(2), sum(one.score is None for one in grades))
