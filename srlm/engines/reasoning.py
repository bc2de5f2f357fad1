"""Separate the reasoning of a reasoning model from its answer.

Such models write their reasoning between marks, usually before the answer: "<think>...</think>". Some chat templates
open the mark in the prompt, so that a reply begins inside of the reasoning; a truncated reply may never close it. Text
inside of the reasoning is never an answer or a verdict.

A mark in quotation marks ("`<think>`") is quoted text and opens nothing.
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
"""Patterns of the marks that open and close reasoning."""

MARK = re.compile(
    "|".join(
        [f"(?P<open>{'|'.join(begin for begin, _ in _MARKS)})", f"(?P<close>{'|'.join(end for _, end in _MARKS)})"]
    ),
    re.IGNORECASE,
)
"""A mark that opens (group open) or closes (group close) reasoning."""

_QUOTES = frozenset("`'\"\u2018\u201c")


@dataclass(frozen=True)
class SplitReply:
    """A reply's reasoning with its marks, and its answer. `closed`: the last block of reasoning was closed."""

    thoughts: str
    answer: str
    closed: bool = True

    def written(self, text: str) -> str | None:
        """Return the whole reply where it is not the reasoning followed by the answer, as `Completion` stores it."""
        return None if self.thoughts + self.answer == text else text


def split_reasoning(text: str, *, opened: bool = False) -> SplitReply:
    """Split a reply into reasoning and answer, in time linear in its length.

    Reasoning that is never closed reaches to the end. A closing mark without an opening one makes reasoning of all text
    before it: the prompt opened it. White space between reasoning and answer belongs to the reasoning.

    Args:
        text: the model's output.
        opened: the prompt ends inside of the reasoning.
    """
    if not opened and not any(mark in text for mark in "<[\u25c1"):
        return SplitReply("", text)
    thoughts: list[str] = []
    answers: list[str] = []
    begins, inside = 0, opened  # of the current piece
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
    # Text before the reasoning keeps its indentation, which marks code for a parser of verdicts.
    if thoughts and not "".join(answers if inside else answers[:-1]).strip():
        start = len(answer) - len(answer.lstrip())
        thoughts.append(answer[:start])
        answer = answer[start:]
    return SplitReply("".join(thoughts), answer, closed=not inside)
