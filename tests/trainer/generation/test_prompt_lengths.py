"""Prompts of a file that would not fit into the model's context are named before a run."""

import pytest

from helpers.conversation_styles import style_tokenizer
from srlm.config.preferences import JudgeConfig
from srlm.engines.chat_template import ChatTokenizer
from srlm.errors import UsageError
from srlm.judges.pointwise import configured_judge
from srlm.types import Message, Prompt, Request
from trainer.generation.prompt_lengths import require_room

SHORT = Prompt("a", "Write a haiku.", "generated", origin="mine.jsonl, line 1")
LONG = Prompt("b", "Write a haiku. " * 30, "generated", origin="mine.jsonl, line 2")
TALK = Prompt(
    "c", "And one more?", "generated", origin="mine.jsonl, line 3", context=(Message("system", "Write a haiku. " * 30),)
)


@pytest.fixture(scope="module")
def chat():
    return ChatTokenizer(style_tokenizer("chatml"), name="tiny")


def tokens(chat, prompt):
    return len(chat.tokens(Request((*prompt.context, Message("user", prompt.instruction)))))


@pytest.mark.parametrize("prompt", [LONG, TALK])
def test_a_prompt_leaves_room_for_one_token_at_the_least(chat, prompt):
    length = tokens(chat, prompt)
    require_room(chat, "tiny", length + 1, [SHORT, prompt], "mine.jsonl", None, 9)
    with pytest.raises(UsageError) as caught:
        require_room(chat, "tiny", length, [SHORT, prompt], "mine.jsonl", None, 9)
    assert str(caught.value).startswith(
        f"1 of the 2 chosen prompts of mine.jsonl may not fit into the {length} tokens of tiny with an answer; the "
        f"first one ({prompt.origin}) needs {length + 1}. Leave them out."
    )


@pytest.mark.parametrize("prompt", [SHORT, LONG, TALK])
@pytest.mark.parametrize("max_tokens", [9, 60])
def test_the_judge_reads_the_longest_answer_and_the_copied_instruction(chat, prompt, max_tokens):
    judge = configured_judge(JudgeConfig())
    asked = len(chat.tokens(judge.requests(prompt.instruction, "", 0, prompt.context)[0]))
    copied = tokens(chat, Prompt("d", prompt.instruction, "generated"))
    limit = asked + max(max_tokens, copied) + 1
    require_room(chat, "tiny", limit, [prompt], "mine.jsonl", judge, max_tokens)
    with pytest.raises(UsageError, match=rf"with an answer and the judge's prompt with both.* needs {limit:,}\."):
        require_room(chat, "tiny", limit - 1, [prompt], "mine.jsonl", judge, max_tokens)
