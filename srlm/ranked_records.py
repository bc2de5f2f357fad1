"""Ranked answers in the records of several tools, recognised by their fields.

    instruction, answers (text, rank)              srlm's own
    prompt, chosen, rejected                       TRL, UltraFeedback binarized, RewardBench: text or messages
    chosen, rejected                               TRL, HH-RLHF: messages or text, with a common beginning
    input, output_1, output_2, label (1 or 2)      LLMBar (arXiv 2310.07641)

A pair is two answers of rank 0 and 1. Its prompt may also be called instruction or question. HH-RLHF's texts are
conversations in which "Human:" and "Assistant:" take turns (arXiv 2204.05862); their last answers differ.
"""

import re
from typing import Any

from pydantic import TypeAdapter, ValidationError

from srlm.conversations import CONVERSATIONS, QUESTIONS, Question, answer_in, question_in, question_of, with_input
from srlm.json_files import Row
from srlm.jsonl import explain
from srlm.types import Message, RankedPrompt

_RANKED = TypeAdapter(RankedPrompt)
RANKED_FIELDS = ("answers", "output_1", "output_2", "label", "chosen", "rejected", "split")
_DIFFERENT = "chosen and rejected differ before their last answers, so they answer different prompts."
_SPEAKER = re.compile(r"(?:\A|\n\n)(Human|Assistant):")


def has_ranking(row: Row) -> bool:
    """Return True if a record has a field of one of the kinds, even if it is malformed."""
    return bool({"answers", "output_1", "chosen", "rejected"} & row.data.keys())


def ranked_prompt(row: Row, identifier: str) -> RankedPrompt:
    """Convert a record of any of the kinds to an instruction with ranked answers.

    Raises:
        DataError: it is none of them, or a field is wrong; the message has the record's position.
    """
    if "answers" in row.data:
        return _validated(row, {**row.data, "id": identifier})
    if "output_1" in row.data:
        label = row.data.get("label")
        if label not in (1, 2) or isinstance(label, bool):
            raise row.error("the field label must be 1 or 2, the number of the better output.")
        outputs = row.text("output_1"), row.text("output_2")
        better, worse = outputs if label == 1 else outputs[::-1]
        return _pair(row, identifier, Question(row.text("input")), better, worse)
    if {"chosen", "rejected"} & row.data.keys():
        return _pair(row, identifier, *_preference(row))
    raise row.error_with_hint(
        "is not a labelled pair. Expected are input, output_1, output_2 and label, or prompt, chosen and rejected, or "
        f"instruction and answers; it has {row.field_names}."
    )


def _preference(row: Row) -> tuple[Question, str, str]:
    """Return (question, chosen, rejected) of a record with these answers."""
    given = next((name for name in (*QUESTIONS, *CONVERSATIONS) if name in row.data), None)
    if given is None and all(isinstance(row.data.get(side), str) for side in ("chosen", "rejected")):
        return _spoken(row)
    (asked, chosen), (asked_too, rejected) = answer_in(row, "chosen"), answer_in(row, "rejected")
    if asked is not None and asked_too is not None:
        if asked != asked_too:
            raise row.error(_DIFFERENT)
        return asked, chosen, rejected
    return with_input(row, question_in(row, given or "prompt")), chosen, rejected


def _spoken(row: Row) -> tuple[Question, str, str]:
    """Return (question, chosen, rejected) of two conversations as text."""
    chosen, rejected = _turns(row, "chosen"), _turns(row, "rejected")
    if chosen[:-1] != rejected[:-1]:
        raise row.error(_DIFFERENT)
    return question_of(row, "chosen", chosen[:-1]), chosen[-1].content, rejected[-1].content


def _turns(row: Row, side: str) -> list[Message]:
    """Return the turns of a text with Human: and Assistant:.

    Raises:
        DataError: it has none, or does not end with the assistant's.
    """
    before, *parts = _SPEAKER.split(row.text(side))
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    if before.strip() or len(pairs) < 2:
        raise row.error_with_hint("the field prompt is missing, and chosen and rejected are not conversations.")
    if pairs[-1][0] != "Assistant":
        raise row.error(f"the last turn of {side} must be the assistant's; it is the human's.")
    return [Message("user" if who == "Human" else "assistant", text.strip()) for who, text in pairs]


def _pair(row: Row, identifier: str, question: Question, better: str, worse: str) -> RankedPrompt:
    answers = [{"text": better, "rank": 0}, {"text": worse, "rank": 1}]
    kept = {} if row.data.get("split") is None else {"split": row.data["split"]}
    fields = {"instruction": question.instruction, "context": question.context, "answers": answers}
    return _validated(row, {**kept, "id": identifier, **fields})


def _validated(row: Row, fields: dict[str, Any]) -> RankedPrompt:
    try:
        return _RANKED.validate_python(fields)
    except (ValidationError, OverflowError) as error:
        advice = " The part held out from training is called validation." if "split: " in explain(error) else ""
        raise row.error_with_hint(f"{explain(error)}.{advice}") from None
