"""Escaping of untrusted text for its output: a terminal, a log, the log of a GitHub workflow, Markdown.

Names of models, judges, subsets and prompts come from third-party files. A terminal executes control characters in
them, characters that reverse the writing direction mislead a reader, and GitHub's runner executes lines that begin with
"::". Such characters are written as JSON escapes, so that a reader sees them, and text that is JSON stays the same
data.
"""

import codecs
import json
import re

ESCAPE = "srlm.escape"
"""Name of an error handler of `str.encode` that writes missing characters as JSON escapes."""

_EXECUTED = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters; tab and newline are separate
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the writing direction
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # lines, paragraphs, annotations
    "\U000e0000-\U000e007f"  # tags, which are invisible
    "\ud800-\udfff"  # lone surrogates, which no encoding has
)
_HARMFUL = re.compile(f"[{_EXECUTED}]")
_HARMFUL_OR_BREAK = re.compile(f"[{_EXECUTED}\t\n]")
_COMMAND = re.compile(r"^(\s*)::|##\[", re.MULTILINE)
"""Commands of GitHub's runner: `::` at the beginning of a line, `##[` anywhere."""
_ACTIVE = re.compile(
    r"([\\`*<>|&!~$]|(?<!\w)_|_(?!\w)|\[(?=[\^\[])|\](?=[(\[:])|(?<=\])\()"  # marks; only the brackets of links
    r"|(?<=\w)(:)(?=//)|(?<=\bwww)(\.)",  # addresses, which become links without a mark
    re.IGNORECASE,
)
_OPENING = re.compile(r"^(?=[#+=\[-])|^(\d{1,9})(?=[.)])")
"""Beginnings of a line that make a heading, a list, a checkbox or a definition in Markdown."""


def harmless(text: str) -> str:
    """Escape everything in a text that a terminal would execute; newlines and tabs stay."""
    return _HARMFUL.sub(_escaped, text)


def one_line(text: str) -> str:
    """Escape a name or a sentence to be on one line: newlines and tabs too."""
    return _HARMFUL_OR_BREAK.sub(_escaped, text)


def escape_workflow_commands(text: str) -> str:
    """Escape the commands of GitHub's runner in whole lines of a log."""
    return _COMMAND.sub(lambda found: "##\\u005b" if found[0] == "##[" else f"{found[1]}\\::", text)


def markdown(text: str) -> str:
    """Escape a name or a sentence for Markdown: on one line, without markup, HTML, links or ends of table cells."""
    shown = _ACTIVE.sub(r"\\\g<0>", one_line(" ".join(text.split())))
    return _OPENING.sub(lambda found: f"{found[1]}\\" if found[1] else "\\", shown)


def encodable(text: str, encoding: str) -> str:
    """Replace characters that `encoding` lacks: srlm's own signs by similar ones, all others by escapes."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_SIMILAR).encode(encoding, ESCAPE).decode(encoding)
    except LookupError:
        return text
    return text


_SIMILAR = str.maketrans({"\N{BLACK UP-POINTING TRIANGLE}": "^", "\N{BLACK DOWN-POINTING TRIANGLE}": "v", "…": "..."})


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def _for_encoder(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(ESCAPE, _for_encoder)
