"""Metrics of lm-eval's tasks, and knowledge retention: on which tasks a model is better or worse than the baseline.

A row's value is the share of correct items: Wilson's interval, and between two models McNemar's exact test on the items
that only one of them answers correctly. lm-eval's own standard error stays in the result. A value that is not the mean
of its items, such as a perplexity or the mean over the tasks of a group, is lm-eval's own, and not tested.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isclose, isnan, nan

from evals.metric import ALPHA, BinaryPerPrompt, Cell, Metric, Series, is_significant, metric, observed_range
from evals.note import Note, caption
from evals.results import ComparableResult
from evals.suite import Selection
from evals.suites.nlp.result import NlpResult, TaskResult
from evals.suites.nlp.tasks import PAPER_TASKS
from srlm.stats.intervals import Estimate

Z = 1.959964

TITLES = {
    "arc_easy": "ARC-Easy",
    "arc_challenge": "ARC-Challenge",
    "hellaswag": "HellaSwag",
    "social_iqa": "SIQA",
    "piqa": "PIQA",
    "gsm8k": "GSM8K",
    "mmlu": "MMLU",
    "openbookqa": "OpenBookQA",
    "nq_open": "Natural Questions",
}
HEADLINES = {"arc_challenge": "acc_norm,none", "hellaswag": "acc_norm,none", "openbookqa": "acc_norm,none"}
"""Tasks for which accuracy normalised by the length of the answers is reported; others use the first that is a mean."""


def metrics(chosen: Selection[NlpResult]) -> list[Metric]:
    """Return for each task that all models have its usual metric, tested, and then its other ones."""
    found: list[Metric] = []
    results = [_with_group_tasks(result) for result in chosen.results]
    for task in common(results):
        tasks = {result.model: result.tasks[task] for result in results}
        names = _shared(list(tasks.values()))
        head = headline(next(iter(tasks.values())), names) if names else None
        for name in [*([head] if head else []), *(other for other in names if other != head)]:
            found.append(_metric(name, tasks, tested=name == head))
    return found


def notes(chosen: Selection[NlpResult]) -> list[Note]:
    """Return the conditions of the metrics, and what is left out."""
    bare = sorted({name for result in chosen.results for name, task in result.tasks.items() if not task.figures})
    results = [_with_group_tasks(result) for result in chosen.results]
    tasks = common(results)
    if not tasks:
        return [caption("No task of lm-eval has results of all of these models.")]
    first = results[0].tasks[tasks[0]].provenance
    wrong = 1 - (1 - ALPHA) ** len(tasks)
    chance = (
        f" (of {len(tasks)} tasks without any change, one is significant in up to {100 * wrong:.0f} % of comparisons)"
    )
    found = [
        f"NLP tasks by {first.judge} ({first.sampling}), as their authors wrote them, without chat template: "
        f"{'; '.join(results[0].tasks[task].provenance.rubric for task in tasks)}. acc_norm divides an answer's "
        "log-probability by its length. Wilson's intervals, McNemar's exact test; p values are Holm-adjusted over the "
        f"models, not over the tasks{chance if len(tasks) > 1 else ''}."
    ]
    left = sorted({task for result in results for task in result.tasks} - set(tasks))
    if left:
        found.append(f"Not every model has results of {', '.join(left)}: left out.")
    if bare:
        found.append(f"lm-eval has no value for {', '.join(bare)} as a whole: its tasks are shown, as far as known.")
    odd = sorted(
        {
            f"{TITLES.get(task, task)}, {name.partition(',')[0]}"
            for task in tasks
            for result in results
            for name in result.tasks[task].figures.keys() - {*_shared([one.tasks[task] for one in results])}
        }
    )
    if odd:
        found.append(f"Not every model has a value of {'; '.join(odd)}: left out.")
    return [caption(text) for text in found]


def regression_sentences(metrics: Sequence[Metric], models: Sequence[str], baseline: str) -> list[str]:
    """Return one sentence for each model: the tasks in which it is significantly worse or better than the baseline."""
    rows = [one for one in metrics if any(cell.paired for cell in one.cells.values())]
    lines: list[str] = []
    for model in models:
        tested = [(TITLES.get(row.category, row.category), row.better, row.cells[model].paired) for row in rows]
        worse, better, neither = [], [], []
        for title, direction, paired in tested:
            if paired is None or direction == "neither":
                continue
            if isnan(paired.p_value) or not is_significant(paired):
                neither.append(title)
            elif (paired.difference.value > 0) == (direction == "more"):
                better.append(title)
            else:
                worse.append(title)
        parts = [
            f"{words} {', '.join(titles)}"
            for words, titles in (
                ("significantly worse in", worse),
                ("significantly better in", better),
                ("no significant difference in", neither),
            )
            if titles
        ]
        if parts:
            lines.append(f"Knowledge retention of {model} against {baseline} on NLP tasks: {'; '.join(parts)}.")
    return lines


def comparable_groups(chosen: Selection[NlpResult]) -> list[Sequence[ComparableResult]]:
    """Return the results of all models on each task that they share."""
    results = [_with_group_tasks(result) for result in chosen.results]
    return [[result.tasks[task] for result in results] for task in common(results)]


def common(results: Sequence[NlpResult]) -> list[str]:
    """Return the tasks that all models have, the paper's first and in its order."""
    shared = set.intersection(*(set(result.tasks) for result in results))
    return [*(task for task in PAPER_TASKS if task in shared), *sorted(shared - set(PAPER_TASKS))]


def headline(task: TaskResult, among: Sequence[str] | None = None) -> str:
    """Return the metric that is usually reported for a task, among these or all of its metrics."""
    names = list(task.figures) if among is None else among
    chosen = HEADLINES.get(task.task)
    if chosen in names:
        return str(chosen)
    return next((name for name in names if _is_mean(task, name)), names[0])


def _shared(tasks: Sequence[TaskResult]) -> list[str]:
    """Return the metrics of which all models have a value, in the order of the first model."""
    return [name for name in tasks[0].figures if all(name in task.figures for task in tasks)]


def _with_group_tasks(result: NlpResult) -> NlpResult:
    """Return a result in which groups without a value of their own are replaced by their tasks."""
    if all(task.figures for task in result.tasks.values()):
        return result
    tasks = {name: task for name, task in result.tasks.items() if task.figures}
    for group in result.tasks.values():
        for part, figures in () if group.figures else group.parts.items():
            if figures and part not in tasks:
                items = {metric: _of_part(values, part) for metric, values in group.items.items() if metric in figures}
                better = {metric: group.better.get(metric, "neither") for metric in figures}
                tasks[part] = TaskResult(result.model, part, group.provenance, figures, {}, items, better)
    return replace(result, tasks=tasks)


def _of_part(items: Mapping[str, float], part: str) -> dict[str, float]:
    return {place.removeprefix(f"{part}/"): one for place, one in items.items() if place.startswith(f"{part}/")}


def _metric(name: str, tasks: dict[str, TaskResult], *, tested: bool) -> Metric:
    first = next(iter(tasks.values()))
    measure, _, kind = name.partition(",")
    label = f"{TITLES.get(first.task, first.task)}, {measure}{'' if kind == 'none' else f' ({kind})'}"
    key = f"nlp_{first.task}_{measure}{'' if kind == 'none' else f'_{kind}'}"
    level, better = 0 if tested else 1, first.better[name]
    if not all(_is_mean(task, name) for task in tasks.values()):
        cells = {model: Cell(_by_error(task, name)) for model, task in tasks.items()}
        return Metric(key, label, "number", better, cells, level=level, category=first.task)
    values = {model: {item: (item, value) for item, value in task.items[name].items()} for model, task in tasks.items()}
    if all(value in {0.0, 1.0} for one in values.values() for _, value in one.values()):
        rates = {model: BinaryPerPrompt(one) for model, one in values.items()}
        return metric(key, label, "%", better, rates, (0, 1), tested=tested, level=level, category=first.task)
    amounts = {model: Series(one) for model, one in values.items()}
    bounds = observed_range(amounts)
    return metric(key, label, "number", better, amounts, bounds, tested=tested, level=level, category=first.task)


def _is_mean(task: TaskResult, name: str) -> bool:
    """Check if a value is the mean of its items, so that their interval and test belong to the value of lm-eval.

    The items of a perplexity are log-likelihoods, and a group may have the mean over its tasks.
    """
    items = task.items.get(name, {}).values()
    return bool(items) and isclose(sum(items) / len(items), task.figures[name].value, rel_tol=1e-9, abs_tol=1e-12)


def _by_error(task: TaskResult, name: str) -> Estimate:
    """Return lm-eval's value with an interval of 1.96 of its standard errors."""
    figure = task.figures[name]
    half = nan if figure.stderr is None else Z * figure.stderr
    return Estimate(figure.value, figure.value - half, figure.value + half, 0, 0)
