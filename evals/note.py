"""Notes below a comparison: its captions, and warnings with the models that they are about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

ATTENTION = "Attention: "
"""The beginning of a warning when it is printed."""


@dataclass(frozen=True)
class Note:
    """A sentence below a table.

    A "warning" must not be overlooked; "weak judge" is the card of a judge that is hardly better than chance.
    `models` are those that it is about, where it is about some of them only.
    """

    kind: Literal["caption", "warning", "weak judge"]
    text: str
    models: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{ATTENTION}{self.text}" if self.kind == "warning" else self.text


def caption(text: str) -> Note:
    """Return a note that explains a table."""
    return Note("caption", text)


def warning(text: str, *models: str) -> Note:
    """Return a warning about these models, or about all of them where none is named."""
    return Note("warning", text, models)


def printed(notes: Iterable[Note]) -> list[str]:
    """Return the lines of the notes, each once."""
    return list(dict.fromkeys(map(str, notes)))


def parse_notes(lines: Sequence[str], models: Sequence[str]) -> list[Note]:
    """Read notes back from their printed lines, as the JSON of a comparison has them.

    A warning is about those of the `models` whose names are among its words.
    """
    found = []
    for line in lines:
        if not line.startswith(ATTENTION.rstrip()):
            found.append(caption(line))
            continue
        words = {word.strip(".,:;()") for word in line.split()}
        text = line.removeprefix(ATTENTION.rstrip()).lstrip()
        found.append(warning(text, *(model for model in models if model in words)))
    return found
