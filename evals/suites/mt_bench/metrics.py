"""What is read off grades of conversations: the rows of a comparison, turn by turn, and their captions."""

from collections.abc import Callable, Sequence

from evals.answer_checks import ending_warnings, injection_warnings, untrusted_reason
from evals.metric import Metric, Series, metric, observed_range
from evals.suite import Selection
from evals.suites.mt_bench.data import CATEGORIES, NUMBERED, SCALE
from evals.suites.mt_bench.grades import GROUPS, LABELS
from evals.suites.mt_bench.result import Grade, MtBenchResult

Values = dict[str, Series]
"""By model: turn of a question -> (question, value)."""


def metrics(chosen: Selection[MtBenchResult]) -> list[Metric]:
    """Overall, by turn, in the paper's two groups, by category; then how long answers are and how many have a grade."""
    results = chosen.results

    def grades(counted: Callable[[Grade], bool]) -> Values:
        return _values(results, lambda one: one.score if counted(one) else None)

    def within(categories: Sequence[str]) -> Values:
        return grades(lambda one: one.category in categories)

    def grade(key: str, label: str, values: Values, *, tested: bool = False, level: int = 1, of: str = "") -> Metric:
        return metric(key, label, "grade", "more", values, SCALE, tested=tested, level=level, category=of)

    name = "MT-Bench" if published(results[0]) else "two-turn questions"
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
    return [
        *found,
        metric(
            "mt_bench_length",
            "mean length",
            "chars",
            "neither",
            length,
            observed_range(length),
            tested=False,
            level=1,
        ),
        metric("mt_bench_graded", "turns with a grade", "%", "more", graded, (0, 1), tested=False, level=1),
    ]


def untrusted(chosen: Selection[MtBenchResult]) -> dict[str, str]:
    """Models whose grades need not come from good answers, and why."""
    found = {one.model: untrusted_reason(len(one.grades), one.flagged) for one in chosen.results}
    return {model: why for model, why in found.items() if why}


def captions(chosen: Selection[MtBenchResult]) -> list[str]:
    """What the figures are of; and a warning for each model whose means leave out turns, or that spoke to the judge."""
    results = chosen.results
    first = results[0]
    questions = len({one.question for one in first.grades})
    what = "MT-Bench" if published(first) else "Not MT-Bench's questions"
    found = [
        f"{what}: {questions} questions of two turns, graded 1-10 by {first.provenance.judge.split(' ')[0]} with our "
        f"own prompts ({first.provenance.sampling}); intervals and tests are clustered by question. Other judges and "
        "prompts give other grades: published ones are not comparable with these."
    ]
    for result in results:
        states = [one.state for one in result.grades]
        missing = sum(state != "scored" for state in states)
        if missing:
            found.append(
                f"Attention: {missing} of {len(states)} turns of {result.model} have no grade "
                f"({states.count('unparsed')} unread, {states.count('failed')} failed, {states.count('unanswered')} "
                "without an answer). No mean counts them, and a difference is over the turns that both models have."
            )
        found += injection_warnings(result.model, "grades", result.flagged)
        found += ending_warnings(result.model, result.endings)
    return found


def published(result: MtBenchResult) -> bool:
    """Whether the questions have the numbers of MT-Bench's; those that ship with srlm have others."""
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
