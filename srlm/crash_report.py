"""What is said and kept of an error that nobody foresaw: a message, and a report that its reader can pass on.

The report has the versions, the command and the traceback. Secrets are taken out of both, long values are cut, and no
local variable is in it: what a run is about stays with its owner.
"""

import os
import platform
import re
import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

LONG = 200
"""Characters of a message or a word that a report has at the most."""
FRAMES = 40
"""Calls of a traceback, the last ones."""
LIBRARIES = ("srlm", "typer", "rich", "pydantic", "numpy", "scipy", "torch", "transformers", "trl", "vllm", "openai")

_SECRETS = (
    (re.compile(r"(?<=//)[^/@\s]+(?=@)"), "***"),  # user and password of an address
    (re.compile(r"\b(sk|hf|pk|ghp|gho|glpat|xox[a-z])[-_][\w-]{6,}"), "***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), r"\1 ***"),
    (re.compile(r"(?i)([\w-]*(?:api[-_]?key|token|secret|passw(?:or)?d|auth)[\w-]*[\"']?\s*[=:]\s*)\S+"), r"\1***"),
)
_NAMED = re.compile(r"(?i)(key|token|secret|passw|credential)")


def message(error: BaseException, report: Path | None) -> str:
    """One sentence on what happened, and what its reader can do. `report` is None where none could be written."""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    kept = f" with this file, which has no data and no key of yours: {report}" if report else ""
    return (
        f"An error that srlm does not know: {type(error).__name__}{place}. What is done is kept. If the same command "
        f"fails again, please report it{kept}"
    )


def keep_report(error: BaseException, command: Sequence[str]) -> Path | None:
    """Write a report into the folder for temporary files; None where that cannot be done."""
    with suppress(Exception):
        number, name = tempfile.mkstemp(prefix="srlm-error-", suffix=".txt")
        with open(number, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123  # a descriptor
            file.write(report(error, command))
        return Path(name)
    return None


def report(error: BaseException, command: Sequence[str]) -> str:
    """The whole text of a report."""
    lines = [f"{name} {version}" for name in LIBRARIES if (version := _version(name))]
    words = shlex.join(word if len(word) <= LONG else f"{word[:LONG]}..." for word in command)
    return "\n".join(
        [
            "A report of an error in srlm, for whoever mends it. Read it before you pass it on.",
            "",
            f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
            *lines,
            "",
            f"Command: {_private(words)}",
            "",
            *(_private(line) for line in _chain(error)),
            "",
        ]
    )


def _chain(error: BaseException) -> list[str]:
    """The traceback of an error, and of that from which it came: places and code, messages cut."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [*_chain(before), "", "and then:", ""] if before is not None and before is not error else []
    lines += [line.rstrip() for line in traceback.format_tb(error.__traceback__, limit=-FRAMES)]
    said = " ".join(str(error).split())
    return [*lines, f"{type(error).__name__}: {said[:LONG]}{'...' if len(said) > LONG else ''}"]


def _private(text: str) -> str:
    """Without secrets, and without the name of the home folder."""
    for name, value in os.environ.items():
        if _NAMED.search(name) and len(value) >= 8:
            text = text.replace(value, "***")
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text.replace(str(Path.home()), "~")


def _version(name: str) -> str:
    if name != "srlm" and name not in sys.modules:
        return ""
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(name)
    return ""
