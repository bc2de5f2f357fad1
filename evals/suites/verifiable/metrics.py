"""Metrics of answers that a program checks: followed prompts and single instructions, strict and loose.

Left out: metrics by kind of instruction. The results name each instruction.
"""

from collections.abc import Callable, Sequence
from functools import partial

from evals.answer_checks import ending_warnings
from evals.metric import BinaryPerItem, BinaryPerPrompt, Direction, Metric, Series, metric, observed_range
from evals.note import Note, caption, warning
from evals.suite import Selection
from evals.suites.verifiable import sentences, task
from evals.suites.verifiable.result import PromptCheck, VerifiableResult

Values = dict[str, float]
"""By item: the prompt, or one of its instructions."""

LABELS: dict[str, tuple[str, str]] = {
    "ifeval": ("prompts with all instructions followed", "instructions followed"),
    "puzzle": ("puzzles solved", "relations kept"),
    "sentences": ("sentences with all five words", "words used"),
    "countdown": ("Countdown items solved", "conditions kept: readable, allowed numbers, target"),
    "task": ("problems solved", ""),
}
FLAWS = {"sentences": sentences.FLAWS, "task": task.FLAWS}
"""What a benchmark calls wrong with an answer as a whole; a row each."""
AT_MOST_ONCE = "each number at most once"
"""The rule of results of Countdown that name none: those of earlier versions."""
LENIENT = {
    "ifeval": "also without the first line, the last line, or asterisks",
    "sentences": "also in an answer that is not one sentence",
}


def metrics(chosen: Selection[VerifiableResult]) -> list[Metric]:
    """Return the four metrics of IFEval, or the two of a benchmark without a loose reading; flaws, lengths, cuts."""
    results = chosen.results

    def rate(
        key: str, label: str, better: Direction, pick: Callable[[PromptCheck], Values], *, headline: bool = True
    ) -> Metric:
        values, level = _values(BinaryPerPrompt, results, pick), 0 if headline else 1
        return metric(key, label, "%", better, values, (0, 1), tested=headline, level=level)

    def rates(key: str, label: str, pick: Callable[[PromptCheck], Values]) -> Metric:
        return metric(key, label, "%", "more", _values(BinaryPerItem, results, pick), (0, 1))

    whole, single = LABELS[results[0].provenance.rubric]
    lenient = any(one.loose is not None for result in results for one in result.checked)
    strict, loose = (", strict", ", loose") if lenient else ("", "")
    found = [
        rate("prompt_strict", f"{whole}{strict}", "more", lambda one: _all(one, one.strict)),
        *([rates("instruction_strict", f"{single}{strict}", lambda one: _each(one, one.strict))] if single else []),
    ]
    if lenient:
        found += [
            rate("prompt_loose", f"{whole}{loose}", "more", lambda one: _all(one, one.loose)),
            rates("instruction_loose", f"{single}{loose}", lambda one: _each(one, one.loose)),
        ]
    lengths = _values(Series, results, _length)
    cut = any(one.finish == "cut" for result in results for one in result.checked)
    return [
        *found,
        *(
            rate(f"verifiable_flaw_{number}", flaw, "less", partial(_flawed, flaw=flaw), headline=False)
            for number, flaw in enumerate(FLAWS.get(results[0].provenance.rubric, ()))
        ),
        metric("verifiable_length", "mean length", "chars", "neither", lengths, observed_range(lengths), level=1),
        rate(
            "verifiable_cut",
            "answers cut before their end" if cut else "answers cut at the token limit",
            "less",
            _cut,
            headline=False,
        ),
        rate("verifiable_answered", "prompts that got an answer", "more", _answered, headline=False),
    ]


def notes(chosen: Selection[VerifiableResult]) -> list[Note]:
    """Return the conditions of the metrics, and warnings on missing, empty and cut answers."""
    results = chosen.results
    first = results[0]
    prompts, single = len(first.checked), sum(len(one.instructions) for one in first.checked)
    name = {
        "ifeval": f"IFEval: {prompts} prompts with {single} instructions",
        "puzzle": f"{prompts} puzzles of the test, with {single} relations",
        "sentences": f"{prompts} sets of words of the test, with {single} words",
        "countdown": f"Countdown, {first.rule or AT_MOST_ONCE}: {prompts} items that have a solution, with {single} "
        "conditions",
        "task": f"{prompts} problems of the test split",
    }[first.provenance.rubric]
    lenient = f" Loose: {LENIENT[first.provenance.rubric]}." if any(one.loose for one in first.checked) else ""
    found = [
        caption(
            f"{name}, checked by {first.provenance.judge} ({first.provenance.sampling}); no judge is involved."
            f"{lenient} Whole prompts: Wilson's intervals, McNemar's exact test; single ones: bootstrap and "
            "permutation test, clustered by prompt. p values are Holm-adjusted."
        )
    ]
    for result in results:
        missing = sum(one.strict is None for one in result.checked)
        if missing:
            text = (
                f"{result.model} gave no answer to {missing} of {prompts} prompts, and its metrics are of the others. "
                "The same srlm eval asks for them again."
            )
            found.append(warning(text, result.model))
        found += ending_warnings(result.model, result.endings)
    return found


def _values(
    kind: type[Series], results: Sequence[VerifiableResult], pick: Callable[[PromptCheck], Values]
) -> dict[str, Series]:
    return {
        result.model: kind(
            {item: (one.prompt_id, value) for one in result.checked for item, value in pick(one).items()}
        )
        for result in results
    }


def _all(one: PromptCheck, followed: tuple[bool, ...] | None) -> Values:
    return {} if followed is None else {one.prompt_id: float(all(followed))}


def _each(one: PromptCheck, followed: tuple[bool, ...] | None) -> Values:
    return {f"{one.prompt_id}-{number}": float(value) for number, value in enumerate(followed or ())}


def _length(one: PromptCheck) -> Values:
    return {} if one.strict is None else {one.prompt_id: float(one.length)}


def _cut(one: PromptCheck) -> Values:
    return {} if one.strict is None else {one.prompt_id: float(one.finish != "stop")}


def _flawed(one: PromptCheck, flaw: str) -> Values:
    return {} if one.strict is None else {one.prompt_id: float(one.flaw == flaw)}


def _answered(one: PromptCheck) -> Values:
    return {one.prompt_id: float(one.strict is not None)}
