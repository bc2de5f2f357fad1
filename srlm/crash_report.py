"""Crash reports: the message and the file for an unexpected error.

The report has the versions, the command and the traceback. Secrets are removed, long values are cut, and local
variables are left out, so that it contains no data of the run.
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
"""Maximum number of characters of a message or a word in a report."""
FRAMES = 40
"""Number of calls of a traceback, the last ones."""
LIBRARIES = ("srlm", "typer", "rich", "pydantic", "numpy", "scipy", "torch", "transformers", "trl", "vllm", "openai")

_SECRETS = (
    (re.compile(r"(?<=//)[^/@\s]+(?=@)"), "***"),  # user and password of an address
    (re.compile(r"\b(sk|hf|pk|ghp|gho|glpat|xox[a-z])[-_][\w-]{6,}"), "***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), r"\1 ***"),
    (re.compile(r"(?i)([\w-]*(?:api[-_]?key|token|secret|passw(?:or)?d|auth)[\w-]*[\"']?\s*[=:]\s*)\S+"), r"\1***"),
)
_NAMED = re.compile(r"(?i)(key|token|secret|passw|credential)")


def message(error: BaseException, report: Path | None) -> str:
    """Return the message for the user. `report` is None if it could not be written."""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    kept = f" with this file, which has no data and no key of yours: {report}" if report else ""
    return (
        f"Unexpected error: {type(error).__name__}{place}. Completed work is kept. If the same command fails again, "
        f"please report it{kept}"
    )


def keep_report(error: BaseException, command: Sequence[str]) -> Path | None:
    """Write a report into the folder for temporary files; return None if that fails."""
    with suppress(Exception):
        number, name = tempfile.mkstemp(prefix="srlm-error-", suffix=".txt")
        with open(number, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123  # a descriptor
            file.write(report(error, command))
        return Path(name)
    return None


def report(error: BaseException, command: Sequence[str]) -> str:
    """Return the text of a report."""
    lines = [f"{name} {version}" for name in LIBRARIES if (version := _version(name))]
    words = shlex.join(word if len(word) <= LONG else f"{word[:LONG]}..." for word in command)
    return "\n".join(
        [
            "Crash report of srlm, for its developers. Read it before you send it.",
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
    """Format the traceback of an error and of its cause: places and code, messages cut."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [*_chain(before), "", "and then:", ""] if before is not None and before is not error else []
    lines += [line.rstrip() for line in traceback.format_tb(error.__traceback__, limit=-FRAMES)]
    said = " ".join(str(error).split())
    return [*lines, f"{type(error).__name__}: {said[:LONG]}{'...' if len(said) > LONG else ''}"]


def _private(text: str) -> str:
    """Remove secrets and the name of the home folder."""
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
