"""The whole door under damage: what comes in is read, or refused in words, and no figure is made of what was damaged.

Files of other tools have tests of their own (tests/evals/compare/test_damaged_files.py), with 40 damages of each; the
slow ones here draw 10,000 in all: of those files, of servers' replies, of ledgers, and of checkpoints.

    SRLM_TEST_SEED=1 pytest tests/invariants/test_damaged.py -m slow     draws others, anew each time
"""

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.suites.alpaca.files import read_annotations
from helpers.foreign_files import READERS, annotation
from helpers.mutations import damaged_json, damaged_lines, mutated, refused_or_read
from srlm.engines.anthropic import AnthropicEngine
from srlm.engines.api_errors import EMPTY, MALFORMED, classify_error
from srlm.engines.hf import HFEngine
from srlm.engines.openai import OpenAIEngine
from srlm.engines.reasoning import split_reasoning
from srlm.engines.remote import RemoteEngine
from srlm.errors import SrlmError
from srlm.judges.parse import read_choice, read_rating, read_score
from srlm.judges.rubric import Scale
from srlm.ledger import Call, Ledger
from srlm.types import Completion, Message, Request, Sampling, Scored

DRAWN_ANEW = "SRLM_TEST_SEED" in os.environ
"""Else each run draws the same damages: what a change breaks is told from what nobody has met yet."""
QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=not DRAWN_ANEW, database=None
)
FREE = Request((Message("user", "Grade it."),), Sampling(0.7, 0.9, 16))
CHOICE = Request((Message("user", "A or B?"),), choices=("A", "B"))


def many(count: int) -> Callable[[Any], Any]:
    """A test of `count` drawings, for make test-slow."""

    def slow(test: Any) -> Any:
        return pytest.mark.slow(settings(parent=QUICK, max_examples=count)(test))

    return slow


# --- files of other tools ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", READERS)
@many(300)
@given(data=st.data())
def test_files_of_other_tools(tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject) -> None:
    called, damaged, read = READERS[name]
    path = tmp_path_factory.getbasetemp() / f"damaged-{name.replace(' ', '-')}" / called
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data.draw(damaged()))
    refused_or_read(lambda: read(path))


ROWS = [annotation(number) | {"preference": 1 + number / 8} for number in range(8)]


def no_figure_of_damage(path: Path, data: st.DataObject) -> None:
    """Damage one of eight annotations: the seven others keep their preference, or the file is refused."""
    place = data.draw(st.integers(0, len(ROWS) - 1))
    odd = data.draw(damaged_lines(ROWS[place : place + 1]))
    lines = [json.dumps(row).encode() + b"\n" for row in ROWS]
    path.write_bytes(b"".join([*lines[:place], odd, *lines[place + 1 :]]))
    try:
        found = {row.instruction: row.preference for row in read_annotations(path).rows}
    except SrlmError:
        return
    for number, row in enumerate(ROWS):
        if number != place:
            assert found[row["instruction"]] == number / 8
    known = {row["instruction"] for number, row in enumerate(ROWS) if number != place}
    for instruction, preference in found.items():
        if instruction not in known and preference is not None:
            assert 0 <= preference <= 1


@QUICK
@given(data=st.data())
def test_a_damaged_record_changes_no_other_figure(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    no_figure_of_damage(tmp_path_factory.getbasetemp() / "annotations.jsonl", data)


@many(1000)
@given(data=st.data())
def test_damaged_records_change_no_other_figure(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    no_figure_of_damage(tmp_path_factory.getbasetemp() / "annotations.jsonl", data)


# --- what a server sends ----------------------------------------------------------------------------------------------


class Sends:
    """A client that gives these bytes for a reply."""

    def __init__(self, content: bytes, kind: str) -> None:
        self._content, self._kind = content, kind

    async def post(self, path: str, **sent: Any) -> Any:
        from httpx2 import Response

        return Response(200, content=self._content, headers={"content-type": self._kind})


SAID = "<think>\nPerhaps a 2.\n</think>\n\nIt is fine.\nScore: 4"
OPENAI = {
    "choices": [
        {
            "message": {"role": "assistant", "content": SAID, "reasoning_content": None, "refusal": None},
            "finish_reason": "stop",
            "logprobs": {
                "content": [
                    {
                        "token": "A",
                        "logprob": -0.2,
                        "top_logprobs": [{"token": "A", "logprob": -0.2}, {"token": "B", "logprob": -1.8}],
                    }
                ]
            },
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 7},
}
ANTHROPIC = {
    "content": [{"type": "thinking", "thinking": "Perhaps a 2."}, {"type": "text", "text": "It is fine.\nScore: 4"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 7},
}
SERVERS: dict[str, tuple[type[RemoteEngine], dict[str, Any]]] = {
    "openai": (OpenAIEngine, OPENAI),
    "anthropic": (AnthropicEngine, ANTHROPIC),
}


def reply_is_read_or_failed(ledger: Ledger, protocol: str, data: st.DataObject) -> None:
    """A damaged reply is a failed call with a reason, or a completion that the ledger holds; its score was said."""
    made, whole = SERVERS[protocol]
    engine = made("m", "http://127.0.0.1:9/v1")
    content = data.draw(damaged_json(whole))
    request = data.draw(st.sampled_from([FREE, CHOICE]))
    kind = data.draw(st.sampled_from(["application/json", "text/plain; charset=latin-1", ""]))
    try:
        reply = asyncio.run(engine.call(Sends(content, kind), request))
    except Exception as error:  # what it means is said by the function under test
        fault = classify_error(error, engine.sdk)
        assert fault.reason in {MALFORMED, EMPTY, "an error with HTTP 200"} or fault.reason.startswith("HTTP ")
        return
    assert reply.finish in {"stop", "length", "cut"}
    assert not split_reasoning(reply.text).thoughts
    assert reply.text or reply.thoughts or reply.probabilities
    if reply.probabilities is not None:
        assert abs(sum(reply.probabilities) - 1) < 1e-9
        assert reply.mass is not None and isfinite(reply.mass)
    key = hashlib.sha256(content + repr((protocol, kind, request)).encode()).hexdigest()
    ledger.commit("s", "m", [Call(key, request, reply, 0.1, None)])
    assert ledger.get(key) == reply
    for read in (read_score(reply), read_rating(reply, Scale(1, 10))):
        if isinstance(read, Scored):
            assert str(int(read.value)).encode() in content
    read_choice(reply, ("A", "B"))


@pytest.mark.parametrize("protocol", SERVERS)
@QUICK
@given(data=st.data())
def test_a_damaged_reply(ledger: Ledger, protocol: str, data: st.DataObject) -> None:
    reply_is_read_or_failed(ledger, protocol, data)


@pytest.mark.parametrize("protocol", SERVERS)
@many(750)
@given(data=st.data())
def test_damaged_replies(ledger: Ledger, protocol: str, data: st.DataObject) -> None:
    reply_is_read_or_failed(ledger, protocol, data)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return Ledger(tmp_path_factory.mktemp("replies") / "ledger.sqlite")


# --- ledgers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole_ledger(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a ledger of 20 calls."""
    path = tmp_path_factory.mktemp("whole") / "ledger.sqlite"
    made = Ledger(path)
    calls = [Call(f"{n:064x}", CHOICE, Completion(f"A{n}", "stop", n, 1, (0.75, 0.25)), 0.1, 0.01) for n in range(20)]
    made.commit("s", "m", calls, ["timeout"])
    made.close()
    return path.read_bytes()


def ledger_is_read_or_refused(folder: Path, whole: bytes, data: st.DataObject) -> None:
    """Of a damaged ledger every call is what it was, or there is a message."""
    path = folder / "ledger.sqlite"
    for leftover in folder.glob("ledger.sqlite*"):
        leftover.unlink()
    path.write_bytes(data.draw(mutated(whole)))

    def use() -> None:
        opened = Ledger(path)
        try:
            opened.summary()
            for _ in opened.calls():
                pass
            opened.get("0" * 64)
        finally:
            opened.close()

    refused_or_read(use)


@QUICK
@given(data=st.data())
def test_a_damaged_ledger(whole_ledger: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    ledger_is_read_or_refused(tmp_path_factory.getbasetemp(), whole_ledger, data)


@many(500)
@given(data=st.data())
def test_damaged_ledgers(whole_ledger: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    ledger_is_read_or_refused(tmp_path_factory.getbasetemp(), whole_ledger, data)


# --- checkpoints ------------------------------------------------------------------------------------------------------

PARTS = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
WEIGHTS = "model.safetensors"


def checkpoint_answers_or_is_refused(whole: Path, folder: Path, part: str, data: st.DataObject) -> None:
    """Damage one file of a checkpoint: it is refused in words, or what it answers is a probability."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    content = (folder / part).read_bytes()
    if part.endswith(".json") and data.draw(st.booleans()):
        (folder / part).write_bytes(data.draw(damaged_json(json.loads(content))))
    else:
        (folder / part).write_bytes(data.draw(mutated(content)))

    def use() -> None:
        engine = HFEngine(folder, name="damaged", device="cpu", dtype="float32")
        batches = [[CHOICE], [Request(CHOICE.messages, Sampling(0.7, 0.9, 2))]]
        for batch in batches:
            engine.plan(batch)
        for done in engine.run(batches):
            for reply in done.replies:
                probabilities = getattr(reply, "probabilities", None) or (1.0,)
                assert abs(sum(probabilities) - 1) < 1e-6
        engine.close()

    refused_or_read(use)


@pytest.mark.parametrize("part", [*PARTS, WEIGHTS])
@settings(parent=QUICK, max_examples=3)
@given(data=st.data())
def test_a_damaged_checkpoint(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, part: str, data: st.DataObject
) -> None:
    checkpoint_answers_or_is_refused(tiny_model, tmp_path_factory.getbasetemp() / f"damaged-{part}", part, data)


@pytest.mark.parametrize("part", [*PARTS, WEIGHTS])
@many(50)
@given(data=st.data())
def test_damaged_checkpoints(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, part: str, data: st.DataObject
) -> None:
    checkpoint_answers_or_is_refused(tiny_model, tmp_path_factory.getbasetemp() / f"damaged-{part}", part, data)
