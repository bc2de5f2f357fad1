"""Labels of prompts: category, complexity from 1 to 10, and expected length of the answer.

The labels are those of the self-rewarding paper (arXiv 2401.10020, Figures 9 and 10). They come with the prompts, from
a judge (`evals.labels.annotate`), or from the user's file. An unknown label is None, and never guessed.

evals/prompts/SET.jsonl     the prompts of a set with their own labels; SET is the digest that results have
evals/labels/SET.jsonl      the labels of the set by a judge
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import Field

from srlm.errors import DataError
from srlm.jsonl import parse_lines, read_records
from srlm.runs import Run
from srlm.types import SCHEMA, Prompt

LENGTHS = ("1 sentence", "1-3 sentences", "1 paragraph", "2 paragraphs", "3 or more paragraphs")
"""The paper's five, which overlap there too."""
LOWEST, HIGHEST = 1, 10
"""Range of complexity."""

By = Literal["category", "complexity", "length"]
"""A kind of label."""


@dataclass(frozen=True)
class Label:
    """The labels of one prompt. `by` is the labeller, except of the `own` ones, which came with the prompt."""

    prompt_id: str
    category: str | None = None
    complexity: Annotated[int, Field(ge=LOWEST, le=HIGHEST)] | None = None
    expected_length: str | None = None
    by: str | None = None
    own: tuple[By, ...] = ()
    schema: int = SCHEMA

    def value(self, by: By) -> str | None:
        """Return one of the three labels, as text."""
        if by == "complexity":
            return None if self.complexity is None else str(self.complexity)
        return self.category if by == "category" else self.expected_length

    def source(self, by: By) -> str | None:
        """Return the labeller of one of the three; None if the label came with the prompt."""
        return None if by in self.own else self.by


def prompt_label(prompt: Prompt) -> Label:
    """Return the labels that a prompt came with."""
    return Label(prompt.id, prompt.category, prompt.complexity, prompt.expected_length)


def save_labels(run: Run, digest: str, labels: Sequence[Label]) -> None:
    """Write a judge's labels of a set of prompts."""
    run.write(f"evals/labels/{quote(digest, safe='')}", labels)


def load_labels(run: Run, digest: str) -> dict[str, Label]:
    """Read the labels of a set by prompt: a judge's, or those that came with the prompts; empty without any.

    Raises:
        DataError: a file of them is damaged.
    """
    name = quote(digest, safe="")
    judged, prompts = run.path(f"evals/labels/{name}"), run.path(f"evals/prompts/{name}")
    if judged.exists():
        return by_prompt(parse_lines(judged, Label))
    return by_prompt([prompt_label(one) for one in parse_lines(prompts, Prompt)]) if prompts.exists() else {}


def read_labels(path: Path) -> dict[str, Label]:
    """Read a user's own labels: one JSON object per line with prompt_id, category, complexity, expected_length.

    Raises:
        DataError: the file cannot be read, a line is no label, or a prompt is repeated; the line is named.
    """
    labels = read_records(path, Label)
    seen: set[str] = set()
    for number, label in enumerate(labels, start=1):
        if label.prompt_id in seen:
            raise DataError(path, f"the prompt {label.prompt_id} has a label already.", number)
        seen.add(label.prompt_id)
    return by_prompt([replace(one, by=one.by or path.name) for one in labels])


def by_prompt(labels: Sequence[Label]) -> dict[str, Label]:
    """Return labels by prompt."""
    return {one.prompt_id: one for one in labels}


def count_labelled(labels: Mapping[str, Label], by: By) -> int:
    """Count the prompts that have a label of this kind."""
    return sum(one.value(by) is not None for one in labels.values())
