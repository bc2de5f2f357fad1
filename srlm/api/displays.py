"""Displays of results: tables in a notebook, Markdown, plain data, and pandas data frames."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class TextTable:
    """A table of plain text. `notes` are sentences below it."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


class Displayed(ABC):
    """A result that shows itself as a table in a notebook and converts to other forms."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON has it: plain values, None where a value is undefined."""

    @abstractmethod
    def _tables(self) -> list[TextTable]:
        """Return the tables for people."""

    @abstractmethod
    def _records(self) -> list[dict[str, Any]]:
        """Return the rows of the data frame."""

    def to_markdown(self) -> str:
        """Return the tables and what is to be said of them as Markdown."""
        return "\n\n".join(map(_markdown, self._tables()))

    def to_pandas(self) -> Any:
        """Return a pandas data frame.

        Raises:
            UsageError: pandas is not installed.
        """
        from srlm.optional_deps import data_frame

        return data_frame(self._records())

    def _repr_html_(self) -> str:
        return "\n".join(map(_html, self._tables()))


def from_rich(table: "Table", notes: Sequence[str] = ()) -> TextTable:
    """Return the text of a table that is made for a terminal."""
    from rich.text import Text

    def plain(cell: Any) -> str:
        return Text.from_markup(cell).plain if isinstance(cell, str) else str(cell)

    header = [plain(column.header) for column in table.columns]
    rows = zip(*([plain(cell) for cell in column.cells] for column in table.columns), strict=True)
    return TextTable(plain(table.title or ""), header, list(rows), notes)


def _markdown(table: TextTable) -> str:
    from srlm.escape import markdown

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(map(markdown, cells))} |"

    lines = [f"**{markdown(table.title)}**", ""] if table.title else []
    lines += [line(table.header), "|" + "---|" * len(table.header), *map(line, table.rows)]
    return "\n".join([*lines, *([""] if table.notes else []), *(f"- {markdown(note)}" for note in table.notes)])


def _html(table: TextTable) -> str:
    from srlm.escape import one_line

    def cells(tag: str, texts: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(one_line(text))}</{tag}>" for text in texts) + "</tr>"

    lines = ["<table>", *([f"<caption>{escape(one_line(table.title))}</caption>"] if table.title else [])]
    lines += [f"<thead>{cells('th', table.header)}</thead>"] if any(table.header) else []
    lines += ["<tbody>", *(cells("td", row) for row in table.rows), "</tbody>", "</table>"]
    notes = [f"<li>{escape(one_line(note))}</li>" for note in table.notes]
    return "\n".join([*lines, *(["<ul>", *notes, "</ul>"] if notes else [])])
