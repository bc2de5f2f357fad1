"""Check the documentation against what there is: links between files, and the srlm commands that it shows.

Links: every relative target in README.md, CONTRIBUTING.md, CHANGELOG.md and docs/*.md is a file or a folder.
Addresses on the web are not fetched, anchors not followed. Commands: in a ```console block each line that
calls srlm names a command, and options, that exist. Where a block marks its input with "$ ", its other lines
are output and not looked at.

    python tools/check_docs.py    print what is wrong, one line each; exit 1 if anything is
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md", "results/**/*.md")

_FENCE = re.compile(r"^(?P<indent>\s*)(?P<marks>`{3,}|~{3,})\s*(?P<language>\w*)")
_CODE = re.compile(r"(`+).*?\1")
_LINKS = (
    re.compile(r"\]\(\s*<?([^)\s>]+)"),  # [text](target), ![image](target)
    re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)"),  # [name]: target
    re.compile(r"""\b(?:src|href)=["']([^"']+)["']"""),  # HTML
)
_ELSEWHERE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//|#)", re.IGNORECASE)
_CALL = re.compile(r"^(?:\$ )?(?:\w+=\S* )*srlm(?P<words>(?:\s.*)?)$")
_OPTION = re.compile(r"^--?[a-zA-Z]")
_SHELL = re.compile(r"^(?:#|[|&;]|\d?[<>])")


def pages(root: Path = ROOT) -> list[Path]:
    """The pages that are checked."""
    return sorted(page for pattern in PAGES for page in root.glob(pattern))


def check_page(page: Path, app: typer.Typer, root: Path = ROOT) -> Iterator[tuple[int, str]]:
    """What is wrong on a page, as (line, problem)."""
    fence: re.Match[str] | None = None
    block: list[tuple[int, str]] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        mark = _FENCE.match(line)
        if fence is None and mark:
            fence, block = mark, []
        elif fence is None:
            yield from (
                (number, f"the link {target} leads nowhere") for target in broken_links(line, page.parent, root)
            )
        elif mark and mark["marks"].startswith(fence["marks"]) and line.strip() == mark["marks"]:
            if fence["language"] == "console":
                yield from check_console(block, app)
            fence = None
        else:
            block.append((number, line.removeprefix(fence["indent"])))


def broken_links(line: str, folder: Path, root: Path = ROOT) -> Iterator[str]:
    """The relative targets on a line of Markdown in `folder` that do not exist within `root`."""
    prose = _CODE.sub("", line)
    for target in (found for pattern in _LINKS for found in pattern.findall(prose)):
        path = (folder / target.split("#", 1)[0]).resolve()
        if not _ELSEWHERE.match(target) and not (path.exists() and path.is_relative_to(root.resolve())):
            yield target


def check_console(block: list[tuple[int, str]], app: typer.Typer) -> Iterator[tuple[int, str]]:
    """What is wrong in a console block of numbered lines, as (line, problem)."""
    marked = any(line.startswith("$ ") for _, line in block)
    for number, line in _joined(block):
        call = _CALL.match(line)
        if call and (line.startswith("$ ") or not marked):
            problem = wrong_call(call["words"].split(), app)
            if problem:
                yield number, problem


def _joined(block: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines, those that end in a backslash together with the next, under the number of the first."""
    start, text = 0, ""
    for number, line in block:
        start, text = (start, f"{text} {line.strip()}") if text else (number, line)
        if text.endswith("\\"):
            text = text.removesuffix("\\").rstrip()
            continue
        yield start, text
        text = ""
    if text:
        yield start, text


def wrong_call(words: list[str], app: typer.Typer) -> str | None:
    """Why srlm would not understand these words, going by its commands and options; None if it would."""
    # Typer brings its own copy of Click, so a command has no public type to name here.
    command: Any = get_command(app)
    path, value = "srlm", False
    for word in words:
        if _SHELL.match(word) or word == "--":
            return None
        default = getattr(command, "default", None)  # of a group in which the word of one command may be left out
        if default and word not in command.commands and word != "--help":
            command, path = command.commands[default], f"{path} {default}"
        if value:
            value = False
        elif _OPTION.match(word):
            name, equals, _ = word.partition("=")
            options = _options(command)
            if name not in options:
                return f"{path} has no option {name}"
            value = not equals and not options[name].is_flag
        elif isinstance(command, TyperGroup):
            if word not in command.commands:
                # A group below the top that also runs by itself may take this word as an argument.
                takes_it = command.invoke_without_command and path != "srlm"
                return None if takes_it else f"{path} has no command {word}"
            command, path = command.commands[word], f"{path} {word}"
    return None


def _options(command: Any) -> dict[str, Any]:
    params = command.get_params(typer.Context(command))
    return {
        name: param
        for param in params
        if param.param_type_name == "option"
        for name in (*param.opts, *param.secondary_opts)
    }


def main() -> int:
    """Check every page; the exit code."""
    from srlm.cli.main import app

    wrong = [(page, line, problem) for page in pages() for line, problem in check_page(page, app)]
    for page, line, problem in wrong:
        print(f"{page.relative_to(ROOT)}:{line}: {problem}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
