"""What a reasoning model thinks, apart from what it answers.

Such models write their thoughts between marks, before the answer as a rule: "<think>...</think>". Some chat templates
open the mark in the prompt, so that a reply begins inside of a thought; and a reply that is cut may never close it.
Whatever stands in a thought is no answer and no verdict.

A mark that is quoted ("`<think>`") is a word about thoughts and opens none.
"""

import re
from dataclasses import dataclass

_NAMES = r"(?:antml:|seed:)?(?:think|thinking|thought|thoughts|reasoning|reflection|analysis|scratchpad)"

_MARKS = (
    # Qwen 3, DeepSeek-R1, QwQ, Nemotron, Seed-OSS and most others: a tag of one of these names.
    (rf"<{_NAMES}[ \t]{{0,8}}>", rf"</{_NAMES}[ \t]{{0,8}}>"),
    (r"\[THINK\]", r"\[/THINK\]"),  # Magistral
    (r"\u25c1think\u25b7", r"\u25c1/think\u25b7"),  # Kimi
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),  # Open Thoughts
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),  # Command A Reasoning
    # gpt-oss: channels of which only the one called final is the answer.
    (r"<\|channel\|>(?:analysis|commentary)<\|message\|>", r"<\|channel\|>final<\|message\|>"),
)
"""How thoughts begin and end, as patterns."""

MARK = re.compile(
    "|".join(
        [f"(?P<open>{'|'.join(begin for begin, _ in _MARKS)})", f"(?P<close>{'|'.join(end for _, end in _MARKS)})"]
    ),
    re.IGNORECASE,
)
"""How a thought begins (group open) or ends (group close)."""

_QUOTES = frozenset("`'\"\u2018\u201c")


@dataclass(frozen=True)
class Parted:
    """A reply's thoughts with their marks, and its answer. `closed` says that the last thought came to its end."""

    thoughts: str
    answer: str
    closed: bool = True

    def written(self, text: str) -> str | None:
        """The whole reply where it is not the thoughts and then the answer, as `srlm.types.Completion` keeps it."""
        return None if self.thoughts + self.answer == text else text


def part_thoughts(text: str, *, opened: bool = False) -> Parted:
    """Part a reply's thoughts from its answer, in time linear in its length.

    A thought that is never closed reaches to the end. An end without a beginning makes a thought of all before it: the
    prompt opened it. Blanks between a thought and the answer go with the thought.

    Args:
        text: what a model wrote.
        opened: whether its prompt ends inside of a thought.
    """
    if not opened and not any(mark in text for mark in "<[\u25c1"):
        return Parted("", text)
    thoughts: list[str] = []
    answers: list[str] = []
    begins, inside = 0, opened  # of the piece that is read
    for mark in MARK.finditer(text):
        if text[max(0, mark.start() - 1) : mark.start()] in _QUOTES:
            continue
        if mark["close"]:
            thoughts.append(text[begins : mark.end()])
            begins, inside = mark.end(), False
        elif not inside:
            answers.append(text[begins : mark.start()])
            begins, inside = mark.start(), True
    (thoughts if inside else answers).append(text[begins:])
    answer = "".join(answers)
    # Words before a thought keep their indent, by which a reader knows what is code.
    if thoughts and not "".join(answers if inside else answers[:-1]).strip():
        start = len(answer) - len(answer.lstrip())
        thoughts.append(answer[:start])
        answer = answer[start:]
    return Parted("".join(thoughts), answer, closed=not inside)
