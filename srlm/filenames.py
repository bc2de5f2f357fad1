"""File names from names of models and results: valid on every system, and different for different names.

A name is quoted as in a URL ("openai:gpt-4o" -> "openai%3Agpt-4o"). Names with a special meaning on some system are
quoted further: "." and "..", a dot at the end, devices of Windows. A name that is too long is cut and ends with its
digest. For disks that ignore case (M2 and m2), see `distinct_name`.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import quote

LONGEST = 110
"""Maximum length of a name: two of them with a separator and an ending fit into the 255 bytes of a file name."""

ENDINGS = ("", ".json", ".jsonl", ".answers.jsonl", ".verdicts.jsonl")
"""Endings after such a name; none for a folder."""

_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE | re.DOTALL)


def is_device(name: str) -> bool:
    """Return True for the name of a Windows device, with any ending."""
    return _DEVICE.fullmatch(name) is not None


def file_name(name: str) -> str:
    """Return a name as a part of a file name."""
    quoted = quote(name, safe="", errors="surrogatepass")
    if is_device(name) or set(name) == {"."}:
        quoted = f"%{ord(name[0]):02X}{quoted[1:]}"
    if quoted.endswith("."):
        quoted = f"{quoted[:-1]}%2E"
    return cut(quoted or "%", name)


def cut(quoted: str, name: str, longest: int = LONGEST) -> str:
    """Cut a quoted name that is too long, and append the digest of the whole name."""
    return quoted if len(quoted) <= longest else f"{quoted[: longest - 18]}{_mark(name)}"


def distinct_name(taken: Iterable[str], before: str, name: str, whole: str) -> str:
    """Return the name of an existing or new file in a folder.

    Args:
        taken: names of the files in the folder.
        before: the name in earlier versions; an existing file keeps it.
        name: the present name.
        whole: text that identifies the file, for the digest.

    Returns:
        `before` or `name`; with a digest if another file has the same name in different case (M2 and m2).
    """
    files = set(taken)
    for one in (before, name, apart := f"{name}{_mark(whole)}"):
        if any(f"{one}{ending}" in files for ending in ENDINGS):
            return one
    folded = {file.casefold() for file in files}
    return apart if any(f"{name}{ending}".casefold() in folded for ending in ENDINGS) else name


def _mark(name: str) -> str:
    """Return a digest after a sign that no quoted name contains."""
    return f"%-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
