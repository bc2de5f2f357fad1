"""The last line of an answer that begins with "Answer:", as prompts of problems with a checker ask for it.

Bold type, backticks, dollar signs and a full stop around the line do not count. Anything else is no answer, whatever
the text above it.
"""

import re

_LINE = re.compile(r"[\s>#*_`-]*answer[\s*_`]*[:\uff1a](.*)", re.IGNORECASE)
_AROUND = " \t*_`$"


def answer_line(text: str) -> str | None:
    """Return what the last line that begins with "Answer:" holds; None if there is no such line, or nothing in it."""
    found = [match[1] for line in text.splitlines() if (match := _LINE.match(line))]
    # A point before a number is part of it: .5 is not 5.
    return (found[-1].lstrip(_AROUND).rstrip(f"{_AROUND}.") or None) if found else None
