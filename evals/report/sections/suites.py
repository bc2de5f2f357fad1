"""The sections of the suites in their order: drawn, or with the command that makes what they need."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from shlex import join, quote

from evals import suites
from evals.model_order import sort_models
from evals.report.section import Section
from evals.report.sections.common import Told, all_figures, suite_section
from evals.report.sections.pairs import head_to_head, human
from evals.report.sections.scores import mt_bench, nlp, reward, verifiable
from evals.report.sections.win_rates import broken, win_rates
from evals.results import Results
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.head_to_head.result import HeadToHeadResult
from srlm.runs import Run

Draw = Callable[[Told, Mapping[str, int]], Section]

DRAWINGS: dict[str, Draw] = {
    "head-to-head": head_to_head,
    "human": human,
    "alpaca": win_rates,
    "mt-bench": mt_bench,
    "reward": reward,
    "nlp": nlp,
    "verifiable": verifiable,
}
"""The suites with a drawing of their own, in the order of the page. Others follow with their table alone."""

IDS = {"alpaca": "win-rates"}
"""Sections that are not named after their suite, so that links into older reports stay right."""


def suite_sections(run: Run, results: Results, found: Mapping[str, Told]) -> list[Section]:
    """Return a section for each suite: drawn, or with the command that makes its results."""
    every = sort_models(run, {model for one in found.values() for model in one.comparison.models})
    place = {model: number for number, model in enumerate(every)}
    trained = join(run.models()[1:]) or "MODEL"
    known = {one.name: one for one in suites.SUITES}
    sections: list[Section] = []
    for name in [*(one for one in DRAWINGS if one in known), *(one for one in known if one not in DRAWINGS)]:
        suite = known[name]
        if name in found:
            draw = DRAWINGS.get(name)
            one = found[name]
            drawn = (
                draw(one, place) if draw else suite_section(one, name, "", f"{suite.summary}.", [], [all_figures(one)])
            )
            sections.append(replace(drawn, title=suite.title))
        else:
            command = suite.command or f"srlm eval {trained} --suite {name}"
            command = f"{command} --run {quote(run.name)}"
            sections.append(Section(IDS.get(name, name), suite.title, missing="Not evaluated.", command=command))
        if name == "alpaca":
            sections.append(_by_kind(run, results, found, place))
    return sections


def _by_kind(run: Run, results: Results, found: Mapping[str, Told], place: Mapping[str, int]) -> Section:
    drawn = None
    if "alpaca" in found:
        drawn = broken(run, found["alpaca"], list(results.of(AlpacaResult).values()), place)
    elif "head-to-head" in found:
        drawn = broken(run, found["head-to-head"], list(results.of(HeadToHeadResult).values()), place)
    if drawn is not None:
        return drawn
    words = "No prompt has a label, or there are no win rates."
    return Section(
        "by-kind", "By kind of prompt", missing=words, command=f"srlm label --judge SPEC --run {quote(run.name)}"
    )
