"""Text of others made harmless for where it is shown: a terminal, a log, a workflow's log, Markdown.

Names of models, judges, subsets and prompts come out of files of strangers. A terminal obeys control characters in
them, a reader is misled by characters that turn the direction of writing round, and GitHub's runner obeys lines that
begin with "::". What could be obeyed is written as JSON escapes it, so that whoever reads sees that it is there, and
text that is JSON stays the same data.
"""

import codecs
import json
import re

ESCAPE = "srlm.escape"
"""The name of an error handler of `str.encode`: what an encoding lacks is written as JSON escapes it."""

_OBEYED = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters; tab and newline are looked at apart
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the direction of writing
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # lines, paragraphs, annotations
    "\U000e0000-\U000e007f"  # tags, which nobody sees
    "\ud800-\udfff"  # halves of characters, which no encoding has
)
_HARMFUL = re.compile(f"[{_OBEYED}]")
_HARMFUL_OR_BREAK = re.compile(f"[{_OBEYED}\t\n]")
_COMMAND = re.compile(r"^(\s*)::|##\[", re.MULTILINE)
"""What GitHub's runner obeys: `::` where a line begins, `##[` anywhere."""
_ACTIVE = re.compile(
    r"([\\`*<>|&!~$]|(?<!\w)_|_(?!\w)|\[(?=[\^\[])|\](?=[(\[:])|(?<=\])\()"  # marks; of brackets those of links
    r"|(?<=\w)(:)(?=//)|(?<=\bwww)(\.)",  # addresses, which become links without any mark
    re.IGNORECASE,
)
_OPENING = re.compile(r"^(?=[#+=\[-])|^(\d{1,9})(?=[.)])")
"""What makes a heading, a list, a box to tick or a definition where a line of Markdown begins."""


def harmless(text: str) -> str:
    """Text of several lines, in which nothing is obeyed by a terminal; newlines and tabs stay."""
    return _HARMFUL.sub(_escaped, text)


def one_line(text: str) -> str:
    """A name or a sentence on one line: newlines and tabs are written as escapes, too."""
    return _HARMFUL_OR_BREAK.sub(_escaped, text)


def escape_workflow_commands(text: str) -> str:
    """Whole lines, as they go to a log, in which no runner finds a command."""
    return _COMMAND.sub(lambda found: "##\\u005b" if found[0] == "##[" else f"{found[1]}\\::", text)


def markdown(text: str) -> str:
    """A name or a sentence as text in Markdown: on one line, no markup, HTML, link or end of a table's cell."""
    shown = _ACTIVE.sub(r"\\\g<0>", one_line(" ".join(text.split())))
    return _OPENING.sub(lambda found: f"{found[1]}\\" if found[1] else "\\", shown)


def encodable(text: str, encoding: str) -> str:
    """Text that `encoding` has characters for: signs of ours by similar ones, all others as escapes."""
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
