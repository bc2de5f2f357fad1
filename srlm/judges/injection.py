"""Detection of prompt injections in judged answers: text meant for the judge and not for the reader.

Detection only flags; the text stays in the record, and all reports count the flags. Protection is separate: `sanitize`
neutralises such text in the judge's prompt, and the parsers read only the judge's reply. Kinds of flags:

    tag          opens or closes a tag of the judge's prompt
    role         a chat-role marker, such as "<|im_start|>", "[INST]" or "Human:" at the beginning of a line
    verdict      the judge's own output format, such as "Score: 5", "Rating: [[9]]" or "Answer A is better"
    order        an instruction to the judge, such as "ignore the above" or "give this response full marks"
    invisible    invisible characters within Latin text
    repetition   a short piece repeated for 4,000 characters and more
    opener       only the beginning of an answer, such as "Solution:", or punctuation

Only the judged answer is searched. The instruction and the conversation before it, with its earlier turns of an
assistant, are what the user asks about: they are neutralised as well, but not flagged. They are the same for all
answers to a prompt, so that they favour none.

All patterns are bounded, so the time is linear in the length of the text.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from srlm.judges.conversation_text import tags_shown
from srlm.judges.opening_phrases import is_opener
from srlm.judges.sanitize import HIDDEN, ROLE_LINE, ROLE_TOKEN, TAG_OPENINGS, as_read, invisible, runs, tag_pattern
from srlm.judges.template import Template
from srlm.types import Answer, InjectionFlag, Message

LISTED = 20
"""Maximum number of flags of one kind per answer, so that a repetitive text does not fill the records."""

# Blanks and marks share no character with words, so there is only one way to match a text and no backtracking.
_GAP = r"[\s*\"'\u2019,]{1,6}"
_WORDS = rf"(?:\w{{1,20}}{_GAP}){{0,4}}"
_GIVE = r"(?:give|award|assign|rate|score|grade|mark)"
_JUDGED = r"(?:response|answer|output|assistant|reply|completion)"


_LATIN = "punktzahl bewertung gesamtnote punkte punteggio puntaje"
_ABROAD = (
    "puntuaci\u00f3n calificaci\u00f3n pontua\u00e7\u00e3o"
    " \u043e\u0446\u0435\u043d\u043a\u0430 \u0431\u0430\u043b\u043b \u0431\u0430\u043b\u043b\u044b \u5206\u6570"
    " \u8bc4\u5206 \u5f97\u5206 \u8a55\u5206 \u5206\u6578 \u30b9\u30b3\u30a2 \u5f97\u70b9 \u70b9\u6570"
    " \uc810\uc218 \ud3c9\uc810 \u0627\u0644\u062f\u0631\u062c\u0629 \u0905\u0902\u0915"
)
"""The word "score" in other languages: in ASCII letters, and in other letters."""


def _score_called(words: str) -> str:
    return rf"^[^\w\n]{{0,8}}(?:{'|'.join(words.split())})[*_ \t]{{0,4}}[:\uff1a][*_ \t<(\[]{{0,8}}\d"


@dataclass(frozen=True)
class InjectionPattern:
    """A pattern, and words of which a text must contain at least one: a search for them first is much faster."""

    kind: str
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    abroad: bool = False  # matched against the original letters, not their Latin look-alikes


def _pattern(kind: str, words: str, pattern: str, *, abroad: bool = False) -> InjectionPattern:
    return InjectionPattern(kind, tuple(words.split()), re.compile(pattern, re.IGNORECASE | re.MULTILINE), abroad)


PATTERNS = (
    InjectionPattern("role", ("<", "["), ROLE_TOKEN),
    InjectionPattern("role", (":", "\ufe55"), ROLE_LINE),
    _pattern(
        "verdict",
        "score rating grade",
        r"^[^\w\n]{0,8}(?:(?:final|total|overall|my) ){0,2}(?:score|rating|grade)[*_ \t]{0,4}"
        r"[:\uff1a][*_ \t<(\[]{0,8}\d",
    ),
    _pattern("verdict", "score", r"\bscore[*_]{0,2} ?[:\uff1a] ?[*_<(\[]{0,4}\d"),
    _pattern("verdict", _LATIN, _score_called(_LATIN)),
    _pattern("verdict", _ABROAD, _score_called(_ABROAD), abroad=True),
    _pattern("verdict", "[[", r"\[\[\s{0,3}(?:\d{1,3}(?:\.\d{1,2})?|(?-i:[A-C]))\s{0,3}\]\]"),
    _pattern(
        "verdict",
        "better best",
        rf"\b{_JUDGED}{_GAP}(?-i:[AB]){_GAP}is{_GAP}(?:(?:the|clearly|much){_GAP}){{0,2}}(?:better|best)\b",
    ),
    _pattern(
        "order",
        "ignore disregard forget override",
        rf"\b(?:ignore|disregard|forget|override){_GAP}{_WORDS}"
        r"(?:above|previous|prior|preceding|earlier|foregoing|instructions?|rubric|criteria|guidelines)\b",
    ),
    _pattern(
        "order",
        "score mark point rating grade",
        rf"\b{_GIVE}{_GAP}(?:this|that|the|my|it|me|us){_GAP}{_WORDS}"
        rf"(?:full|highest|maximum|max|perfect|top|best){_GAP}(?:possible{_GAP})?(?:score|mark|point|rating|grade)s?\b",
    ),
    _pattern(
        "order",
        "response answer output assistant reply completion",
        rf"\b{_GIVE}{_GAP}(?:this|that|the|my){_GAP}{_JUDGED}{_GAP}{_WORDS}"
        r"\d{1,3}(?:\.\d)?(?:\s{0,2}(?:points?|stars?|marks?|out\s{1,2}of|/)|[.!]?[ \t]{0,3}$)",
    ),
    _pattern(
        "order",
        "choose pick prefer select",
        rf"\b(?:choose|pick|prefer|select){_GAP}{_JUDGED}{_GAP}(?-i:[AB])\b(?!['\u2019])",
    ),
    _pattern(
        "order",
        "judge grader evaluator rater",
        rf"\b(?:you{_GAP}are|note{_GAP}to|message{_GAP}to|attention){_GAP}(?:now{_GAP})?(?:(?:an?|the|all){_GAP})?"
        rf"(?:\w{{1,20}}{_GAP})?(?:judge|grader|evaluator|rater)s?\b",
    ),
)

_ENTITY = r"&(?:amp;){0,3}(?:lt|#0{0,5}60|#x0{0,5}3c);?[\s/\\]{0,8}"


@lru_cache(maxsize=64)
def _tags(tags: frozenset[str]) -> tuple[InjectionPattern, ...]:
    if not tags:
        return ()
    coded = re.compile(rf"{_ENTITY}(?:{'|'.join(sorted(map(re.escape, tags)))})\b", re.IGNORECASE)
    return InjectionPattern("tag", TAG_OPENINGS, tag_pattern(tags)), InjectionPattern("tag", ("&",), coded)


def find_injections(
    answer_id: str, text: str, template: Template, context: Sequence[Message] = ()
) -> tuple[InjectionFlag, ...]:
    """Find suspected prompt injections in a text, ordered by position; at most `LISTED` of each kind.

    Patterns are matched as a model reads the text: without invisible characters, full-width letters as plain ones. If
    the judge saw a context, its tags are the prompt's too.
    """
    kept: Sequence[int] = range(len(text))
    plain = text
    unseen = invisible(text)
    if unseen:
        kept = [index for index, character in enumerate(text) if character not in unseen]
        plain = "".join(text[index] for index in kept)
    read = as_read(plain)
    small = read.lower()
    written = small if read is plain else plain.lower()
    others = not plain.isascii()
    possible = [
        one
        for one in (*PATTERNS, *_tags(tags_shown(template.tags, context)))
        if (others or not one.abroad) and any(map((written if one.abroad else small).__contains__, one.words))
    ]

    def spans(kind: str) -> Iterator[tuple[int, int]]:
        for one in possible:
            if one.kind == kind:
                for match in one.pattern.finditer(plain if one.abroad else read):
                    yield kept[match.start()], kept[match.end() - 1] + 1

    found: dict[str, Iterable[tuple[int, int]]] = {
        **{kind: spans(kind) for kind in dict.fromkeys(one.kind for one in possible)},
        "invisible": (match.span() for match in HIDDEN.finditer(text)) if unseen else (),
        "repetition": runs(text),
        "opener": [(0, len(text))] if is_opener(text) else (),
    }
    listed = [
        InjectionFlag(answer_id, kind, start, end)
        for kind, places in found.items()
        for start, end in islice(_without_overlap(places), LISTED)
    ]
    return tuple(sorted(listed, key=lambda one: (one.start, one.end, one.kind)))


def find_all_injections(
    answers: Sequence[Answer], template: Template, context: Sequence[Message] = ()
) -> tuple[InjectionFlag, ...]:
    """Find suspected prompt injections in several answers that are judged together."""
    return tuple(one for answer in answers for one in find_injections(answer.id, answer.text, template, context))


def constant_answers(answers: Iterable[Answer]) -> int:
    """Count the prompts with the most common answer; 0 if all answers differ.

    A constant answer can attack a judge without any flag: one such entry reached a length-controlled win rate of 86.5 %
    in AlpacaEval 2.
    """
    of_text = Counter(text for text, _ in {(answer.text.strip(), answer.prompt_id) for answer in answers})
    most = max(of_text.values(), default=0)
    return most if most > 1 else 0


def _without_overlap(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the spans that do not begin within an earlier one."""
    seen: list[tuple[int, int]] = []
    for start, end in places:
        if not any(one <= start < two for one, two in seen):
            seen.append((start, end))
            yield start, end
