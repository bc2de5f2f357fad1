"""Write docs/reference/cli.md, the reference of the command line, from the commands and the errors themselves.

Leaves out hidden commands and options. The words are the docstrings and the help of each option: mend them
there.

    python tools/cli_reference.py            write the page
    python tools/cli_reference.py --check    exit 1 if the page on disk differs
"""

import argparse
import difflib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"
PROGRAM = "srlm"
HEAD = """# The command line

This page is written by `python tools/cli_reference.py` from the commands themselves, and `make check`
compares the two: change a docstring or the help of an option, not this file.
"""


def render(app: typer.Typer, program: str = PROGRAM) -> str:
    """Render the whole page as Markdown."""
    # Typer brings its own copy of Click, so a command has no public type to name here.
    root: Any = get_command(app)
    sections = list(_sections(root, typer.Context(root, info_name=program), level=2))
    return "\n".join([HEAD, *sections, exit_codes()])


def exit_codes() -> str:
    """Render the section on exit codes from the classes of `srlm.errors`."""
    from srlm import errors

    raised: dict[str, list[str]] = {}
    for one in vars(errors).values():
        if isinstance(one, type) and issubclass(one, errors.SrlmError):
            raised.setdefault(str(one.exit_code), []).append(f"`{one.__name__}`")
    rows = [(code, meaning, ", ".join(raised.get(code, []))) for code, meaning in errors.EXIT_CODES.items()]
    return f"## Exit codes\n\n{_grid(('Code', 'Meaning', 'Exception in Python (srlm.errors)'), rows)}\n"


def _sections(command: Any, context: typer.Context, level: int) -> Iterator[str]:
    """A section for a command, then those of its subcommands."""
    parts = [f"{'#' * level} {context.command_path}"]
    parts.append(f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```")
    # A lone \b forbids Click to wrap a paragraph; Markdown has no use for it.
    parts.append((command.help or "").replace("\b\n", "").strip())
    shown = [param for param in command.get_params(context) if param.get_help_record(context)]
    parts.append(_table("Argument", [_row(param, context) for param in shown if param.param_type_name == "argument"]))
    if hasattr(command, "suites"):
        parts.append(
            _grid(("Suite", "What it measures"), [(f"`{name}`", _prose(text)) for name, text in command.suites()])
        )
    groups: dict[str, list[Any]] = {}
    for param in shown:
        if param.param_type_name == "option":
            groups.setdefault(getattr(param, "rich_help_panel", None) or "", []).append(param)
    for title, params in groups.items():
        parts += [f"{title}:" if title else "", _table("Option", [_row(param, context) for param in params])]
    children = _visible(command)
    if children:
        rows = [(f"`{context.command_path} {name}`", _prose(child.get_short_help_str(200))) for name, child in children]
        parts.append(_grid(("Command", "What it does"), rows))
    parts.append((command.epilog or "").strip())
    yield "\n\n".join(part for part in parts if part) + "\n"
    for name, child in children:
        yield from _sections(child, typer.Context(child, info_name=name, parent=context), level + 1)


def _visible(command: Any) -> list[tuple[str, Any]]:
    if not isinstance(command, TyperGroup):
        return []
    return [(name, child) for name, child in command.commands.items() if not child.hidden]


def _row(param: Any, context: typer.Context) -> tuple[str, str, str]:
    """Name, default and help of a parameter, out of Typer's "HELP  [env var: E; default: D; required]"."""
    name, record = param.get_help_record(context)
    words = param.help or ""
    notes = record.removeprefix(words).strip().removeprefix("[").removesuffix("]")
    default, others = "", []
    for note in filter(None, notes.split("; ")):
        if note == "required":
            default = "required"
        elif note.startswith("default: "):
            default = f"`{_cell(note.removeprefix('default: '))}`"
        else:
            others.append(note)
    extra = f" ({'; '.join(others)})" if others else ""
    return f"`{_cell(name)}`", default, _prose(words + extra)


def _table(kind: str, rows: list[tuple[str, str, str]]) -> str:
    return _grid((kind, "Default", "What it does"), rows) if rows else ""


def _grid(head: tuple[str, ...], rows: list[Any]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Text that stays on one line and in its cell."""
    return " ".join(text.split()).replace("|", r"\|")


def _prose(text: str) -> str:
    """Text for a cell in which "<name>" is no HTML tag; what stands between backticks is left as it is."""
    parts = re.split(r"(`[^`]*`)", _cell(text))
    return "".join(part if part.startswith("`") else part.replace("<", r"\<") for part in parts)


def main() -> int:
    """Write or check the page; the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/reference/cli.md from the commands.")
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when the page differs")
    check = parser.parse_args().check
    from srlm.cli.main import app

    page = render(app)
    if not check:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
        return 0
    written = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if page == written:
        return 0
    changes = difflib.unified_diff(
        written.splitlines(), page.splitlines(), "docs/reference/cli.md", "the commands", n=0, lineterm=""
    )
    print("\n".join(changes), file=sys.stderr)
    print(
        "docs/reference/cli.md differs from the commands. Write it again: .venv/bin/python tools/cli_reference.py",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
