"""Reasoning models in the local engine: reasoning is separated from answers, and choices follow closed reasoning."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from helpers.chat_templates import ALWAYS, CHATML, HARMONY, HYBRID, MAGISTRAL, OPENING
from helpers.tiny_models import ask, byte_level, replies, save
from srlm.engines.decoding import SlotCache
from srlm.engines.hf import HFEngine
from srlm.engines.open import open_engine
from srlm.types import Completion, Request

THOUGHTS: Sequence[Any] = ("open", "closed")
MARKS = ["<|im_start|>", "<|im_end|>", "[THINK]", "[/THINK]", "<|start|>", "<|channel|>", "<|message|>", "<|end|>"]


def checkpoint(folder: Path, template: str) -> Path:
    tokenizer = byte_level(MARKS, "<|im_end|>", template)
    save(folder, "llama", vocab_size=len(tokenizer), max_position_embeddings=512, eos_token_id=tokenizer.eos_token_id)
    tokenizer.save_pretrained(folder)
    return folder


def that_writes(engine: HFEngine, text: str) -> list[int]:
    """Make the model write this text for any prompt; return the prompt that it reads, if there is one."""
    ids = engine._tokenizer.encode(f"{text}<|im_end|>", add_special_tokens=False)
    model, read, steps = engine._model, [], 0
    forward = model.forward

    def writing(*args: Any, **rest: Any) -> Any:
        nonlocal steps
        output = forward(*args, **rest)
        if isinstance(rest["past_key_values"], SlotCache):
            steps += 1
        else:
            read.extend(rest["input_ids"][0].tolist())
        output.logits[:] = 0
        output.logits[..., ids[steps]] = 99.0
        return output

    model.forward = writing
    return read


@pytest.mark.parametrize(
    ("template", "wrote", "thoughts", "answer"),
    [
        (CHATML, "<think>\nHm.\n</think>\n\nYes.", "<think>\nHm.\n</think>\n\n", "Yes."),
        (HYBRID, "<think>\nHm.\n</think>\n\nYes.", "<think>\nHm.\n</think>\n\n", "Yes."),
        (OPENING, "Hm.\n</think>\n\nYes.", "Hm.\n</think>\n\n", "Yes."),
        (ALWAYS, "Hm.\n</think>\n\nYes.", "Hm.\n</think>\n\n", "Yes."),
        (ALWAYS, "Hm, never closed.", "Hm, never closed.", ""),
        (MAGISTRAL, "Hm.[/THINK]Yes.", "Hm.[/THINK]", "Yes."),
        (
            HARMONY,
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes.",
            "<|channel|>analysis<|message|>Hm.assistant<|channel|>final<|message|>",
            "Yes.",
        ),
        (CHATML, "Yes.", "", "Yes."),
        (CHATML, "The tag `<think>` is one.", "", "The tag `<think>` is one."),
    ],
)
def test_an_answer_is_what_stands_behind_the_thoughts(
    tmp_path: Path, template: str, wrote: str, thoughts: str, answer: str
) -> None:
    engine = HFEngine(checkpoint(tmp_path, template), name="tiny", device="cpu", dtype="float32")
    that_writes(engine, wrote)
    (found,) = replies(engine, [ask("Is it so?", max_tokens=100)])
    assert (found.text, found.thoughts, found.written, found.finish) == (answer, thoughts, None, "stop")


@pytest.mark.parametrize(
    ("template", "wrote"),
    [(OPENING, "1. Hm.\n2. Ah.\n</think>\n\nYes.\n2. No."), (CHATML, "<think>\n2. </think>Yes.\n2.")],
)
def test_a_stop_string_ends_the_answer_and_no_thought(tmp_path: Path, template: str, wrote: str) -> None:
    engine = HFEngine(checkpoint(tmp_path, template), name="tiny", device="cpu", dtype="float32")
    that_writes(engine, wrote)
    (found,) = replies(engine, [ask("List.", max_tokens=100, stop=("\n2.",))])
    assert (found.text, found.finish) == ("Yes.", "stop")


@pytest.mark.parametrize("template", [HYBRID, OPENING, ALWAYS])
def test_closed_thoughts_are_another_model(tmp_path: Path, template: str) -> None:
    """The prompt ends with empty reasoning; the answer differs from that after open reasoning."""
    folder = checkpoint(tmp_path, template)
    which = {one: open_engine(str(folder), device="cpu", dtype="float32", thoughts=one) for one in THOUGHTS}
    assert len({engine.identity for engine in which.values()}) == 2
    engine = which["closed"]
    assert isinstance(engine, HFEngine)
    read = that_writes(engine, "Yes.")
    (found,) = replies(engine, [ask("Is it so?")])
    assert (found.text, found.thoughts) == ("Yes.", "")
    assert engine._tokenizer.decode(read).endswith("<think>\n\n</think>\n\n")


def test_a_model_without_thoughts_is_the_same_with_either(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, CHATML)
    assert len({HFEngine(folder, name="tiny", dtype="float32", thoughts=one).identity for one in THOUGHTS}) == 1
    assert HFEngine(folder, name="tiny", dtype="float32").identity.count(":") == 1


@pytest.mark.parametrize("template", [HYBRID, OPENING, ALWAYS])
def test_choices_are_read_behind_a_closed_thought(tmp_path: Path, template: str) -> None:
    engine = HFEngine(checkpoint(tmp_path, template), name="tiny", device="cpu", dtype="float32")
    read = that_writes(engine, "A")
    (found,) = replies(engine, [Request(ask("A or B?").messages, choices=("A", "B"))])
    assert engine._tokenizer.decode(read).endswith("<think>\n\n</think>\n\n")
    assert isinstance(found, Completion)
    assert found.text == "A"
    assert found.mass == pytest.approx(1.0)
