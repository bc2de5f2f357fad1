"""Check the words: docstrings begin with a verb or a noun, and retired words are not used.

    python tools/check_words.py [FILE...]     all files of the packages and all pages, if none is named

A retired word is one that only this project used for a thing that the field has a name for. `RETIRED` gives the name.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE = ("srlm", "trainer", "evals")
FIXED = ("srlm/judges/prompts/", "srlm/data/")  # ledger keys depend on these texts
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs")
QUESTIONS = {"What", "Whether", "How", "Whose", "Where", "Who", "Whom", "Which", "When", "Why", "That"}

RETIRED = {
    r"contestants?": "model",
    r"sittings?": "judge session",
    r"rehears(?:al|als|e|ed|ing)": "dry run",
    r"canar(?:y|ies)(?!\.jsonl)": "degenerate answers",
    r"exams?": "benchmark",
    r"gamed(?!\.csv)": "difficulties",
    r"booths?": "annotation session",
    r"ballots?": "blinded pair",
    r"in flight": "concurrent requests",
    r"flights?": "request pool",
    r"worthless": "degenerate",
    r"told apart": "distinguished; no significant difference",
    r"(?:can(?:not)?|tells?) (?:\S+ ){0,4}apart": "distinguish",
    r"speaks? to (?:the|its|their) judge": "prompt injection",
    r"(?:no|some|any)body": "say who",
    r"beside": "next to, with",
    r"kernel(?! of)": "core",
    r"wings?": "package",
    r"strangers?": "third party",
    r"mishaps?": "error",
    r"certainly": "significantly",
    r"coins?": "chance, random draw",
    r"courts?": "judge session",
    r"houses?": "repository, package",
    r"hopeless": "fatal",
    r"lest": "so that ... not",
    r"luck": "chance",
    r"whoever": "say who",
}
STORED = re.compile(r'"canar(?:y|ies)"')  # names in the files of runs: of a stage, and of its answers' model
WORDS = re.compile(rf"(?<![\w.-])(?:{'|'.join(RETIRED)})(?![\w-])", re.IGNORECASE)


def main() -> None:
    """Print each place that breaks a rule, and end with 1 where there is one."""
    found = [line for path in _files(sys.argv[1:]) for line in _breaches(path)]
    print("\n".join(found) or "No retired word, and every docstring begins well.")
    sys.exit(bool(found))


def _files(named: list[str]) -> list[Path]:
    command = ["git", "-C", str(ROOT), "ls-files", *(named or [*CODE, *PAGES])]
    tracked = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")
    return [ROOT / name for name in tracked if name.endswith((".py", ".md", ".html")) and not name.startswith(FIXED)]


def _breaches(path: Path) -> Iterator[str]:
    name, text = path.relative_to(ROOT), path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        for match in WORDS.finditer(STORED.sub('""', line)):
            word = match.group(0)
            instead = next(good for bad, good in RETIRED.items() if re.fullmatch(bad, word, re.IGNORECASE))
            yield f"{name}:{number}: {word!r} is retired: {instead}."
    if path.suffix == ".py" and name.parts[0] in CODE:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                first = (ast.get_docstring(node) or "").split(" ", 1)[0].strip(",.:;")
                if first in QUESTIONS:
                    yield f"{name}:{getattr(node, 'lineno', 1)}: a docstring begins with {first}."


if __name__ == "__main__":
    main()
