"""Comparison of what a user names: models of a run and files of other tools, by the options of `srlm compare`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from evals.compare.breakdown import by_label
from evals.compare.comparison import MUST_MATCH, Comparison, compare_models
from evals.compare.import_results import read_prompts
from evals.compare.paper import add_paper_values
from evals.compare.sources import load_sources
from evals.labels.store import By, read_labels
from evals.settings import RepeatRule, Repeats, Settings
from evals.suites.alpaca.files import read_difficulties
from srlm.errors import UnknownName, UsageError
from srlm.runs import Run


def compare_sources(
    words: Sequence[str],
    open_run: Callable[[], Run],
    *,
    baseline: str | None = None,
    allow_mismatch: Sequence[str] = (),
    by: By | None = None,
    labels: Path | None = None,
    paper: bool = False,
    settings: Settings = (),
    with_run: bool = False,
) -> Comparison:
    """Compare models and files.

    Args:
        words: names of models of the run, FILE or NAME=FILE.
        open_run: opens the run; called where a word is no file.
        baseline: the one that the others are compared with; the first, if None.
        allow_mismatch: parts of the provenance in which results may differ.
        by: labels by which the main metrics are divided.
        labels: a file of labels, in place of those of the run.
        paper: True to add the values of the self-rewarding paper.
        settings: see `file_settings`.
        with_run: True to open the run in any case, such as for its labels.

    Raises:
        UsageError: the options make no sense together, or the results cannot be compared.
        DataError: a file is damaged, or of no known tool.
    """
    for one in allow_mismatch:
        if one not in MUST_MATCH:
            raise UnknownName("For --allow-mismatch, the word", one, MUST_MATCH)
    if by is not None and by not in get_args(By):
        raise UnknownName("For --by, the word", by, get_args(By))
    if labels is not None and by is None:
        raise UsageError("--labels goes with --by category, --by complexity or --by length.")
    if not words:
        raise UsageError("Name models or files to compare, such as: srlm compare M1 M2")
    sources = load_sources([*words, *([baseline] if baseline else [])], open_run, settings, with_run=with_run)
    models = sources.models(words)
    breakdown = by_label(sources.run, by, read_labels(labels) if labels else None) if by else None
    first = sources.models([baseline])[0] if baseline else models[0]
    comparison = compare_models(sources.results, models, first, allow_mismatch, breakdown, settings)
    if by is not None and not any(table.baseline for table in comparison.extra_tables):
        raise UsageError(
            f"No prompt of these results has a label of this kind ({by}). A judge gives them: srlm label --judge SPEC. "
            "Or name a file of yours: --labels FILE"
        )
    comparison = sources.add_summaries(comparison)
    return add_paper_values(comparison) if paper else comparison


def file_settings(
    prompts: str | Path | None = None,
    repeats: RepeatRule | None = None,
    alpaca_difficulties: str | Path | None = None,
) -> list[object]:
    """Return the settings that options give.

    Args:
        prompts: the place of a benchmark's prompts, which a file of results may not have all of.
        repeats: the way to read records that a file has several times; None refuses them.
        alpaca_difficulties: AlpacaEval's df_gamed.csv, for the length control of its leaderboard.

    Raises:
        DataError: a file is missing or damaged.
    """
    if repeats is not None and repeats not in get_args(RepeatRule):
        raise UnknownName("For --repeats, the word", repeats, get_args(RepeatRule))
    found = [
        read_difficulties(Path(alpaca_difficulties)) if alpaca_difficulties else None,
        read_prompts(str(prompts)) if prompts else None,
        Repeats(repeats) if repeats else None,
    ]
    return [one for one in found if one is not None]
