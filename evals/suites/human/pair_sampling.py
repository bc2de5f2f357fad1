"""The pairs that people are shown, drawn from an evaluation: as in Figure 5 of arXiv 2401.10020, 50 prompts by default.

The draw depends on the seed and the ids of the prompts alone, so that every annotator sees the same pairs, and so do
the sheets of other models on the same prompts. A sheet is written once and holds the texts: an evaluation that is done
again does not change under the votes. It can grow, and the first pairs stay. Pairs of two equal answers are drawn like
any others: to leave them out would make the models look further apart than they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import join

from evals.pairwise import REFERENCE, Pair
from evals.prompt_sets import load_prompt_sets
from evals.results import Provenance, Results, stage_name
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.head_to_head.result import HeadToHeadResult
from evals.suites.human.result import load_annotation_set, save_annotation_set
from evals.suites.human.votes import AnnotationSet, AnswerPair, Source
from srlm.errors import UnknownName, UsageError
from srlm.jsonl import parse_lines
from srlm.runs import Run
from srlm.seeding import derive_seed
from srlm.types import Answer

PAIRS = 50
"""The paper's."""

SUITES = ("head-to-head", "alpaca")
"""Whose answers can be shown."""


@dataclass(frozen=True)
class _Answered:
    """Prompts that both models of a pair answered in one evaluation."""

    source: Source
    prompts: str
    sampling: str
    pairs: tuple[AnswerPair, ...]


def pair_of(results: Results, one: str, two: str) -> Pair:
    """Two models in the order of a head-to-head; the reference, which is no model, stands second.

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


def sheet_of(
    run: Run, results: Results, pair: Pair, suite: str | None, count: int | None, seed: int | None
) -> AnnotationSet:
    """The sheet of two models: the one that stands, grown where more pairs are wanted, or a new one.

    Args:
        run: where they were evaluated.
        results: all of that run.
        pair: the two, as `pair_of` orders them.
        suite: whose answers; None takes the head-to-head, or else alpaca.
        count: of pairs; None takes those that stand, or 50. Where there are fewer, all.
        seed: of the draw; None takes the one that stands, or 0.

    Raises:
        UnknownName: the suite shows no answers.
        UsageError: they have no common answers, or the sheet that stands was drawn in another way.
    """
    if suite is not None and suite not in SUITES:
        raise UnknownName("For --suite, the suite", suite, SUITES)
    found = load_annotation_set(run, pair)
    if found is not None and _stands(run, found, suite, count, seed):
        return found
    answered = _answered(run, results, pair, suite or (found.source if found else None))
    seed = found.seed if found else seed or 0
    if found is None:
        sheet = AnnotationSet(*pair, answered.source, answered.prompts, answered.sampling, seed, ())
    elif (found.prompts, found.sampling) == (answered.prompts, answered.sampling):
        sheet = found
    else:
        raise UsageError(
            f"{_called(found)} was drawn from another evaluation than the one that stands now, so it cannot grow. "
            f"Leave --pairs out to go on with its {len(found.pairs)} pairs, or {_move(run)}"
        )
    shown = {one.prompt_id for one in sheet.pairs}
    more = [one for one in drawn(answered.pairs, seed) if one.prompt_id not in shown]
    sheet = replace(sheet, pairs=(*sheet.pairs, *more[: (count or PAIRS) - len(sheet.pairs)]))
    save_annotation_set(run, sheet)
    return sheet


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep other processes from taking votes on a sheet, as long as this goes on or the process lives.

    Raises:
        UsageError: another process takes them.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(
            "Another srlm annotate shows these two models. Open the address that it printed (several annotators can), "
            "or stop it."
        ) from None
    try:
        yield
    finally:
        lock.release()


def drawn(pairs: Sequence[AnswerPair], seed: int) -> list[AnswerPair]:
    """All pairs in the order of the draw: the first n are a draw of n."""
    return sorted(pairs, key=lambda one: derive_seed(seed, "human", one.prompt_id))


def _stands(run: Run, sheet: AnnotationSet, suite: str | None, count: int | None, seed: int | None) -> bool:
    """Whether a sheet is what was asked for; False where it has to grow."""
    for name, asked, has in (("--suite", suite, sheet.source), ("--seed", seed, sheet.seed)):
        if asked is not None and asked != has:
            raise UsageError(f"{_called(sheet)} was drawn with {name} {has}. Leave {name} out, or {_move(run)}")
    if count is not None and count < len(sheet.pairs):
        raise UsageError(
            f"{_called(sheet)} has {len(sheet.pairs)} pairs. It can grow and not shrink: leave --pairs out, or "
            f"{_move(run)}"
        )
    return count is None or count == len(sheet.pairs)


def _called(sheet: AnnotationSet) -> str:
    return f"The sheet of {sheet.model} and {sheet.opponent}"


def _move(run: Run) -> str:
    return f"move it away with its votes ({run.folder / 'evals' / 'human'}) to draw anew."


def _answered(run: Run, results: Results, pair: Pair, suite: str | None) -> _Answered:
    """What both models said in the head-to-head, or else in the suite alpaca."""
    met = results.of(HeadToHeadResult).get(pair)
    if met is None and pair[::-1] in results.of(HeadToHeadResult):
        met = results.of(HeadToHeadResult)[pair[::-1]].swapped()
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
    """A model's answers by prompt: those that its result was made of, as their lengths show."""
    path = run.path(stage_name(run, suite, model, "answers"))
    texts = {one.prompt_id: one.text for one in parse_lines(path, Answer)}
    if any(len(text) != lengths.get(prompt_id) for prompt_id, text in texts.items() if prompt_id in lengths):
        raise UsageError(
            f"{path} has other answers than those that were judged: {model} was evaluated again, with other settings. "
            f"Evaluate both models anew: srlm eval --suite {suite}"
        )
    return {prompt_id: text for prompt_id, text in texts.items() if prompt_id in lengths}


def _joined(
    run: Run, source: Source, provenance: Provenance, first: Mapping[str, str], second: Mapping[str, str] | None
) -> _Answered:
    """Both models' answers to each prompt, or the first one's beside the reference."""
    prompts = load_prompt_sets(run).get(provenance.prompts)
    if prompts is None:
        raise UsageError(
            f"The prompts of the suite {source} are not in the run {run.name}, so there is nothing to show. Evaluate "
            f"the models again: srlm eval --suite {source}"
        )
    other = {one.id: one.reference or "" for one in prompts} if second is None else second
    pairs = [
        AnswerPair(one.id, one.instruction, first[one.id], other[one.id])
        for one in prompts
        if one.id in first and one.id in other
    ]
    if not pairs:
        raise UsageError(
            f"No prompt of the suite {source} has an answer of both, so there is nothing to show. Answers that failed "
            f"are asked for again by: srlm eval --suite {source}"
        )
    return _Answered(source, provenance.prompts, provenance.sampling, tuple(pairs))
