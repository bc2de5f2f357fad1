"""What is read off checked answers: the rows of a comparison, model by model and prompt by prompt, and their caption.

Left out: figures by kind of instruction. The results name each instruction, for whoever wants them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from evals.results import Checked, VerifiableResult

Values = dict[str, float]
"""By item: the prompt, or one of its instructions."""

LABELS = {
    "ifeval": ("prompts with all instructions followed", "instructions followed"),
    "puzzle": ("puzzles solved", "relations kept"),
}


@dataclass(frozen=True)
class Row:
    """A figure of several models: model -> item -> (prompt, value).

    `kind` says what a value is: yes or no of a prompt, yes or no of one of several in a prompt, or an amount.
    """

    key: str
    label: str
    kind: Literal["prompt", "instruction", "amount"]
    better: str
    values: dict[str, dict[str, tuple[str, float]]]
    tested: bool = True


def rows(results: Sequence[VerifiableResult]) -> list[Row]:
    """The four figures of IFEval, or the two of an exam without a lenient reading, and what belongs beside them."""

    def values(pick: Callable[[Checked], Values]) -> dict[str, dict[str, tuple[str, float]]]:
        return {
            result.model: {item: (one.prompt_id, value) for one in result.checked for item, value in pick(one).items()}
            for result in results
        }

    whole, single = LABELS[results[0].provenance.rubric]
    lenient = any(one.loose is not None for result in results for one in result.checked)
    strict, loose = (", strict", ", loose") if lenient else ("", "")
    found = [
        Row("prompt_strict", f"{whole}{strict}", "prompt", "more", values(lambda one: _all(one, one.strict))),
        Row(
            "instruction_strict", f"{single}{strict}", "instruction", "more", values(lambda one: _each(one, one.strict))
        ),
    ]
    if lenient:
        found += [
            Row("prompt_loose", f"{whole}{loose}", "prompt", "more", values(lambda one: _all(one, one.loose))),
            Row(
                "instruction_loose",
                f"{single}{loose}",
                "instruction",
                "more",
                values(lambda one: _each(one, one.loose)),
            ),
        ]
    return [
        *found,
        Row("verifiable_length", "  mean length", "amount", "neither", values(_length)),
        Row("verifiable_cut", "  answers cut at the token limit", "prompt", "less", values(_cut), tested=False),
        Row("verifiable_answered", "  prompts that got an answer", "prompt", "more", values(_answered), tested=False),
    ]


def captions(results: Sequence[VerifiableResult]) -> list[str]:
    """What the figures are of; and a warning for each model whose figures leave out prompts that got no answer."""
    first = results[0]
    prompts, single = len(first.checked), sum(len(one.instructions) for one in first.checked)
    what = {
        "ifeval": f"IFEval: {prompts} prompts with {single} instructions",
        "puzzle": f"{prompts} puzzles of the test, with {single} relations",
    }[first.provenance.rubric]
    lenient = (
        " Loose: also without the first line, the last line, or asterisks."
        if any(one.loose for one in first.checked)
        else ""
    )
    found = [
        f"{what}, checked by {first.provenance.judge} ({first.provenance.sampling}); no judge is involved.{lenient} "
        "Whole prompts: Wilson's intervals, McNemar's exact test; single ones: bootstrap and permutation test, "
        "clustered by prompt. p values are Holm-adjusted."
    ]
    for result in results:
        missing = sum(one.strict is None for one in result.checked)
        if missing:
            found.append(
                f"Attention: {result.model} gave no answer to {missing} of {prompts} prompts, and its figures are of "
                "the others. The same srlm eval asks for them again."
            )
    return found


def _all(one: Checked, followed: tuple[bool, ...] | None) -> Values:
    return {} if followed is None else {one.prompt_id: float(all(followed))}


def _each(one: Checked, followed: tuple[bool, ...] | None) -> Values:
    return {f"{one.prompt_id}-{number}": float(value) for number, value in enumerate(followed or ())}


def _length(one: Checked) -> Values:
    return {} if one.strict is None else {one.prompt_id: float(one.length)}


def _cut(one: Checked) -> Values:
    return {} if one.strict is None else {one.prompt_id: float(one.finish == "length")}


def _answered(one: Checked) -> Values:
    return {one.prompt_id: float(one.strict is not None)}
