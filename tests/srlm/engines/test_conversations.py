"""Requests with a system message and several turns, as each engine gives them to its model."""

import json
from pathlib import Path

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")
pytest.importorskip("torch")
from helpers.conversation_styles import CONVERSATION_STYLES, style_checkpoint
from helpers.remote_engines import opened
from helpers.servers import Server
from helpers.tiny_models import replies
from srlm.engines.hf import HFEngine
from srlm.errors import EngineError
from srlm.types import Completion, Message, Request, Sampling

TURNS = (Message("user", "Name one."), Message("assistant", "A."), Message("user", "Say A."))
SYSTEM = Message("system", "Be brief.")
SAMPLING = Sampling(0.7, 0.9, 16)
AS_JSON = [{"role": one.role, "content": one.content} for one in TURNS]


def test_openai_gets_every_message_in_its_place(server: Server) -> None:
    (reply,) = next(opened(server).run([[Request((SYSTEM, *TURNS), SAMPLING)]])).replies
    assert isinstance(reply, Completion)
    assert server.log[0].body["messages"] == [{"role": "system", "content": "Be brief."}, *AS_JSON]


@pytest.mark.parametrize("system", [(), (SYSTEM,)])
def test_anthropic_gets_the_system_message_apart_and_turns_that_alternate(
    server: Server, system: tuple[Message, ...]
) -> None:
    (reply,) = next(opened(server, "anthropic").run([[Request((*system, *TURNS), SAMPLING)]])).replies
    assert isinstance(reply, Completion)
    body = server.log[0].body
    assert body["messages"] == AS_JSON
    assert body.get("system") == ("Be brief." if system else None)


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_calls_that_differ_in_their_context_are_different_calls(server: Server, protocol: str) -> None:
    contexts = [(), TURNS[:2], (SYSTEM,), (SYSTEM, *TURNS[:2])]
    batches = [[Request((*context, TURNS[2]), SAMPLING)] for context in contexts]
    assert len(list(opened(server, protocol).run(batches))) == 4
    asked = {json.dumps([one.body["messages"], one.body.get("system")]) for one in server.log}
    assert len(asked) == 4


@pytest.mark.parametrize("name", CONVERSATION_STYLES)
def test_a_local_model_answers_conversations_or_says_what_its_template_refuses(name: str, tmp_path: Path) -> None:
    engine = HFEngine(style_checkpoint(tmp_path, name), name="tiny", device="cpu", dtype="float32")
    requests = [Request(TURNS, SAMPLING), Request(TURNS[2:], SAMPLING)]
    if CONVERSATION_STYLES[name].system:
        requests.append(Request((SYSTEM, *TURNS), SAMPLING))
    else:
        with pytest.raises(EngineError, match="tiny refuses these messages: System role not supported"):
            engine.plan([Request((SYSTEM, *TURNS), SAMPLING)])
    lengths = [one.prompt_tokens for one in replies(engine, requests)]
    assert lengths[1] < lengths[0]
    assert len(lengths) == 2 or lengths[0] < lengths[2]
