"""What every section of a suite is made with: its comparison, what that says in words, and its figures as dots.

Each suite is compared by itself, because not every model need have been in all of them. Results that may not be
compared are shown all the same, under the reason why, and nothing is concluded from them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals import suites
from evals.compare.cells import format_estimate, row_label
from evals.compare.comparison import MUST_MATCH, Comparison, compare_models
from evals.compare.paper import add_paper_values
from evals.compare.sentences import difference_sentences
from evals.importer import Settings
from evals.metric import ExtraTable, Metric, is_significant
from evals.model_order import sort_models
from evals.report.charts.dots import Dot
from evals.report.charts.svg import shape, variable
from evals.report.section import Facets, Figure, Finding, Key, Section, Table, metric_table
from evals.results import Results
from evals.sample import link
from srlm.errors import UsageError
from srlm.runs import Run

FIRST = ("SFT", "M1")
"""The baseline, where it is there and no other is named."""

ABOUT_PAPER = "what the paper printed for its own models of these names, which is no comparison of like with like."


@dataclass(frozen=True)
class Told:
    """A suite's comparison. `suite` is how its samples are called; `refused` says why it may not be one."""

    suite: str
    comparison: Comparison
    refused: str = ""


def told(run: Run, results: Results, baseline: str | None, paper: bool, settings: Settings = ()) -> dict[str, Told]:
    """The comparison of each suite that has results, by its name."""
    found: dict[str, Told] = {}
    for suite in suites.SUITES:
        having = suite.models(results)
        if not having:
            continue
        models = sort_models(run, having)
        first = next((name for name in (baseline, *FIRST) if name in models), models[0])
        refused = ""
        try:
            comparison = compare_models(results, models, first, settings=settings, suites=[suite])
        except UsageError as error:
            refused = str(error)
            comparison = compare_models(results, models, first, MUST_MATCH, settings=settings, suites=[suite])
        if paper:
            comparison = add_paper_values(comparison)
        found[suite.name] = Told(suite.name, comparison, refused)
    return found


def keys(models: Sequence[str], place: Mapping[str, int]) -> list[Key]:
    """What the colours of these models are."""
    return [Key(variable(place[model]), shape(place[model]), model) for model in models]


def findings(one: Told) -> list[Finding]:
    """What the comparison says in words, and which of it is certain."""
    if one.refused:
        return [Finding(f"Nothing is concluded here. {one.refused}")]
    sure: dict[str, bool] = {}
    for metric in one.comparison.metrics:
        for model in one.comparison.models:
            cell = metric.cells[model]
            if cell.paired is not None:
                sure |= {
                    line: is_significant(cell.paired)
                    for line in difference_sentences(metric, [model], one.comparison.baseline)
                }
    return [Finding(line, sure.get(line)) for line in one.comparison.conclusions]


def suite_section(
    one: Told, id: str, title: str, lead: str, figures: Sequence[Figure], tables: Sequence[Table] = ()
) -> Section:
    """A section with what its comparison says under it, and the tables beside that which no figure has."""
    shown = {table.title for figure in figures for table in figure.tables}
    beside = [side for side in one.comparison.extra_tables if side.title not in shown]
    notes = [*one.comparison.captions, *(caption for side in one.comparison.extra_tables for caption in side.captions)]
    tables = [*tables, *(_beside(one, side) for side in beside)]
    return Section(id, title, lead, figures=figures, tables=tables, notes=notes, findings=findings(one))


def _beside(one: Told, side: ExtraTable) -> Table:
    """A table beside the comparison. Its cells lead somewhere only where its columns are models."""
    suite = one.suite if {*side.columns} <= {*one.comparison.models} else ""
    return metric_table(side.title, side.metrics, side.columns, side.baseline, suite)


def all_figures(one: Told, title: str = "All figures") -> Table:
    """The table of `srlm compare`, each cell leading to what it was counted on."""
    c = one.comparison
    title = f"{title}, with differences to {c.baseline}" if len(c.models) > 1 else title
    return metric_table(title, c.metrics, c.models, c.baseline, one.suite)


def named(one: Told, key: str) -> Metric | None:
    """A row of the comparison by its key."""
    return next((metric for metric in one.comparison.metrics if metric.key == key), None)


def dot(one: Told, metric: Metric, model: str, place: int, facets: Facets | None = None, hollow: bool = False) -> Dot:
    """A model's figure in a row."""
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


def said(metrics: Sequence[Metric], models: Sequence[str]) -> str:
    """Figures in a sentence, for those who do not see them."""

    def figure(metric: Metric, model: str) -> str:
        return f"{model} {format_estimate(metric.cells[model].estimate, metric.unit)}"

    return "; ".join(f"{m.label} {', '.join(figure(m, model) for model in models)}" for m in metrics)
