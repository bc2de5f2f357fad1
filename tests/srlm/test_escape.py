"""Text of strangers on terminals, in logs and in Markdown: seen, and not obeyed."""

import io
import json
import re
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm import console as display
from srlm.escape import ESCAPE, encodable, escape_workflow_commands, harmless, markdown, one_line

HOSTILE = {
    "\x1b]52;c;cHduZWQ=\x07\x1b[2J": "\\u001b]52;c;cHduZWQ=\\u0007\\u001b[2J",
    "a\rb": "a\\rb",
    "a\x9b31m": "a\\u009b31m",
    "\u202egnp.exe": "\\u202egnp.exe",
    "\u2066a\u2069": "\\u2066a\\u2069",
    "a\u2028b\u0085c\x0bd\x1ce": "a\\u2028b\\u0085c\\u000bd\\u001ce",
    "half \ud800": "half \\ud800",
    "\x00\x7f": "\\u0000\\u007f",
    "\U000e0041": "\\udb40\\udc41",
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items(), ids=map(ascii, HOSTILE))
def test_what_a_terminal_obeys_is_seen(text, shown):
    assert harmless(text) == one_line(text) == shown
    assert (
        harmless(json.dumps(text, ensure_ascii=False)) == json.dumps(text, ensure_ascii=False)
        or json.loads(harmless(json.dumps(text, ensure_ascii=False))) == text
    )


@given(st.text())
def test_one_line_is_one_line_and_stays_as_it_is(text):
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert one_line(shown) == harmless(shown) == shown
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


@pytest.mark.parametrize("text", ["Grüße, 模型, ✓ \U0001f600 — “x”", "a\nb\tc", "", "زبان فارسی"])
def test_what_people_write_stays(text):
    assert harmless(text) == text


@pytest.mark.parametrize(
    "text", ["::add-mask::x", "  ::error::x", "a\n::set-output name=o::pass", "\t::x", "##[error]x", "a ##[command]x"]
)
def test_a_runner_finds_no_command(text):
    shown = escape_workflow_commands(harmless(text))
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in shown.splitlines())
    assert escape_workflow_commands(shown) == shown


def test_a_command_that_wrapping_puts_at_the_beginning_of_a_line_is_none():
    written = io.StringIO()
    with mock.patch("sys.stdout", written):
        display.stdout().print(f"{'word ' * 26}, names: ::add-mask::M2 ##[error]x", markup=False)
        display.say("::error::x")
    assert written.getvalue().count("\n") >= 2
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in written.getvalue().splitlines())
    assert "add-mask" in written.getvalue()


ACTIVE = [
    "<img src=x onerror=alert(1)>",
    "[l](javascript:alert(1))",
    "![i](http://x)",
    "a|b",
    "a\n# b",
    "# b",
    "- b",
    "1. b",
    "`code`",
    "&lt;",
    "http://evil.example www.evil.example",
    "[ ] b",
    "*b* _c_ ~d~ $e$",
    "====",
    "> b",
]


@pytest.mark.parametrize("text", ACTIVE)
def test_markdown_shows_names_as_text(text):
    shown = markdown(text)
    assert "\n" not in shown
    for active in ("<img", "](", "![", "http://", "www."):
        assert active not in shown.replace("\\" + active[0], "")
    assert not re.match(r"[#=>+-]|\d+\.|\[", shown)
    assert not re.search(r"(?<!\\)[|`*_<>~$&]", shown)


def test_markdown_leaves_figures_legible():
    line = "M2 is significantly better than M1 in win_rate: +12.0 points [+7.0, +17.0], p = 0.003."
    assert markdown(line) == line


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@given(text=st.text())
def test_every_text_can_be_encoded_and_json_stays_json(encoding, text):
    encodable(text, encoding).encode(encoding)
    data = json.dumps(text, ensure_ascii=False)
    assert json.loads(data.encode(encoding, ESCAPE).decode(encoding)) == text


def test_tables_on_a_console_without_boxes_are_of_characters_that_it_has():
    from rich.table import Table

    written = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    table = Table("a")
    table.add_row("\N{BLACK UP-POINTING TRIANGLE} è \x1b[2J")
    with mock.patch("sys.stdout", written):
        display.stdout().print(table)
    written.seek(0)
    assert "| ^ \\u00e8 \\u001b[2J |" in written.read()
