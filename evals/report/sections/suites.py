"""The sections of the suites in their order: drawn, or with the command that makes what they need."""

from collections.abc import Callable, Mapping
from shlex import join, quote

from evals.model_order import ordered
from evals.report.section import Section
from evals.report.sections.common import Told
from evals.report.sections.pairs import head_to_head, human
from evals.report.sections.scores import mt_bench, nlp, reward, verifiable
from evals.report.sections.win_rates import broken, win_rates
from evals.results import Results
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.head_to_head.result import HeadToHeadResult
from srlm.runs import Run

DRAWN: dict[str, tuple[Callable[[Told, Mapping[str, int]], Section], str, str]] = {
    "head_to_head": (head_to_head, "Head to head: wins, ties, losses", "head-to-head"),
    "human": (human, "People's votes", "human"),
    "alpaca": (win_rates, "Win rates", "alpaca"),
    "mt_bench": (mt_bench, "Two-turn questions", "mt-bench"),
    "reward": (reward, "Reward-model metrics", "reward"),
    "nlp": (nlp, "NLP tasks: what was kept", "nlp"),
    "verifiable": (verifiable, "Instructions that a program checks", "verifiable"),
}
"""The suites in their order: what draws them, how they are called, and the suite that makes them."""


def suite_sections(run: Run, results: Results, found: Mapping[str, Told]) -> list[Section]:
    """One section a suite: drawn, or with the command that makes it."""
    every = ordered(run, {model for one in found.values() for model in one.comparison.models})
    place = {model: number for number, model in enumerate(every)}
    trained = join(run.models()[1:]) or "MODEL"
    sections: list[Section] = []
    for name, (draw, title, suite) in DRAWN.items():
        if name in found:
            sections.append(draw(found[name], place))
        else:
            command, missing = f"srlm eval {trained} --suite {suite} --run {quote(run.name)}", "Not evaluated."
            if name == "human":
                command, missing = f"srlm annotate MODEL OPPONENT --run {quote(run.name)}", "Nobody voted."
            sections.append(
                Section(suite if name != "alpaca" else "win-rates", title, missing=missing, command=command)
            )
        if name == "alpaca":
            sections.append(_by_kind(run, results, found, place))
    return sections


def _by_kind(run: Run, results: Results, found: Mapping[str, Told], place: Mapping[str, int]) -> Section:
    drawn = None
    if "alpaca" in found:
        drawn = broken(run, found["alpaca"], list(results.of(AlpacaResult).values()), place)
    elif "head_to_head" in found:
        drawn = broken(run, found["head_to_head"], list(results.of(HeadToHeadResult).values()), place)
    if drawn is not None:
        return drawn
    words = "No prompt has a label, or there are no win rates."
    return Section(
        "by-kind", "By kind of prompt", missing=words, command=f"srlm label --judge SPEC --run {quote(run.name)}"
    )
