"""What chat templates of many makes write around an answer, and templates that fail, hang or leave things out."""

from pathlib import Path
from typing import Any

import pytest

from helpers.chat_templates import ALWAYS, CHATML, HARMONY, HYBRID, MAGISTRAL, OPENING, SEED, SWITCH, TURNS

pytest.importorskip("torch")
from helpers.tiny_models import STYLES, byte_level
from srlm.engines.chat_template import ChatTokenizer, render_turn
from srlm.engines.template_trial import require_template
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
    """Words about thoughts in a message open none."""
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
    """As Llama 2 and the puzzle world have it: the answer follows on the question, and only its end is marked."""
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
def test_thoughts_are_parted_from_the_answer(
    template: str, special: tuple[str, ...], wrote: str, thoughts: str, text: str
) -> None:
    made = tokenizer(template, special)
    chat = ChatTokenizer(made, name="tiny", context=512)
    tokens = made.encode(wrote, add_special_tokens=False)
    found = chat.completion(Request((Message("user", "Hello"),)), tokens, 7, ended=True)
    assert (found.thoughts, found.text, found.written, found.finish) == (thoughts, text, None, "stop")
    assert (found.prompt_tokens, found.completion_tokens) == (7, len(tokens))


# --- templates that cannot be used ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{% for m in messages %}{{ m.content }", "cannot be read: line 1"),
        ("{{ messages[0].content + 1 }}", "TypeError"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
        ("{{ messages[0].content.foo() }}", "no attribute 'foo'"),
        ("{% include 'other' %}", "fails"),
        ("{% macro again(x) %}{{ again(x) }}{% endmacro %}{{ again(1) }}", "fails|come to an end"),
        ("{{ raise_exception('Only with tools.') }}", "refuses these messages: Only with tools"),
        ({"chat": CHATML, "tool_use": CHATML}, r"several chat templates \(chat, tool_use\).*default"),
        ("{% for m in messages %}<|im_start|>{{ m.role }}<|im_end|>{% endfor %}", "leaves out the user's message"),
        (5, "fails on these messages"),
        (TURNS, r"ignores add_generation_prompt.*<\|im_start\|>assistant"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "does not end"),
        ("{{ 'x' * 99999999999 }}", "MemoryError"),
        ("{% set n = namespace(x='x') %}{% for a in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}", "MemoryError"),
        ("{{ 10 ** 10 ** 10 }}", "powers"),
        ("{{ 'x' * 2000000 }}", "2000000 characters"),
    ],
)
def test_a_template_that_cannot_serve_is_refused_when_it_is_read(template: Any, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        require_template(tokenizer(template), Path("some/folder"))


@pytest.mark.parametrize("template", [CHATML, HYBRID, OPENING, ALWAYS, HARMONY, SWITCH, STYLES["llama2"][0]])
def test_templates_in_use_are_not(template: str) -> None:
    require_template(tokenizer(template), Path("some/folder"))
    require_template(tokenizer({"default": template, "tool_use": "{{ 1 // 0 }}"}), Path("some/folder"))


def test_a_long_template_is_none_that_does_not_end() -> None:
    long = "".join(f"{{% if tools and tools[{n}] == 'x' %}}{{{{ tools | tojson }}}}{{% endif %}}" for n in range(900))
    require_template(tokenizer(long + CHATML), Path("some/folder"))


def test_what_a_template_fails_on_later_is_one_error() -> None:
    chat = ChatTokenizer(
        tokenizer("{{ 1 // (messages | length - 2) }}{{ messages[0].content }}"), name="tiny", context=9
    )
    with pytest.raises(EngineError, match=r"chat template of tiny fails.*ZeroDivisionError"):
        chat.tokens(Request((Message("user", "one"), Message("assistant", "two"))))


def test_an_answer_that_the_template_leaves_out_cannot_be_learned_from() -> None:
    with pytest.raises(ModelError, match="does not write the assistant's answers"):
        render_turn(tokenizer("{{ messages[0].content }}"), ASKED, "open")
