"""Notes below a comparison: captions, and warnings with the models that they are about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from srlm.judges.judge_card import JudgeCard

PREFIX = "Attention:"
"""The first word of a printed warning."""


@dataclass(frozen=True)
class Note:
    """A sentence below a table; printed with `str`.

    Attributes:
        kind: a "warning" must not be overlooked; "weak judge" is the judge card of a judge that is close to chance.
        text: without the word that a printed warning begins with.
        models: those that it is about; empty where it is about all of them.
    """

    kind: Literal["caption", "warning", "weak judge"]
    text: str
    models: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{PREFIX} {self.text}" if self.kind == "warning" else self.text


def caption(text: str) -> Note:
    """Return a note that explains a table."""
    return Note("caption", text)


def warning(text: str, *models: str) -> Note:
    """Return a warning about these models, or about all of them if none is named."""
    return Note("warning", text, models)


def card_note(card: JudgeCard) -> Note:
    """Return a judge card in one sentence."""
    return Note("weak judge" if card.weak else "caption", card.caption())


def parse_notes(lines: Sequence[str], models: Sequence[str]) -> list[Note]:
    """Read notes from their printed lines, as the JSON of a comparison has them.

    The kind of a note other than a warning is lost. A warning is about those of the `models` that are among its words.
    """
    found = []
    for line in lines:
        if line.startswith(PREFIX):
            words = {word.strip(".,:;()") for word in line.split()}
            found.append(warning(line.removeprefix(PREFIX).lstrip(), *(one for one in models if one in words)))
        else:
            found.append(caption(line))
    return found
