"""Displays of results: every name is text in them, and numbers stay numbers."""

import sys
from dataclasses import dataclass

import pytest
from rich.markup import escape
from rich.table import Table

from srlm.api.displays import Displayed, TextTable, from_rich
from srlm.errors import UsageError


@dataclass(frozen=True)
class Scores(Displayed):
    """A result for the tests."""

    names: tuple[str, ...]

    def to_dict(self):
        return {"names": list(self.names)}

    def _tables(self):
        return [TextTable("Scores", ("model", "score"), [(name, "1") for name in self.names], ["A note <b>."])]

    def _records(self):
        return [{"model": name, "score": 1.5} for name in self.names]


def test_html_shows_names_as_text():
    html = Scores(("<script>x</script>", "a\nb"))._repr_html_()
    assert "<script>" not in html
    assert "<td>&lt;script&gt;x&lt;/script&gt;</td>" in html
    assert "<td>a\\nb</td>" in html
    assert "<caption>Scores</caption>" in html
    assert "<li>A note &lt;b&gt;.</li>" in html


def test_markdown_shows_names_as_text():
    assert Scores(("a|b", "*c*")).to_markdown().splitlines() == [
        "**Scores**",
        "",
        "| model | score |",
        "|---|---|",
        "| a\\|b | 1 |",
        "| \\*c\\* | 1 |",
        "",
        "- A note \\<b\\>.",
    ]


def test_a_data_frame_has_numbers():
    pytest.importorskip("pandas")
    frame = Scores(("a", "b")).to_pandas()
    assert list(frame.columns) == ["model", "score"]
    assert frame["score"].sum() == 3


def test_without_pandas_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setattr("srlm.optional_deps.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install pandas"):
        Scores(("a",)).to_pandas()


def test_a_table_for_a_terminal_becomes_its_text():
    table = Table(title=escape("of [bold]"))
    table.add_column("")
    table.add_column("score", justify="right")
    table.add_row(escape("[red]M1[/red]"), "1.00")
    assert from_rich(table, ["note"]) == TextTable("of [bold]", ["", "score"], [("[red]M1[/red]", "1.00")], ["note"])
