"""The text that chat templates of many models write around an answer."""

from typing import Any

import pytest

from helpers.chat_templates import ALWAYS, CHATML, HARMONY, HYBRID, MAGISTRAL, OPENING, SEED, SWITCH

pytest.importorskip("torch")
from helpers.tiny_models import STYLES, byte_level
from srlm.engines.chat_template import ChatTokenizer, render_turn
from srlm.errors import EngineError, ModelError
from srlm.types import Message, Request

ASKED = [Message("user", "Is <think> a word?")]


def tokenizer(template: Any, special: tuple[str, ...] = ()) -> Any:
    made = byte_level(["<|im_start|>", "<|im_end|>", *special], "<|im_end|>")
    made.chat_template = template
    return made


@pytest.mark.parametrize(
    ("template", "prompt", "opened", "empty", "closed"),
    [
        (CHATML, "<|im_start|>assistant\n", False, "", ""),
        (HYBRID, "<|im_start|>assistant\n", False, "<think>\n\n</think>\n\n", "<think>\n\n</think>\n\n"),
        (OPENING, "<|assistant|><think>\n", True, "\n</think>\n\n", "\n</think>\n\n"),
        (ALWAYS, "<|im_start|>assistant\n<think>\n", True, "\n</think>\n\n", "\n</think>\n\n"),
        (SEED, "<|assistant|><seed:think>\n", True, "\n</seed:think>\n\n", "\n</seed:think>\n\n"),
        (MAGISTRAL, "<|assistant|>[THINK]", True, "\n\n[/THINK]\n\n", "\n\n[/THINK]\n\n"),
        (HARMONY, "<|start|>assistant", False, "<|channel|>final<|message|>", "<|channel|>final<|message|>"),
        (SWITCH, "<|im_start|>assistant\n", False, "", ""),
    ],
)
def test_the_turn_of_an_answer(template: str, prompt: str, opened: bool, empty: str, closed: str) -> None:
    """Marks of reasoning in a message open none."""
    made = tokenizer(template)
    turn = render_turn(made, ASKED, "open")
    assert turn.prompt.endswith(prompt)
    assert "Is <think> a word?" in turn.prompt
    assert (turn.opened, turn.empty) == (opened, empty)
    assert turn.closing.rstrip("\n") == "<|im_end|>"
    shut = render_turn(made, ASKED, "closed")
    assert (shut.prompt, shut.opened, shut.empty) == (turn.prompt + closed, False, "")
    assert shut.closing == turn.closing


def test_a_message_can_turn_thinking_off() -> None:
    turn = render_turn(tokenizer(SWITCH), [Message("user", "/no_think Hello")], "open")
    assert turn.prompt.endswith("<think>\n\n</think>\n")
    assert not turn.opened


def test_a_template_without_a_beginning_of_its_own() -> None:
    """As in Llama 2 and the puzzle model: the answer follows the question, and only its end is marked."""
    turn = render_turn(byte_level(STYLES["llama2"][2], "</s>", STYLES["llama2"][0]), [Message("user", "Hello")], "open")
    assert (turn.prompt.endswith("[INST] Hello [/INST]"), turn.closing, turn.empty) == (True, " </s>", "")


@pytest.mark.parametrize("template", [HYBRID, OPENING, ALWAYS, HARMONY])
@pytest.mark.parametrize("rest", [{"choices": ("A", "B")}, {"prefill": "Score: "}])
def test_what_is_chosen_or_begun_stands_behind_the_thoughts(template: str, rest: dict[str, Any]) -> None:
    chat = ChatTokenizer(tokenizer(template), name="tiny", context=512)
    request = Request((Message("user", "Hello"),), **rest)
    closed = render_turn(tokenizer(template), [Message("user", "Hello")], "closed").prompt
    assert chat.text(request) == closed + rest.get("prefill", "")
    assert not chat.may_reason(request)
    assert chat.may_reason(Request((Message("user", "Hello"),)))
    assert chat.identity == ":thoughts-open"
    assert (
        ChatTokenizer(tokenizer(template), name="tiny", context=512, thoughts="closed").identity == ":thoughts-closed"
    )


def test_a_template_that_knows_of_no_thoughts_is_asked_as_ever() -> None:
    chats = [ChatTokenizer(tokenizer(CHATML), name="tiny", context=512, thoughts=which) for which in ("open", "closed")]  # type: ignore[arg-type]
    assert [chat.identity for chat in chats] == ["", ""]
    assert {chat.text(Request((Message("user", "Hello"),))) for chat in chats} == {
        "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    }


# --- what a model wrote -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "special", "wrote", "thoughts", "text"),
    [
        (CHATML, (), "Hello.<|im_end|>", "", "Hello."),
        (HYBRID, (), "<think>\nHm.\n</think>\n\nHello.<|im_end|>", "<think>\nHm.\n</think>\n\n", "Hello."),
        (OPENING, (), "Hm.\n</think>\n\nHello.", "Hm.\n</think>\n\n", "Hello."),
        (OPENING, (), "Hm, and on and on", "Hm, and on and on", ""),
        (OPENING, ("<think>", "</think>"), "Hm.</think>Hello.<|im_end|>", "Hm.</think>", "Hello."),
        (MAGISTRAL, ("[THINK]", "[/THINK]"), "Hm.[/THINK]Hello.<|im_end|>", "Hm.[/THINK]", "Hello."),
        (
            HARMONY,
            ("<|start|>", "<|channel|>", "<|message|>", "<|end|>"),
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello.",
            "<|channel|>analysis<|message|>Hm.assistant<|channel|>final<|message|>",
            "Hello.",
        ),
    ],
)
def test_reasoning_is_separated_from_the_answer(
    template: str, special: tuple[str, ...], wrote: str, thoughts: str, text: str
) -> None:
    made = tokenizer(template, special)
    chat = ChatTokenizer(made, name="tiny", context=512)
    tokens = made.encode(wrote, add_special_tokens=False)
    found = chat.completion(Request((Message("user", "Hello"),)), tokens, 7, ended=True)
    assert (found.thoughts, found.text, found.written, found.finish) == (thoughts, text, None, "stop")
    assert (found.prompt_tokens, found.completion_tokens) == (7, len(tokens))


# --- templates that cannot be used ------------------------------------------------------------------------------------


def test_what_a_template_fails_on_later_is_one_error() -> None:
    chat = ChatTokenizer(
        tokenizer("{{ 1 // (messages | length - 2) }}{{ messages[0].content }}"), name="tiny", context=9
    )
    with pytest.raises(EngineError, match=r"chat template of tiny fails.*ZeroDivisionError"):
        chat.tokens(Request((Message("user", "one"), Message("assistant", "two"))))


def test_an_answer_that_the_template_leaves_out_cannot_be_learned_from() -> None:
    with pytest.raises(ModelError, match="does not write the assistant's answers"):
        render_turn(tokenizer("{{ messages[0].content }}"), ASKED, "open")
