"""Rubrics: by what an answer is scored, and on which scale. They are data: a Markdown file with two slots.

`additive` is the paper's five points, 0-5 (arXiv 2401.10020, Figure 2), `levels` the single choice among five levels,
1-5, of Li et al. 2024 (arXiv 2308.06259, the curation prompt), both in our words. A file of the user's own
may begin with its scale, which is 0-5 without:

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
    """The whole numbers from `lowest` to `highest`; the highest is the best."""

    lowest: int
    highest: int

    def __str__(self) -> str:
        """As people write it: 0-5."""
        return f"{self.lowest}-{self.highest}"

    @property
    def values(self) -> tuple[int, ...]:
        """All of them, in order."""
        return tuple(range(self.lowest, self.highest + 1))


POINTS = Scale(0, 5)
"""The paper's scale, and that of a rubric that names none."""


@dataclass(frozen=True)
class Rubric(Template):
    """A judge's prompt with the scale that it asks for."""

    scale: Scale = POINTS

    @property
    def digest(self) -> str:
        """Tells wordings and scales apart."""
        return digest_of(f"{self.scale}\n{self.text}")

    @property
    def label(self) -> str:
        """How a verdict names it: "additive:0f3c..."."""
        return f"{self.name}:{self.digest}"


def load_rubric(name: str) -> Rubric:
    """A rubric for single answers, by its name or by the path of a file.

    Raises:
        UnknownName: there is no such rubric.
        UsageError: the file is not UTF-8, its slots or its scale are wrong, or the response stands outside of tags.
    """
    rubric = with_scale(load_template(name, SLOTS))
    outside = re.sub(r"<(\w+)>\s*\{\{response\}\}\s*</\1>", "", rubric.text)
    if "{{response}}" in outside:
        raise UsageError(
            f"The rubric {name} must put {{{{response}}}} between tags of its own, <response> before and </response> "
            "after it: they keep a hostile answer apart from the judge's orders."
        )
    return rubric


def load_scaled(name: str, slots: Collection[str]) -> Rubric:
    """A prompt that ships with srlm and names its scale, with slots of its own."""
    return with_scale(load_template(name, slots))


def with_scale(template: Template) -> Rubric:
    """A template with the scale that its first lines name; these are for srlm, and the judge does not see them.

    Raises:
        UsageError: the first lines are not a scale, or the scale has no two values.
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
