"""What kind of task a prompt is: its category, its complexity from 1 to 10, and how long an answer it asks for.

The labels are those of the self-rewarding paper (arXiv 2401.10020, Figures 9 and 10). They come with the prompts, from
a judge (`evals.labels.annotate`), or from a file of the user's. A label that is not known is None, and never guessed.

evals/prompts/SET.jsonl     the prompts of a set, with the labels that they came with; SET is how results name it
evals/labels/SET.jsonl      the labels of the set, where a judge was asked
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
"""The paper's five. They overlap there too."""
LOWEST, HIGHEST = 1, 10
"""Of complexity."""

By = Literal["category", "complexity", "length"]


@dataclass(frozen=True)
class Label:
    """The labels of one prompt. `by` is who gave them, but for the `own` ones, which it came with."""

    prompt_id: str
    category: str | None = None
    complexity: Annotated[int, Field(ge=LOWEST, le=HIGHEST)] | None = None
    expected_length: str | None = None
    by: str | None = None
    own: tuple[By, ...] = ()
    schema: int = SCHEMA

    def value(self, by: By) -> str | None:
        """One of the three, as text."""
        if by == "complexity":
            return None if self.complexity is None else str(self.complexity)
        return self.category if by == "category" else self.expected_length

    def giver(self, by: By) -> str | None:
        """Who gave one of the three; None where the prompt came with it."""
        return None if by in self.own else self.by


def own_label(prompt: Prompt) -> Label:
    """What a prompt came with."""
    return Label(prompt.id, prompt.category, prompt.complexity, prompt.expected_length)


def store_labels(run: Run, digest: str, labels: Sequence[Label]) -> None:
    """Keep what a judge said of a set of prompts."""
    run.write(f"evals/labels/{quote(digest, safe='')}", labels)


def labels_of(run: Run, digest: str) -> dict[str, Label]:
    """The labels of a set by prompt: a judge's, or those that the prompts came with; empty where there are none.

    Raises:
        DataError: a file of them is damaged.
    """
    name = quote(digest, safe="")
    judged, prompts = run.path(f"evals/labels/{name}"), run.path(f"evals/prompts/{name}")
    if judged.exists():
        return by_prompt(parse_lines(judged, Label))
    return by_prompt([own_label(one) for one in parse_lines(prompts, Prompt)]) if prompts.exists() else {}


def read_labels(path: Path) -> dict[str, Label]:
    """A user's own labels: a JSON object a line with prompt_id and category, complexity, expected_length.

    Raises:
        DataError: the file cannot be read, a line is no label, or a prompt is there twice; the line is named.
    """
    labels = read_records(path, Label)
    seen: set[str] = set()
    for number, label in enumerate(labels, start=1):
        if label.prompt_id in seen:
            raise DataError(path, f"the prompt {label.prompt_id} has a label already.", number)
        seen.add(label.prompt_id)
    return by_prompt([replace(one, by=one.by or path.name) for one in labels])


def by_prompt(labels: Sequence[Label]) -> dict[str, Label]:
    """Labels by the prompt that they are of."""
    return {one.prompt_id: one for one in labels}


def known(labels: Mapping[str, Label], by: By) -> int:
    """How many prompts have a label of this kind."""
    return sum(one.value(by) is not None for one in labels.values())
