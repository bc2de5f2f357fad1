"""Contexts that a chat template writes, refuses, or leaves out: known before a run starts."""

from typing import Any

import pytest

pytest.importorskip("torch")
from helpers.conversation_styles import CONVERSATION_STYLES, style_tokenizer
from srlm.engines.conversation_trial import require_contexts
from srlm.errors import ModelError
from srlm.types import Message

SYSTEM = (Message("system", "Be brief."),)
TURNS = (Message("user", "Hi."), Message("assistant", "Hi."))
BEFORE = "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
LAST = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"


def tokenizer(template: str) -> Any:
    made = style_tokenizer("chatml")
    made.chat_template = template + LAST
    return made


@pytest.mark.parametrize("name", CONVERSATION_STYLES)
def test_each_style_writes_what_it_can(name: str) -> None:
    made = style_tokenizer(name)
    require_contexts(made, "tiny", [(), TURNS, TURNS * 3], "the seeds data/")
    if CONVERSATION_STYLES[name].system:
        require_contexts(made, "tiny", [SYSTEM, SYSTEM + TURNS, SYSTEM + TURNS * 4], "the seeds data/")
        return
    with pytest.raises(ModelError) as caught:
        require_contexts(made, "tiny", [(), SYSTEM, TURNS, SYSTEM + TURNS], "the seeds data/")
    assert str(caught.value) == (
        "The chat template of tiny refuses system messages (System role not supported), and 2 of 4 records of the "
        "seeds data/ have one. Move their text into the user's first turns, or use a model whose template has system "
        "messages."
    )


@pytest.mark.parametrize(
    ("template", "contexts", "said"),
    [
        (
            f"{{% for m in messages if m.role != 'system' %}}{BEFORE}{{% endfor %}}",
            [SYSTEM + TURNS, TURNS],
            "leaves system messages out, and 1 of 2 records of data have one. Move",
        ),
        (
            f"{{% for m in messages[-1:] %}}{BEFORE}{{% endfor %}}",
            [TURNS, ()],
            "leaves earlier turns out, and 1 of 2 records of data have some. Leave",
        ),
        (
            f"{{% for m in messages %}}{{% if m.role == 'user' or loop.last %}}{BEFORE}{{% endif %}}{{% endfor %}}",
            [TURNS, TURNS * 2],
            "leaves earlier turns out, and 2 of 2 records of data have some. Leave",
        ),
        (
            "{% if messages | length > 4 %}{{ raise_exception('Too many turns.') }}{% endif %}"
            f"{{% for m in messages %}}{BEFORE}{{% endfor %}}",
            [TURNS, TURNS * 2],
            "refuses earlier turns (Too many turns), and 2 of 2 records of data have some. Leave",
        ),
    ],
)
def test_what_it_leaves_out_or_refuses_is_named(template: str, contexts: list[Any], said: str) -> None:
    with pytest.raises(ModelError) as caught:
        require_contexts(tokenizer(template), "tiny", contexts, "data")
    assert str(caught.value).startswith(f"The chat template of tiny {said}")


def test_without_contexts_no_template_is_asked() -> None:
    require_contexts(None, "tiny", [(), ()], "data")
