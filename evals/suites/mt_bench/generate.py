"""Generation of two-turn conversations: the second question is asked after the answer to the first."""

from collections.abc import Sequence

from evals.generate import make_answer
from evals.suites.mt_bench.data import TEMPERATURES, Question
from srlm.inference import Caller
from srlm.seeding import derive_seed
from srlm.types import Answer, Completion, Message, Request, Sampling

OTHER_TEMPERATURE = 0.7
"""FastChat's temperature for any other category."""

Turns = tuple[Answer, ...]
"""The answers to a question: none, the first, or both."""


def choose_questions(questions: Sequence[Question], limit: int | None) -> list[Question]:
    """Choose `limit` questions at random by their numbers alone, and return them in the order of the numbers."""
    chosen = sorted(questions, key=lambda one: derive_seed("evaluation", "mt-bench", one.id))[:limit]
    return sorted(chosen, key=lambda one: one.id)


def converse(caller: Caller, questions: Sequence[Question], max_tokens: int) -> dict[int, Turns]:
    """Return the answers to both turns of every question, by number; the turns end before a failed call.

    Surrounding white space is removed, as in FastChat. In the second turn, the first answer is shown without its
    reasoning, as in the chat templates of reasoning models.
    """
    model = caller.engine.name
    found: dict[int, Turns] = {one.id: () for one in questions}
    for turn in (1, 2):
        asked = [one for one in questions if len(found[one.id]) == turn - 1]
        label = f"{model} answers {len(asked)} questions, turn {turn}"
        requests = [_request(one, found[one.id], max_tokens) for one in asked]
        replies = caller.ask(requests, label)
        for one, (key, reply) in zip(asked, replies, strict=True):
            if isinstance(reply, Completion):
                answer = make_answer(f"{model}:{one.id}-t{turn}", str(one.id), model, key, reply)
                found[one.id] = (*found[one.id], answer)
    return found


def _request(question: Question, before: Turns, max_tokens: int) -> Request:
    messages: list[Message] = []
    for said, answer in zip(question.turns, before, strict=False):
        messages += [Message("user", said), Message("assistant", answer.text)]
    messages.append(Message("user", question.turns[len(before)]))
    sampling = Sampling(TEMPERATURES.get(question.category, OTHER_TEMPERATURE), 1.0, max_tokens)
    return Request(tuple(messages), sampling, seed=derive_seed("answer", "mt-bench", question.id, len(before)))
