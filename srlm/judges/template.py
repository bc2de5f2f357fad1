"""Prompt templates of judges: Markdown with {{slots}}, which are filled with sanitised text (`sanitize`).

All slots are filled in one pass, so text that was inserted is never searched for slots. The slot {{instruction}} also
shows the conversation before an instruction, if there is one (`conversation_text`).
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from srlm.digest import digest_of
from srlm.errors import UnknownName, UsageError
from srlm.judges.conversation_text import conversation_text, tags_shown
from srlm.judges.sanitize import sanitize
from srlm.types import Message

_SLOT = re.compile(r"\{\{(\w+)\}\}")
_TAG = re.compile(r"<(\w+)>")


@dataclass(frozen=True)
class Template:
    """A judge's prompt. `digest` identifies its wording."""

    name: str
    text: str

    @cached_property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of the wording."""
        return digest_of(self.text)

    @cached_property
    def tags(self) -> frozenset[str]:
        """The names of the tags in the wording."""
        return frozenset(_TAG.findall(self.text))

    def fill(self, context: Sequence[Message] = (), /, **slots: str) -> str:
        """Return the prompt with each slot replaced by its text, sanitised.

        Args:
            context: the messages before the instruction, which its slot shows too; none, if not given.
            slots: the texts by the names of the slots.
        """
        tags = tags_shown(self.tags, context)

        def shown(match: re.Match[str]) -> str:
            text = slots[match[1]]
            return conversation_text(context, text, tags) if match[1] == "instruction" else sanitize(text, tags)

        return _SLOT.sub(shown, self.text)


def load_template(name: str, slots: Collection[str]) -> Template:
    """Load a template of srlm by its name, or a Markdown file of the user's.

    Raises:
        UnknownName: there is no such template with these slots.
        UsageError: the file lacks a slot, or has an unknown one.
    """
    shipped = {
        entry.name.removesuffix(".md"): text
        for entry in files("srlm.judges.prompts").iterdir()
        if entry.name.endswith(".md") and set(_SLOT.findall(text := entry.read_text(encoding="utf-8"))) == set(slots)
    }
    if name in shipped:
        return Template(name, shipped[name].strip())
    if not Path(name).is_file():
        raise UnknownName("The judge's prompt", name, sorted(shipped), "A file of your own is given by its path.")
    text = _read(Path(name))
    found = set(_SLOT.findall(text))
    if found != set(slots):
        wanted = ", ".join("{{" + slot + "}}" for slot in slots)
        raise UsageError(
            f"The judge's prompt {name} must have exactly the slots {wanted}; it has {sorted(found) or 'none'}."
        )
    return Template(Path(name).stem, text.strip())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"The judge's prompt {path} is not UTF-8 text.") from None
