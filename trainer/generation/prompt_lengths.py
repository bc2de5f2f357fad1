"""Check that the prompts of a file fit into the model's context, with their answers and the judge's prompt.

A run stores its prompts, so one that is too long would end every attempt to go on with it: at the candidates, or at the
first verdict. The bound is that of the longest answer that `candidate_sampling.max_tokens` allows, and of the control
that repeats the instruction (`trainer/monitor/degenerate_answers.py`).
"""

from collections.abc import Sequence

from srlm.engines.chat_template import ChatTokenizer
from srlm.errors import UsageError
from srlm.judges.pointwise import PointwiseJudge
from srlm.types import Message, Prompt, Request

_MESSAGE_BYTES = 64
"""Bytes for what a template writes around a message; a token has at least one byte, so most prompts need no count."""


def require_room(
    chat: ChatTokenizer,
    name: str,
    limit: int,
    prompts: Sequence[Prompt],
    source: str,
    judge: PointwiseJudge | None,
    max_tokens: int,
) -> None:
    """Check that every prompt leaves room for an answer, and every judge's prompt for a verdict.

    Args:
        chat: of the model that answers and judges, without a limit of its own.
        name: the model's name in messages.
        limit: its context in tokens.
        prompts: of a file.
        source: the file, for messages.
        judge: None if the model does not judge its own answers.
        max_tokens: of an answer.

    Raises:
        UsageError: some are too long; the message has their number, the first one's place and its length.
    """
    long: list[tuple[Prompt, int]] = []
    for prompt in prompts:
        request = Request((*prompt.context, Message("user", prompt.instruction)))
        asked = judge.requests(prompt.instruction, "", 0, prompt.context)[0] if judge is not None else None
        answer = max(max_tokens, len(prompt.instruction.encode()))
        if max(_most(request), _most(asked) + answer if asked else 0) < limit:
            continue
        needed = len(chat.tokens(request)) + 1
        if asked is not None and needed <= limit:
            room = limit - needed
            copied = len(chat.tokens(Request((Message("user", prompt.instruction),))))
            needed = max(needed, len(chat.tokens(asked)) + max(min(max_tokens, room), copied) + 1)
        if needed > limit:
            long.append((prompt, needed))
    if long:
        first, needed = long[0]
        purpose = "an answer" if judge is None else "an answer and the judge's prompt with both"
        other = "" if judge is None else ", or set a smaller candidate_sampling.max_tokens if that is enough"
        raise UsageError(
            f"{len(long):,} of the {len(prompts):,} chosen prompts of {source} may not fit into the {limit:,} tokens "
            f"of {name} with {purpose}; the first one ({first.origin or first.id}) needs {needed:,}. Leave them "
            f"out{other}."
        )


def _most(request: Request) -> int:
    """Return an upper bound on the tokens of a request, from its bytes."""
    return len(request.prefill) + sum(len(one.content.encode()) + _MESSAGE_BYTES for one in request.messages)
