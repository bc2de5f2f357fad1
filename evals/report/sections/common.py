"""Parts that the sections of all suites share: the comparison, its conclusions, tables, and dots of figures.

Each suite is compared by itself, because not every model has results of all suites. Results that must not be compared
are shown as well, with the reason, and without conclusions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals import suites
from evals.compare.cells import format_estimate, interval_captions, row_label
from evals.compare.comparison import MUST_MATCH, Comparison, compare_models
from evals.compare.paper import add_paper_values
from evals.compare.sentences import difference_sentences
from evals.metric import ExtraTable, Metric, is_significant
from evals.model_order import sort_models
from evals.note import caption
from evals.report.charts.dots import Dot
from evals.report.charts.svg import shape, variable
from evals.report.section import Conclusion, Facets, Figure, LegendKey, Section, Table, metric_table
from evals.results import Results
from evals.sample import link
from evals.settings import Settings
from srlm.errors import UsageError
from srlm.runs import Run

FIRST = ("SFT", "M1")
"""The default baselines, in this order."""

ABOUT_PAPER = "the paper's values for its own models of these names, which are not comparable one to one."

Places = Mapping[str, int]
"""The place of each model in the order of all models, which decides its colour and shape."""


@dataclass(frozen=True)
class SuiteComparison:
    """The comparison of a suite's models. `mismatch` is the reason why their results must not be compared."""

    suite: str
    comparison: Comparison
    mismatch: str = ""


def compare_by_suite(
    run: Run, results: Results, baseline: str | None, paper: bool, settings: Settings = ()
) -> dict[str, SuiteComparison]:
    """Compare the models in each suite that has results."""
    found: dict[str, SuiteComparison] = {}
    for suite in suites.SUITES:
        having = suite.models(results)
        if not having:
            continue
        models = sort_models(run, having)
        first = next((name for name in (baseline, *FIRST) if name in models), models[0])
        mismatch = ""
        try:
            comparison = compare_models(results, models, first, settings=settings, suites=[suite])
        except UsageError as error:
            mismatch = str(error)
            comparison = compare_models(results, models, first, MUST_MATCH, settings=settings, suites=[suite])
        if paper:
            comparison = add_paper_values(comparison)
        found[suite.name] = SuiteComparison(suite.name, comparison, mismatch)
    return found


def legend_keys(models: Sequence[str], places: Places) -> list[LegendKey]:
    """Return the legend of these models."""
    return [LegendKey(variable(places[model]), shape(places[model]), model) for model in models]


def conclusions_of(one: SuiteComparison) -> list[Conclusion]:
    """Return the conclusions of a comparison, and which of them are on significant differences."""
    if one.mismatch:
        return [Conclusion(f"No conclusions here. {one.mismatch}")]
    significant: dict[str, bool] = {}
    for metric in one.comparison.metrics:
        for model in one.comparison.models:
            cell = metric.cells[model]
            if cell.paired is not None:
                lines = difference_sentences(metric, [model], one.comparison.baseline)
                significant |= dict.fromkeys(lines, is_significant(cell.paired))
    return [Conclusion(line, significant.get(line)) for line in one.comparison.conclusions]


def suite_section(
    one: SuiteComparison, id: str, title: str, lead: str, figures: Sequence[Figure], tables: Sequence[Table] = ()
) -> Section:
    """Return a section with the conclusions and notes of its comparison, and the extra tables that no figure has."""
    extra = one.comparison.extra_tables
    shown = {table.title for figure in figures for table in figure.tables}
    captions = [line for table in extra for line in table.captions]
    captions += interval_captions(one.comparison.metrics, extra)
    return Section(
        id,
        title,
        lead,
        figures=figures,
        tables=[*tables, *(_extra_table(one, table) for table in extra if table.title not in shown)],
        notes=[*one.comparison.notes, *map(caption, captions)],
        conclusions=conclusions_of(one),
    )


def _extra_table(one: SuiteComparison, table: ExtraTable) -> Table:
    """Return an extra table. Its cells have links only if its columns are models."""
    suite = one.suite if {*table.columns} <= {*one.comparison.models} else ""
    return metric_table(table.title, table.metrics, table.columns, table.baseline, suite)


def all_metrics(one: SuiteComparison, title: str = "All metrics", facets: Mapping[str, Facets] | None = None) -> Table:
    """Return the table of `srlm compare`; each cell links to its samples."""
    compared = one.comparison
    title = f"{title}, with differences to {compared.baseline}" if len(compared.models) > 1 else title
    return metric_table(title, compared.metrics, compared.models, compared.baseline, one.suite, facets)


def find_metric(one: SuiteComparison, key: str) -> Metric | None:
    """Return the row with a key, if the comparison has it."""
    return next((metric for metric in one.comparison.metrics if metric.key == key), None)


def metric_dot(
    one: SuiteComparison,
    metric: Metric,
    model: str,
    place: int,
    facets: Facets | None = None,
    *,
    hollow: bool = False,
) -> Dot:
    """Return the dot of a model's value."""
    estimate = metric.cells[model].estimate
    return Dot(
        place,
        estimate.value,
        estimate.low,
        estimate.high,
        link(suite=one.suite, model=model, **(facets or {})),
        f"{model}, {row_label(metric)}: {format_estimate(estimate, metric.unit)}",
        hollow,
        metric.paper.values.get(model) if metric.paper else None,
    )


def describe(metrics: Sequence[Metric], models: Sequence[str]) -> str:
    """Return the values in a sentence, for readers who do not see the figure."""

    def value(metric: Metric, model: str) -> str:
        return f"{model} {format_estimate(metric.cells[model].estimate, metric.unit)}"

    return "; ".join(f"{m.label} {', '.join(value(m, model) for model in models)}" for m in metrics)
