"""A model that thinks in a real vLLM: in the engine, and behind servers with and without a parser of thoughts."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm")

from helpers.thinking_models import THOUGHT, thinking_checkpoint
from helpers.vllm_serving import served
from srlm.engines.engine import Engine
from srlm.engines.open import open_engine
from srlm.judges.parse import read_score
from srlm.types import Completion, Message, Request, Sampling, Scored

pytestmark = [pytest.mark.vllm, pytest.mark.slow]
Ask = Callable[[Engine, Sequence[Request]], list[Completion]]

FREE = Request((Message("user", "Grade it."),), Sampling(0.7, 0.9, 32))
CHOICE = Request((Message("user", "A or B?"),), choices=("A", "B"))


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return thinking_checkpoint(tmp_path_factory.mktemp("thinking") / "judge", "its own", "It is so.\nScore: 4")


@pytest.fixture(scope="module", params=["parsed", "plain"])
def address(request: Any, judge: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    parser = ["--reasoning-parser", "qwen3"] if request.param == "parsed" else []
    with served(judge, "judge", tmp_path_factory.mktemp("log") / "log.txt", *parser) as address:
        yield f"{address}/v1"


@pytest.mark.parametrize("protocol", ["openai", "vllm"])
def test_a_draft_in_a_thought_is_no_verdict(address: str, protocol: str, replies: Ask) -> None:
    (reply,) = replies(open_engine(f"{protocol}:judge@{address}"), [FREE])
    assert reply.text == "It is so.\nScore: 4"
    assert THOUGHT.strip() in reply.thoughts
    read = read_score(reply)
    assert isinstance(read, Scored)
    assert read.value == 4


def test_a_choice_that_it_was_not_about_to_make_has_no_mass(address: str, replies: Ask) -> None:
    (reply,) = replies(open_engine(f"openai:judge@{address}"), [CHOICE])
    assert reply.probabilities is None or (reply.mass is not None and reply.mass < 0.01)


def test_the_engine_parts_thoughts_as_ours_does(judge: Path, light: dict[str, Any], replies: Ask) -> None:
    engine = open_engine(f"vllm:{judge}", device="cpu", dtype="float32", vllm=light)
    try:
        free, choice = replies(engine, [FREE, CHOICE])
    finally:
        engine.close()
    assert (free.text, THOUGHT in free.thoughts) == ("It is so.\nScore: 4", True)
    assert choice.mass is not None
    assert choice.mass < 0.01
