"""Sections of the suites in their order: with figures, or with the command that makes the missing results."""

from collections.abc import Callable
from dataclasses import replace
from shlex import join, quote

from evals import suites
from evals.model_order import sort_models
from evals.report.section import Section
from evals.report.sections.common import Places, SuiteComparison, all_metrics, suite_section
from evals.report.sections.pairs import head_to_head, human
from evals.report.sections.suite_scores import mt_bench, nlp, reward, verifiable
from evals.report.sections.win_rates import breakdown_section, win_rates
from evals.results import Results
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.head_to_head.result import HeadToHeadResult
from srlm.runs import Run

SECTIONS: dict[str, Callable[[SuiteComparison, Places], Section]] = {
    "head-to-head": head_to_head,
    "human": human,
    "alpaca": win_rates,
    "mt-bench": mt_bench,
    "reward": reward,
    "nlp": nlp,
    "verifiable": verifiable,
}
"""The suites with figures of their own, in the order of the page. Others follow with their table alone."""

IDS = {"alpaca": "win-rates"}
"""Sections that are not named after their suite, so that links into older reports stay right."""

BREAKDOWNS: dict[str, type[AlpacaResult] | type[HeadToHeadResult]] = {
    "alpaca": AlpacaResult,
    "head-to-head": HeadToHeadResult,
}
"""The suites whose main metric is broken down by the labels of prompts: the first of them that has results."""


def suite_sections(run: Run, results: Results, found: dict[str, SuiteComparison]) -> list[Section]:
    """Return a section for each suite, and the breakdown after the win rates."""
    every = sort_models(run, {model for one in found.values() for model in one.comparison.models})
    places = {model: number for number, model in enumerate(every)}
    trained = join(run.models()[1:]) or "MODEL"
    known = {one.name: one for one in suites.SUITES}
    sections: list[Section] = []
    for name in [*(one for one in SECTIONS if one in known), *(one for one in known if one not in SECTIONS)]:
        suite = known[name]
        if name in found:
            one = found[name]
            section = (
                SECTIONS[name](one, places)
                if name in SECTIONS
                else suite_section(one, name, "", f"{suite.summary}.", [], [all_metrics(one)])
            )
            sections.append(replace(section, title=suite.title))
        else:
            command = f"{suite.command or f'srlm eval {trained} --suite {name}'} --run {quote(run.name)}"
            sections.append(Section(IDS.get(name, name), suite.title, missing="Not evaluated.", command=command))
        if name == "alpaca":
            sections.append(_breakdown(run, results, found, places))
    return sections


def _breakdown(run: Run, results: Results, found: dict[str, SuiteComparison], places: Places) -> Section:
    name = next((name for name in BREAKDOWNS if name in found), None)
    section = None
    if name is not None:
        digests = [one.provenance.prompts for one in results.of(BREAKDOWNS[name]).values()]
        section = breakdown_section(run, found[name], digests, places)
    command = f"srlm label --judge SPEC --run {quote(run.name)}"
    missing = "No prompt has a label, or there are no win rates."
    return section or Section("by-kind", "By kind of prompt", missing=missing, command=command)
