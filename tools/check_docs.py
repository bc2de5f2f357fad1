"""Check the documentation against the repository: links, srlm commands, and pages that the code names.

Links: every relative target on a page is a file or a folder, and its anchor a heading of that page, by GitHub's rule
for anchors. Commands: in a ```console block each line that calls srlm names a command, and options, that exist. If a
block marks its input with "$ ", its other lines are output and not checked. Code: every docs/... path in a file of the
repository exists. Left out: addresses on the web, and blocks of Python and YAML, which tests/test_docs.py checks.

    python tools/check_docs.py    print each problem on a line; exit 1 if there is one
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

ROOT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/**/*.md",
    "results/README.md",
    "results/published/README.md",
    "results/reproductions/*/README.md",
)

_FENCE = re.compile(r"^(?P<indent>\s*)(?P<marks>`{3,}|~{3,})\s*(?P<language>\w*)")
_CODE = re.compile(r"(`+).*?\1")
_LINKS = (
    re.compile(r"\]\(\s*<?([^)\s>]+)"),  # [text](target), ![image](target)
    re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)"),  # [name]: target
    re.compile(r"""\b(?:src|href)=["']([^"']+)["']"""),  # HTML
)
_ELSEWHERE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)
_CALL = re.compile(r"^(?:\$ )?(?:\w+=\S* )*srlm(?P<words>(?:\s.*)?)$")
_OPTION = re.compile(r"^--?[a-zA-Z]")
_SHELL = re.compile(r"^(?:#|[|&;]|\d?[<>])")
_HEADING = re.compile(r"^#{1,6}\s+(?P<title>.+?)\s*#*$")
_MARKUP = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|[`*]|(?<!\w)_|_(?!\w)")
_PAGE_PATH = re.compile(r"(?<![\w./-])docs/[\w/]+\.(?:md|yml|yaml|svg|png)\b")
_CODE_FILES = ("*.py", "*.yaml", "*.yml", "*.toml", "Makefile", ".gitattributes")


def pages(root: Path = ROOT) -> list[Path]:
    """Return the pages that are checked."""
    return sorted(page for pattern in PAGES for page in root.glob(pattern))


def check_page(page: Path, app: typer.Typer, root: Path = ROOT) -> Iterator[tuple[int, str]]:
    """Yield the problems of a page as (line, problem)."""
    fence: re.Match[str] | None = None
    block: list[tuple[int, str]] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        mark = _FENCE.match(line)
        if fence is None and mark:
            fence, block = mark, []
        elif fence is None:
            yield from ((number, f"the link {target} leads nowhere") for target in broken_links(line, page, root))
        elif mark and mark["marks"].startswith(fence["marks"]) and line.strip() == mark["marks"]:
            if fence["language"] == "console":
                yield from check_console(block, app)
            fence = None
        else:
            block.append((number, line.removeprefix(fence["indent"])))


def broken_links(line: str, page: Path, root: Path = ROOT) -> Iterator[str]:
    """Yield the relative targets on a line of a page that do not exist within `root`, or lack their anchor."""
    prose = _CODE.sub("", line)
    for target in (found for pattern in _LINKS for found in pattern.findall(prose)):
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        there = path.exists() and path.is_relative_to(root.resolve())
        marked = there and (not anchor or path.suffix != ".md" or anchor in anchors(path))
        if not marked and not _ELSEWHERE.match(target):
            yield target


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    fenced = False
    for line in page.read_text(encoding="utf-8").splitlines():
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.match(line)
        if heading:
            title = _MARKUP.sub(r"\1", heading["title"]).lower()
            anchor = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
            found[anchor] = found.get(anchor, -1) + 1
    return frozenset(
        f"{anchor}-{number}" if number else anchor for anchor, last in found.items() for number in range(last + 1)
    )


def missing_pages(root: Path = ROOT) -> Iterator[tuple[Path, int, str]]:
    """Yield the paths of pages and pictures in docs/ that code names and that do not exist."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", *_CODE_FILES], check=True, capture_output=True, text=True
    )
    for file in (root / name for name in listed.stdout.splitlines()):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            for path in _PAGE_PATH.findall(line):
                if not (root / path).exists():
                    yield file, number, f"the page {path} does not exist"


def check_console(block: list[tuple[int, str]], app: typer.Typer) -> Iterator[tuple[int, str]]:
    """Yield the problems of a console block of numbered lines as (line, problem)."""
    marked = any(line.startswith("$ ") for _, line in block)
    for number, line in _joined(block):
        call = _CALL.match(line)
        if call and (line.startswith("$ ") or not marked):
            problem = wrong_call(call["words"].split(), app)
            if problem:
                yield number, problem


def _joined(block: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Join lines that end in a backslash with the next, under the number of the first."""
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
    """Return the reason why srlm would refuse these words, going by its commands and options; None if it would not."""
    # Typer brings its own copy of Click, so a command has no public type to name here.
    root: Any = get_command(app)
    command = root
    path, value = "srlm", False
    for word in words:
        if _SHELL.match(word) or word == "--":
            return None
        if (longer := f"{path} {word}".removeprefix("srlm ")) in root.commands:  # a name may have two words
            command, path = root.commands[longer], f"srlm {longer}"
            continue
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
    """Check every page, print the problems and return the exit code."""
    from srlm.cli.main import app

    wrong = [(page, line, problem) for page in pages() for line, problem in check_page(page, app)]
    wrong += missing_pages()
    for page, line, problem in wrong:
        print(f"{page.relative_to(ROOT)}:{line}: {problem}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
