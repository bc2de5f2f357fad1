"""Sampling of the answer pairs to annotate: 50 prompts of an evaluation by default (arXiv 2401.10020, Figure 5).

The sample depends on the seed and the ids of the prompts alone, so that all annotators see the same pairs, and the
annotation sets of other models on the same prompts have the same prompts. An annotation set is written once with its
texts: a repeated evaluation does not change what was voted on. It can grow, and its first pairs stay. Pairs of two
equal answers are drawn like any others: without them, the models would look more different than they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import join

from evals.pairwise import REFERENCE, Pair
from evals.pairwise_metrics import results_between
from evals.prompt_sets import load_prompt_sets
from evals.results import Provenance, Results, stage_name
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.head_to_head.result import HeadToHeadResult
from evals.suites.human.result import load_annotation_set, save_annotation_set
from evals.suites.human.votes import AnnotationSet, AnswerPair, Source
from srlm.errors import UnknownName, UsageError
from srlm.file_lock import acquire_lock
from srlm.jsonl import parse_lines
from srlm.runs import Run
from srlm.seeding import derive_seed
from srlm.transcript import transcript
from srlm.types import Answer

PAIRS = 50
"""The paper's number of prompts."""

SUITES = ("head-to-head", "alpaca")
"""Suites whose answers can be annotated."""


@dataclass(frozen=True)
class _SharedAnswers:
    """Prompts that both models of a pair answered in one evaluation, with the answers."""

    source: Source
    prompts: str
    sampling: str
    pairs: tuple[AnswerPair, ...]


def order_pair(results: Results, one: str, two: str) -> Pair:
    """Return two models in the order of a head-to-head; the reference is always second.

    Raises:
        UnknownName: a model was not evaluated.
        UsageError: they are the same.
    """
    known = sorted({*results.of(AlpacaResult), *(name for pair in results.of(HeadToHeadResult) for name in pair)})
    for model in (one, two):
        if model not in [*known, REFERENCE]:
            hint = "Evaluate it first: srlm eval --suite head-to-head"
            raise UnknownName("Among the models of this run whose answers can be shown,", model, known, hint)
    if one == two:
        raise UsageError(f"Two models are compared, and {one} is named twice.")
    if REFERENCE in (one, two):
        return (two if one == REFERENCE else one, REFERENCE)
    return max(one, two), min(one, two)


def get_or_draw(
    run: Run, results: Results, pair: Pair, suite: str | None, count: int | None, seed: int | None
) -> AnnotationSet:
    """Return the annotation set of two models: the existing one, extended if more pairs are wanted, or a new one.

    Args:
        run: the run of their evaluation.
        results: all results of that run.
        pair: the models, as `order_pair` orders them.
        suite: of the answers; None takes head-to-head, or else alpaca.
        count: of pairs; None takes the existing ones, or 50. Where there are fewer, all.
        seed: of the sample; None takes the existing one, or 0.

    Raises:
        UnknownName: answers of the suite cannot be annotated.
        UsageError: the models have no common answers, or the existing annotation set was drawn with other options.
    """
    if suite is not None and suite not in SUITES:
        raise UnknownName("For --suite, the suite", suite, SUITES)
    found = load_annotation_set(run, pair)
    if found is not None and _is_complete(run, found, suite, count, seed):
        return found
    answers = _shared_answers(run, results, pair, suite or (found.source if found else None))
    seed = found.seed if found else seed or 0
    if found is None:
        annotation_set = AnnotationSet(*pair, answers.source, answers.prompts, answers.sampling, seed, ())
    elif (found.prompts, found.sampling) == (answers.prompts, answers.sampling):
        annotation_set = found
    else:
        raise UsageError(
            f"{_name(found)} was drawn from another evaluation than the current one, so it cannot be extended. Leave "
            f"--pairs out to continue with its {len(found.pairs)} pairs, or {_remedy(run)}"
        )
    known = {one.prompt_id for one in annotation_set.pairs}
    more = [one for one in shuffled(answers.pairs, seed) if one.prompt_id not in known]
    pairs = (*annotation_set.pairs, *more[: (count or PAIRS) - len(annotation_set.pairs)])
    annotation_set = replace(annotation_set, pairs=pairs)
    save_annotation_set(run, annotation_set)
    return annotation_set


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Lock the votes on an annotation set, as long as the context lasts or the process lives.

    Raises:
        UsageError: another process has the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    busy = (
        "Another srlm annotate shows these two models. Open the address that it printed (several annotators can), or "
        "stop it."
    )
    lock = acquire_lock(folder / ".lock", busy)
    try:
        yield
    finally:
        lock.release()


def shuffled(pairs: Sequence[AnswerPair], seed: int) -> list[AnswerPair]:
    """Return all pairs in random order: the first n are a sample of n."""
    return sorted(pairs, key=lambda one: derive_seed(seed, "human", one.prompt_id))


def _is_complete(run: Run, found: AnnotationSet, suite: str | None, count: int | None, seed: int | None) -> bool:
    """Check if an annotation set satisfies the options; False where it has to be extended.

    Raises:
        UsageError: the options contradict it.
    """
    for option, wanted, has in (("--suite", suite, found.source), ("--seed", seed, found.seed)):
        if wanted is not None and wanted != has:
            raise UsageError(f"{_name(found)} was drawn with {option} {has}. Leave {option} out, or {_remedy(run)}")
    if count is not None and count < len(found.pairs):
        raise UsageError(
            f"{_name(found)} has {len(found.pairs)} pairs. It can grow and not shrink: leave --pairs out, or "
            f"{_remedy(run)}"
        )
    return count is None or count == len(found.pairs)


def _name(found: AnnotationSet) -> str:
    return f"The annotation set of {found.model} and {found.opponent}"


def _remedy(run: Run) -> str:
    return f"move it away with its votes ({run.folder / 'evals' / 'human'}) to draw another one."


def _shared_answers(run: Run, results: Results, pair: Pair, suite: str | None) -> _SharedAnswers:
    """Return the answers of both models in head-to-head, or else in the suite alpaca."""
    met = next(iter(results_between(results.of(HeadToHeadResult), pair[::-1])), None)
    if met is not None and suite != "alpaca":
        first = _texts(run, "head-to-head", pair[0], {one.prompt_id: one.length for one in met.outcomes})
        second = _texts(run, "head-to-head", pair[1], {one.prompt_id: one.opponent_length for one in met.outcomes})
        return _joined(run, "head-to-head", met.provenance, first, second)
    names = [name for name in pair if name != REFERENCE]
    if suite == "head-to-head" or not results.of(AlpacaResult).keys() >= {*names}:
        raise UsageError(
            f"There are no answers of {pair[0]} and {pair[1]} to the same prompts to show. Get them with: srlm eval "
            f"{join(names)} --suite {suite or ('alpaca' if REFERENCE in pair else 'head-to-head')}"
        )
    found = [results.of(AlpacaResult)[name] for name in names]
    for what in ("prompts", "sampling"):
        if len({getattr(one.provenance, what) for one in found}) > 1:
            raise UsageError(
                f"The answers of {pair[0]} and {pair[1]} differ in their {what}, so people cannot compare them. "
                f"Evaluate both with the same settings: srlm eval {join(names)} --suite alpaca"
            )
    texts = [_texts(run, "alpaca", one.model, {each.prompt_id: each.length for each in one.outcomes}) for one in found]
    return _joined(run, "alpaca", found[0].provenance, texts[0], texts[1] if len(texts) > 1 else None)


def _texts(run: Run, suite: str, model: str, lengths: Mapping[str, int]) -> dict[str, str]:
    """Return a model's answers by prompt, if they are those of its result, as their lengths show."""
    path = run.path(stage_name(run, suite, model, "answers"))
    texts = {one.prompt_id: one.text for one in parse_lines(path, Answer)}
    if any(len(text) != lengths.get(prompt_id) for prompt_id, text in texts.items() if prompt_id in lengths):
        raise UsageError(
            f"{path} has other answers than those that were judged: {model} was evaluated again, with other settings. "
            f"Evaluate both models again: srlm eval --suite {suite}"
        )
    return {prompt_id: text for prompt_id, text in texts.items() if prompt_id in lengths}


def _joined(
    run: Run, source: Source, provenance: Provenance, first: Mapping[str, str], second: Mapping[str, str] | None
) -> _SharedAnswers:
    """Join both models' answers to each prompt, or the first one's and the reference."""
    prompts = load_prompt_sets(run).get(provenance.prompts)
    if prompts is None:
        raise UsageError(
            f"The prompts of the suite {source} are not in the run {run.name}, so there is nothing to show. Evaluate "
            f"the models again: srlm eval --suite {source}"
        )
    other = {one.id: one.reference or "" for one in prompts} if second is None else second
    pairs = [
        AnswerPair(one.id, transcript(one), first[one.id], other[one.id])
        for one in prompts
        if one.id in first and one.id in other
    ]
    if not pairs:
        raise UsageError(
            f"No prompt of the suite {source} has an answer of both, so there is nothing to show. Answers that failed "
            f"are asked for again by: srlm eval --suite {source}"
        )
    return _SharedAnswers(source, provenance.prompts, provenance.sampling, tuple(pairs))
