"""Names that users give as names of files: one file on every system, and different names stay different.

A name is quoted as in an address ("openai:gpt-4o" -> "openai%3Agpt-4o"). What some system takes for something else is
quoted further: "." and "..", a dot at the end, the devices of Windows; and a name too long for a disk is cut and ends
in its digest. Disks that do not tell M2 from m2 need to know what else is there, see `distinct_name`.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import quote

LONGEST = 110
"""Characters of a name: two of them, what stands between and an ending fit into the 255 bytes that disks allow."""

ENDINGS = ("", ".json", ".jsonl", ".answers.jsonl", ".verdicts.jsonl")
"""What stands behind such a name; nothing for a folder."""

_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE | re.DOTALL)


def is_device(name: str) -> bool:
    """Whether Windows has a device of that name, whatever its ending."""
    return _DEVICE.fullmatch(name) is not None


def file_name(name: str) -> str:
    """A name as a part of a file's name."""
    quoted = quote(name, safe="", errors="surrogatepass")
    if is_device(name) or set(name) == {"."}:
        quoted = f"%{ord(name[0]):02X}{quoted[1:]}"
    if quoted.endswith("."):
        quoted = f"{quoted[:-1]}%2E"
    return cut(quoted or "%", name)


def cut(quoted: str, name: str, longest: int = LONGEST) -> str:
    """A quoted name that is not too long: the beginning of one that is, with the digest of the whole."""
    return quoted if len(quoted) <= longest else f"{quoted[: longest - 18]}{_mark(name)}"


def distinct_name(taken: Iterable[str], before: str, name: str, whole: str) -> str:
    """The name for something new or old in a folder.

    Args:
        taken: names of the files of the folder.
        before: how earlier versions called it; it keeps that name where it has it.
        name: how it is called now.
        whole: what tells it from others.

    Returns:
        `before` or `name`; with a digest where another file has that name in other letters (M2 and m2).
    """
    files = set(taken)
    for one in (before, name, apart := f"{name}{_mark(whole)}"):
        if any(f"{one}{ending}" in files for ending in ENDINGS):
            return one
    folded = {file.casefold() for file in files}
    return apart if any(f"{name}{ending}".casefold() in folded for ending in ENDINGS) else name


def _mark(name: str) -> str:
    """A digest behind a sign that no quoted name has."""
    return f"%-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
