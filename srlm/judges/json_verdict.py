"""Verdicts as a JSON object: {"rationale": "...", "score": 4}.

The object must be the whole reply, or a code block at its end. A block is refused if the judge refers to the
candidate's text just before it, because then it may be the candidate's.
"""

import json
import re
from typing import Any

from srlm.judges.rubric import Scale
from srlm.judges.score_value import read_value
from srlm.judges.unquoted_text import plain_signs, without_end

NONE = "no score line"
_AT_END = re.compile(r"(?:^|\n)```(?:json)?[ \t]*\n([^`]*)\n[ \t]*```\s*\Z", re.IGNORECASE)
_NAMES = re.compile(r"(?:(?:final|total|overall)[ _]?)?score", re.IGNORECASE)
_LIKE = re.compile(r"scor|rating|grade|points?|mark", re.IGNORECASE)
_OWN = re.compile(
    r"(?:here(?: is|'s) )?(?:my|the|our)? ?(?:final |overall )?"
    r"(?:score|verdict|evaluation|judge?ment|assessment|result)(?: as json| in json)?:",
    re.IGNORECASE,
)
_SPOKEN_OF = re.compile(
    r"\b(?:sa(?:y|ys|id)|writ(?:e|es|ten)|wrote|claim(?:s|ed)?|demand(?:s|ed)?|following|not follow|attack"
    r"|inject(?:s|ed|ion)?|quot(?:e|es|ed|ation)|instruct(?:s|ed)?|tr(?:y|ies|ied)|attempt(?:s|ed)?|pretend(?:s|ed)?|fake|hidden|embed(?:s|ded)?"
    r"|append(?:s|ed)?|insert(?:s|ed)?|block|payload|json|cop(?:y|ies|ied)|repeat(?:s|ed)?|print(?:s|ed)?|outputs?|object"
    r"|scor(?:e|es|ed)|verdict|below|snippet|code|(?:end|begin|start|close|finishe?)s? (?:with|by|in))\b"
    r"|\b(?:this|these|that|it|so)[.!?:]? ?$|[\"\u201c]",
    re.IGNORECASE,
)
_LOOKED_AT = 300
"""Characters before a block that are searched for a reference to the candidate's text."""


def object_score(text: str, scale: Scale) -> float | str:
    """Return the score of a reply that is, or ends in, one JSON object; or the reason why there is none."""
    stripped = without_end(text).strip()
    block = _AT_END.search(stripped)
    if block is not None:
        before, stripped = stripped[: block.start()].strip(), block[1].strip()
        line = before.rpartition("\n")[2].strip(" *_#")
        own = not line or _OWN.fullmatch(line) or line.endswith((".", "!", "?"))
        rest = before.removesuffix(line) if line and _OWN.fullmatch(line) else before
        if not own or _SPOKEN_OF.search(rest[-_LOOKED_AT:]) or "```" in before:
            return NONE
    if not (stripped.startswith("{") and stripped.endswith("}")):
        return NONE
    try:
        found = json.loads(stripped, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return NONE
    named = [value for name, value in found if _NAMES.fullmatch(name.strip())]
    if len(named) != 1 or sum(_LIKE.search(name) is not None for name, _ in found) != 1:
        return NONE
    return _points(named[0], scale)


def _points(value: Any, scale: Scale) -> float | str:
    """Return the object's score as a whole number of points, or the reason why it is none."""
    if isinstance(value, str):
        return read_value(plain_signs(value), scale)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NONE
    return read_value(f"{value:g}" if isinstance(value, float) else str(value)[:20], scale)
