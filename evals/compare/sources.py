"""The results of what a user names: models of a run, and other tools' files of results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import nan

from evals.compare.comparison import Comparison
from evals.compare.import_results import read_results, result_file
from evals.importer import FileSummary
from evals.metric import Cell, ExtraTable, Metric
from evals.results import Results, collect, merge
from evals.settings import Settings
from evals.suites import load_results
from srlm.errors import UsageError
from srlm.runs import Run
from srlm.stats.intervals import Estimate

NOTHING = Cell(Estimate(nan, nan, nan, 0, 0))


@dataclass(frozen=True)
class Sources:
    """Results with the models that each word names.

    `run` is None where files alone are named; `summaries` are of the files.
    """

    results: Results
    names: dict[str, list[str]]
    summaries: list[FileSummary]
    run: Run | None

    def models(self, words: Sequence[str]) -> list[str]:
        """Return the models of words, in their order; a file may have several."""
        return [model for word in words for model in self.names.get(word, [word])]

    def model(self, word: str) -> str:
        """Return the one model of a word.

        Raises:
            UsageError: it is a file of several models.
        """
        models = self.names.get(word, [word])
        if len(models) > 1:
            raise UsageError(
                f"{word} has results of {len(models)} models ({', '.join(sorted(models)[:4])}, ...), and one is "
                "needed. Give each model a file of its own."
            )
        return models[0]

    def add_summaries(self, comparison: Comparison) -> Comparison:
        """Add the counts of the files of compared models, a table for each kind of file."""
        chosen = [one for model in comparison.models for one in self.summaries if one.model == model]
        tables = [*comparison.extra_tables, *summary_tables(chosen)]
        return replace(comparison, extra_tables=tables, files=[one.data for one in chosen])


def load_sources(
    words: Sequence[str], open_run: Callable[[], Run], settings: Settings = (), *, with_run: bool = False
) -> Sources:
    """Read the results of models and files.

    Args:
        words: names of models of the run, FILE or NAME=FILE.
        open_run: opens the run; called where a word is no file.
        settings: of the files, see `evals.settings`.
        with_run: True to open the run in any case.

    Raises:
        DataError: a file is damaged, or of no known tool.
        UsageError: there is no run, or two sources have results of one model in the same suite.
    """
    files = {word: file for word in dict.fromkeys(words) if (file := result_file(word))}
    imported = read_results([*files.values()], settings)
    names = dict(zip(files, imported.models, strict=True))
    run = open_run() if with_run or any(word not in files for word in words) else None
    results = collect(imported.results) if run is None else merge(load_results(run), imported.results)
    return Sources(results, names, imported.summaries, run)


def summary_tables(summaries: Sequence[FileSummary]) -> list[ExtraTable]:
    """Return a table for each kind of file."""
    titles = dict.fromkeys(one.title for one in summaries)
    return [_table([one for one in summaries if one.title == title]) for title in titles]


def _table(summaries: Sequence[FileSummary]) -> ExtraTable:
    """Join summaries of one kind: a column for each model, and the rows that any of them has."""
    rows: dict[str, Metric] = {}
    for summary in summaries:
        for row in summary.rows:
            known = rows.get(row.key, row)
            rows[row.key] = replace(known, cells={**known.cells, **row.cells})
    models = [one.model for one in summaries]
    filled = [replace(row, cells={model: row.cells.get(model, NOTHING) for model in models}) for row in rows.values()]
    return ExtraTable(summaries[0].title, models, filled, [line for one in summaries for line in one.captions])
