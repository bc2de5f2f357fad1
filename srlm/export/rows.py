"""Training records as rows of TRL's conversational formats, with our ids, scores and rewards as further columns.

    SFT           prompt, completion           TRL trains on the tokens of the completion alone, as srlm does
    preference    prompt, chosen, rejected     an explicit prompt

All of them are lists of messages; `prompt` has the context of the instruction too. TRL ignores the other columns.
"""

from collections.abc import Sequence
from typing import Any

from srlm.types import Message, PreferencePair, SFTExample

Row = dict[str, Any]

SFT_COLUMNS = {
    "prompt": "the messages before the answer; the last is the user's",
    "completion": "the answer, one message of the assistant",
    "id": "of the example in the run",
    "source": "kind of the example: IFT (answer an instruction), EFT (judge an answer), or the best answers of a model",
    "score": "of the judgement that an EFT example teaches, else null",
}
PREFERENCE_COLUMNS = {
    "prompt": "the messages before the answers; the last is the user's",
    "chosen": "the better answer, one message of the assistant",
    "rejected": "the worse answer, one message of the assistant",
    "id": "of the pair in the run",
    "prompt_id": "of the prompt",
    "chosen_id": "of the better answer",
    "rejected_id": "of the worse answer",
    "chosen_reward": "reward of the better answer, by which the pair was chosen",
    "rejected_reward": "reward of the worse answer",
    "reason": "reason for the choice of the two answers",
}


def sft_row(example: SFTExample) -> Row:
    """Return a supervised example as a row. Reasoning that was trained on is part of the completion."""
    return {
        "prompt": _prompt(example.context, example.prompt),
        "completion": _answer(example.written or example.completion),
        "id": example.id,
        "source": example.source,
        "score": example.score,
    }


def preference_row(pair: PreferencePair, written: dict[str, str]) -> Row:
    """Return a pair as a row. `written` has the full text of answers whose reasoning was trained on, by their ids."""
    return {
        "prompt": _prompt(pair.context, pair.prompt),
        "chosen": _answer(written.get(pair.chosen_id, pair.chosen)),
        "rejected": _answer(written.get(pair.rejected_id, pair.rejected)),
        "id": pair.id,
        "prompt_id": pair.prompt_id,
        "chosen_id": pair.chosen_id,
        "rejected_id": pair.rejected_id,
        "chosen_reward": pair.chosen_reward,
        "rejected_reward": pair.rejected_reward,
        "reason": pair.reason,
    }


def _prompt(context: Sequence[Message], instruction: str) -> list[dict[str, str]]:
    return [_message(one) for one in (*context, Message("user", instruction))]


def _answer(text: str) -> list[dict[str, str]]:
    return [_message(Message("assistant", text))]


def _message(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.content}
