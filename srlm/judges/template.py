"""Prompt templates of judges: Markdown with {{slots}}, into which hostile text is put so that it cannot leave its slot.

A candidate may contain "</response>" or "{{instruction}}". Its angle brackets around our tag names are escaped, and
slots are filled in one pass, so that what was put in is never searched again.
"""

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from srlm.errors import UnknownName, UsageError

_SLOT = re.compile(r"\{\{(\w+)\}\}")
_TAG = re.compile(r"<(?=\s*/?\s*(?:instruction|response|answer_[ab])\b)", re.IGNORECASE)


@dataclass(frozen=True)
class Template:
    """A judge's prompt. `digest` tells results of different wordings apart."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of the wording."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]

    def fill(self, **slots: str) -> str:
        """The prompt with each slot replaced by its text, fenced."""
        return _SLOT.sub(lambda match: fence(slots[match[1]]), self.text)


def fence(text: str) -> str:
    """Text as data: it cannot close, or open, one of the tags that surround it."""
    return _TAG.sub("&lt;", text)


def load_template(name: str, slots: tuple[str, ...]) -> Template:
    """A template that ships with srlm, or a Markdown file of the user's.

    Raises:
        UnknownName: there is no such template.
        UsageError: the file lacks a slot, or has one that nothing fills.
    """
    shipped = sorted(
        entry.name.removesuffix(".md") for entry in files("srlm.judges.prompts").iterdir() if entry.name.endswith(".md")
    )
    if name in shipped:
        text = (files("srlm.judges.prompts") / f"{name}.md").read_text(encoding="utf-8")
    elif Path(name).is_file():
        text = Path(name).read_text(encoding="utf-8")
    else:
        raise UnknownName("The judge's prompt", name, shipped, "A file of your own is given by its path.")
    found = set(_SLOT.findall(text))
    if found != set(slots):
        wanted = ", ".join("{{" + slot + "}}" for slot in slots)
        raise UsageError(
            f"The judge's prompt {name} must have exactly the slots {wanted}; it has {sorted(found) or 'none'}."
        )
    return Template(name=Path(name).stem, text=text.strip())
