"""Chat templates that fail, do not end or leave the question out are refused when they are loaded."""

from pathlib import Path
from typing import Any

import pytest

from helpers.chat_templates import ALWAYS, CHATML, HARMONY, HYBRID, OPENING, SWITCH, TURNS

pytest.importorskip("torch")
from helpers.tiny_models import STYLES, byte_level
from srlm.engines.template_trial import require_template
from srlm.errors import ModelError


def tokenizer(template: Any, special: tuple[str, ...] = ()) -> Any:
    made = byte_level(["<|im_start|>", "<|im_end|>", *special], "<|im_end|>")
    made.chat_template = template
    return made


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{% for m in messages %}{{ m.content }", "cannot be read: line 1"),
        ("{{ messages[0].content + 1 }}", "TypeError"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
        ("{{ messages[0].content.foo() }}", "no attribute 'foo'"),
        ("{% include 'other' %}", "fails"),
        ("{% macro again(x) %}{{ again(x) }}{% endmacro %}{{ again(1) }}", "fails|does not end"),
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
