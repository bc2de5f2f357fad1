"""Page of a run: one self-contained HTML file without requests to any host.

A Content-Security-Policy in the page forbids all requests, and every script but its own, which is named by its digest.
What models wrote is packed (`evals.report.samples.pack`) and inserted by the script as plain text; the template escapes
what it inserts. Sections without results name the command that makes them.
"""

import hashlib
from base64 import b64encode
from importlib.resources import files
from pathlib import Path
from shlex import quote

from evals.model_order import models_in, sort_results
from evals.report.samples.pack import pack
from evals.report.samples.rollouts import rollout_samples
from evals.report.samples.suites import suite_samples
from evals.report.samples.training import training_samples
from evals.report.section import Section
from evals.report.sections.common import compare_by_suite
from evals.report.sections.iterations import iteration_section
from evals.report.sections.order import suite_sections
from evals.report.sections.overview import cards, conclusions, configuration, cost
from evals.report.sections.rollouts import rollout_section
from evals.report.sections.text_map import ID as MAP
from evals.report.sections.text_map import TITLE as MAP_TITLE
from evals.report.sections.text_map import map_section
from evals.sample import Sample
from evals.suites import load_results
from srlm.atomic_files import write_text
from srlm.console import Progress
from srlm.errors import UnknownName
from srlm.optional_deps import require
from srlm.runs import Run
from srlm.version import __version__


def write_report(
    run: Run,
    output: Path,
    progress: Progress,
    *,
    baseline: str | None = None,
    paper: bool = False,
    mapped: bool = True,
) -> Path:
    """Write the page of a run.

    Args:
        run: trained, evaluated, or both, as far as it is.
        output: the file of the page.
        progress: shown to the user.
        baseline: the model that the others are compared with; SFT or M1, if not given.
        paper: True to add the paper's values.
        mapped: True to draw the map of texts, which a model of the run has to embed.

    Raises:
        UnknownName: the baseline has no results.
        MissingDependency: a library of the extra `report` is not installed.
        DataError: a file of the run is damaged.
    """
    require("jinja2", "The report", "report")
    require("matplotlib", "The report", "report")
    samples, sections = gather(run, progress, baseline=baseline, paper=paper, mapped=mapped)
    write_text(output, render(run.name, sections, samples))
    return output


def gather(
    run: Run, progress: Progress, *, baseline: str | None, paper: bool, mapped: bool
) -> tuple[list[Sample], list[Section]]:
    """Return all samples and sections of a run, in the order of the page."""
    results = sort_results(run, load_results(run))
    known = models_in(results)
    if baseline is not None and baseline not in known:
        raise UnknownName(
            "Among the results of this run, the model", baseline, sorted(known), "Evaluate it first: srlm eval"
        )
    found = compare_by_suite(run, results, baseline, paper)
    rates = found["alpaca"].comparison.metrics[0] if "alpaca" in found else None
    if mapped:
        text_map = map_section(run, progress)
    else:
        text_map = Section(MAP, MAP_TITLE, missing="Left out by --no-map.", command=f"srlm report {quote(run.name)}")
    sections = [
        conclusions(found),
        configuration(run),
        cards(results),
        *suite_sections(run, results, found),
        rollout_section(run) if run.config.learn_from == "rollouts" else iteration_section(run, rates),
        text_map,
        cost(run),
    ]
    return [*suite_samples(run, results), *rollout_samples(run), *training_samples(run)], sections


def render(name: str, sections: list[Section], samples: list[Sample], *, files: bool = False) -> str:
    """Return the HTML of the page of a run, or of files, which have no samples."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    script = _part("page.js")
    environment = Environment(
        loader=PackageLoader("evals.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["warning"] = lambda note: note.kind != "caption"
    environment.filters["svg"] = Markup  # drawn by evals.report.charts.svg, which escapes what it writes
    return environment.get_template("page.html").render(
        name=name,
        files=files,
        version=__version__,
        sections=sections,
        shown=[one for one in sections if not one.missing],
        absent=[one for one in sections if one.missing],
        samples=len(samples),
        packed=pack(samples),
        style=Markup(_part("page.css")),  # noqa: S704
        script=Markup(script),  # noqa: S704
        digest=b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
    )


def _part(name: str) -> str:
    return (files("evals.report") / name).read_text(encoding="utf-8")
