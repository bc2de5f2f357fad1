"""Metrics of MT-Bench: mean grades overall, by turn, by group and by category."""

from collections.abc import Callable, Sequence

from evals.answer_checks import ending_warnings, injection_warnings, untrusted_reason
from evals.metric import Metric, Series, metric, observed_range
from evals.note import Note, caption, warning
from evals.suite import Selection
from evals.suites.mt_bench.data import CATEGORIES, NUMBERED, SCALE
from evals.suites.mt_bench.grades import GROUPS, LABELS
from evals.suites.mt_bench.result import Grade, MtBenchResult

Values = dict[str, Series]
"""By model: turn of a question -> (question, value)."""


def metrics(chosen: Selection[MtBenchResult]) -> list[Metric]:
    """Return mean grades overall, by turn, in the paper's two groups and by category; lengths; the share of grades."""
    results = chosen.results

    def grades(counted: Callable[[Grade], bool]) -> Values:
        return _values(results, lambda one: one.score if counted(one) else None)

    def within(categories: Sequence[str]) -> Values:
        return grades(lambda one: one.category in categories)

    def grade(key: str, label: str, values: Values, *, tested: bool = False, level: int = 1, of: str = "") -> Metric:
        return metric(key, label, "grade", "more", values, SCALE, tested=tested, level=level, category=of)

    name = "MT-Bench" if _is_mt_bench(results[0]) else "two-turn questions"
    present = {one.category for result in results for one in result.grades}
    found = [
        grade("mt_bench", f"{name}, both turns", grades(lambda one: True), tested=True, level=0),
        grade("mt_bench_turn_1", "turn 1", grades(lambda one: one.turn == 1)),
        grade("mt_bench_turn_2", "turn 2", grades(lambda one: one.turn == 2)),
    ]
    for group, categories in GROUPS.items():
        if present.intersection(categories):
            found.append(grade(f"mt_bench_{group}", LABELS[group], within(categories), tested=True))
    named = [*(one for one in CATEGORIES if one in present), *sorted(present - set(CATEGORIES))]
    found += [grade(f"mt_bench_{one}", one, within([one]), level=2, of=one) for one in named]
    length = _values(results, lambda one: None if one.length is None else float(one.length))
    graded = _values(results, lambda one: float(one.score is not None))
    bounds = observed_range(length)
    return [
        *found,
        metric("mt_bench_length", "mean length", "chars", "neither", length, bounds, tested=False, level=1),
        metric("mt_bench_graded", "turns with a grade", "%", "more", graded, (0, 1), tested=False, level=1),
    ]


def untrusted(chosen: Selection[MtBenchResult]) -> dict[str, str]:
    """Return the models whose grades need not come from good answers, with the reason."""
    found = {one.model: untrusted_reason(len(one.grades), one.flagged) for one in chosen.results}
    return {model: reason for model, reason in found.items() if reason}


def notes(chosen: Selection[MtBenchResult]) -> list[Note]:
    """Return the conditions of the metrics, and warnings on turns without a grade and on answers."""
    first = chosen.results[0]
    questions = len({one.question for one in first.grades})
    name = "MT-Bench" if _is_mt_bench(first) else "Not MT-Bench's questions"
    found = [
        caption(
            f"{name}: {questions} questions of two turns, graded 1-10 by {first.provenance.judge_name} with our own "
            f"prompts ({first.provenance.sampling}); intervals and tests are clustered by question. Other judges and "
            "prompts give other grades: published ones are not comparable with these."
        )
    ]
    for result in chosen.results:
        states = [one.state for one in result.grades]
        missing = sum(state != "scored" for state in states)
        if missing:
            text = (
                f"{missing} of {len(states)} turns of {result.model} have no grade ({states.count('unparsed')} "
                f"unparsed, {states.count('failed')} failed, {states.count('unanswered')} without an answer). No mean "
                "counts them, and a difference is over the turns that both models have."
            )
            found.append(warning(text, result.model))
        found += injection_warnings(result.model, "grades", result.flagged)
        found += ending_warnings(result.model, result.endings)
    return found


def _is_mt_bench(result: MtBenchResult) -> bool:
    """Check if the questions have the numbers of MT-Bench's; those that ship with srlm have others."""
    return all(one.question in NUMBERED for one in result.grades)


def _values(results: Sequence[MtBenchResult], pick: Callable[[Grade], float | None]) -> Values:
    return {
        result.model: Series(
            {
                f"{one.question}-{one.turn}": (str(one.question), value)
                for one in result.grades
                if (value := pick(one)) is not None
            }
        )
        for result in results
    }
