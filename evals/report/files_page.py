"""The page of other tools' files of results: comparisons and counts, without a run, prompts or answers."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from evals.compare.sources import Sources, summary_tables
from evals.note import caption
from evals.report.page import render
from evals.report.section import Section, metric_table
from evals.report.sections.common import compare_by_suite
from evals.report.sections.order import suite_sections
from evals.report.sections.overview import conclusions
from evals.settings import Settings
from srlm.atomic_files import write_text
from srlm.optional_deps import require
from srlm.runs import Run

_TO_SAMPLES = re.compile(r' (?:xlink:)?href="#samples\?[^"]*"')


def write_files_report(
    sources: Sources, output: Path, *, baseline: str, paper: bool = False, settings: Settings = ()
) -> Path:
    """Write the page of files.

    Args:
        sources: results and counts of the files.
        output: where the page goes.
        baseline: the model that the others are compared with.
        paper: True to add the values of the self-rewarding paper.
        settings: of the comparison, see `evals.settings`.

    Raises:
        MissingDependency: a library of the extra `report` is not installed.
    """
    require("jinja2", "The report", "report")
    require("matplotlib", "The report", "report")
    with TemporaryDirectory(prefix="srlm-") as folder:
        run = Run(Path(folder) / "files")  # an empty one: sections of suites ask a run for models and labels
        found = compare_by_suite(run, sources.results, baseline, paper, settings)
        drawn = [one for one in suite_sections(run, sources.results, found) if not one.missing]
    sections = [conclusions(found), *drawn, _counts(sources)]
    title = ", ".join(model for names in sources.names.values() for model in names)
    page = render(title, [one for one in sections if not one.missing], [], files=True)
    write_text(output, _TO_SAMPLES.sub("", page))  # values lead to samples, of which files have none
    return output


def _counts(sources: Sources) -> Section:
    """Return the counts of the files that no metric has."""
    found = summary_tables(sources.summaries)
    tables = [metric_table(one.title, one.metrics, one.columns, None, "") for one in found]
    notes = [caption(line) for one in found for line in one.captions]
    missing = "" if tables else "The files have no counts."
    return Section(
        "files", "The files", "Counts of the files that no metric has.", tables=tables, notes=notes, missing=missing
    )
