"""Prompt templates of judges: Markdown with {{slots}}, into which hostile text is put so that it cannot leave its slot.

A candidate may contain "</response>" or "{{instruction}}". Its angle brackets around our tag names are escaped, and
slots are filled in one pass, so that what was put in is never searched again.
"""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from srlm.errors import UnknownName, UsageError

_SLOT = re.compile(r"\{\{(\w+)\}\}")
_INVISIBLE_MARKS = {"\u034f", *(chr(code) for code in range(0xFE00, 0xFE10))}
_TAG = re.compile(r"<(\w+)>")


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
        tags = set(_TAG.findall(self.text))
        return _SLOT.sub(lambda match: fence(slots[match[1]], tags), self.text)


def fence(text: str, tags: set[str]) -> str:
    """Text as data: it cannot open or close one of the template's tags, however it spells them."""
    if not tags:
        return text
    opening = re.compile(rf"<(?=[\s/\\]*(?:{'|'.join(sorted(map(re.escape, tags)))})\b)", re.IGNORECASE)
    # A model reads past characters that cannot be seen: a tag that is one only without them is fenced too.
    visible = "".join(character for character in text if not _invisible(character))
    if len(opening.findall(visible)) > len(opening.findall(text)):
        text = visible
    return opening.sub("&lt;", text)


def _invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or character in _INVISIBLE_MARKS


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
        text = _read(Path(name))
    else:
        raise UnknownName("The judge's prompt", name, shipped, "A file of your own is given by its path.")
    found = set(_SLOT.findall(text))
    if found != set(slots):
        wanted = ", ".join("{{" + slot + "}}" for slot in slots)
        raise UsageError(
            f"The judge's prompt {name} must have exactly the slots {wanted}; it has {sorted(found) or 'none'}."
        )
    return Template(name=Path(name).stem, text=text.strip())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"The judge's prompt {path} is not UTF-8 text.") from None
