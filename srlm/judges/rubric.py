"""Rubrics: the prompt of a pointwise judge and its scale. A rubric is data: a Markdown file with two slots.

`additive` has the paper's five points, 0-5 (arXiv 2401.10020, Figure 2), `levels` the choice among five levels, 1-5, of
Li et al. 2024 (arXiv 2308.06259, the curation prompt), both in our words; `brief` has five points in one sentence, for
models that are small or slow. A user's file may begin with its scale; the default is 0-5:

    ---
    scale: 1-5
    ---
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from srlm.digest import digest_of
from srlm.errors import UsageError
from srlm.judges.template import Template, load_template

SLOTS = ("instruction", "response")

_FRONT = re.compile(r"\A---[ \t]*\n(?P<lines>.*?)^---[ \t]*\n", re.DOTALL | re.MULTILINE)
_SCALE = re.compile(r"scale[ \t]*:[ \t]*(?P<lowest>[0-9]{1,3})[ \t]*-[ \t]*(?P<highest>[0-9]{1,3})")


@dataclass(frozen=True)
class Scale:
    """The integers from `lowest` to `highest`; the highest is the best."""

    lowest: int
    highest: int

    def __str__(self) -> str:
        """Return the scale as text: 0-5."""
        return f"{self.lowest}-{self.highest}"

    @property
    def values(self) -> tuple[int, ...]:
        """All scores of the scale, in order."""
        return tuple(range(self.lowest, self.highest + 1))


POINTS = Scale(0, 5)
"""The paper's scale, and the default of a rubric."""


@dataclass(frozen=True)
class Rubric(Template):
    """A judge's prompt with the scale of its scores."""

    scale: Scale = POINTS

    @property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of scale and wording."""
        return digest_of(f"{self.scale}\n{self.text}")

    @property
    def label(self) -> str:
        """The rubric's name in a verdict: "additive:0f3c..."."""
        return f"{self.name}:{self.digest}"


def load_rubric(name: str) -> Rubric:
    """Load a pointwise rubric by its name or by the path of a file.

    Raises:
        UnknownName: there is no such rubric.
        UsageError: the file is not UTF-8, its slots or its scale are wrong, or the response is not between tags.
    """
    rubric = with_scale(load_template(name, SLOTS))
    outside = re.sub(r"<(\w+)>\s*\{\{response\}\}\s*</\1>", "", rubric.text)
    if "{{response}}" in outside:
        raise UsageError(
            f"The rubric {name} must have {{{{response}}}} between tags of its own, <response> before and </response> "
            "after it: they separate untrusted text from the judge's instructions."
        )
    return rubric


def load_scaled(name: str, slots: Collection[str]) -> Rubric:
    """Load a prompt of srlm that has a scale and slots of its own."""
    return with_scale(load_template(name, slots))


def with_scale(template: Template) -> Rubric:
    """Read the scale in the first lines of a template and remove them: the judge does not see them.

    Raises:
        UsageError: the first lines are not a scale, or the scale does not have two values.
    """
    if not template.text.startswith("---"):
        return Rubric(template.name, template.text)
    front = _FRONT.match(template.text)
    match = _SCALE.fullmatch(front["lines"].strip()) if front else None
    scale = Scale(int(match["lowest"]), int(match["highest"])) if match else None
    if front is None or scale is None or scale.lowest >= scale.highest:
        raise UsageError(
            f"The judge's prompt {template.name} begins with ---, so three lines are expected: ---, then a scale of "
            "whole numbers with the lowest first, such as scale: 1-5, then --- again. Without them the scale is "
            f"{POINTS}."
        )
    return Rubric(template.name, template.text[front.end() :].strip(), scale)
