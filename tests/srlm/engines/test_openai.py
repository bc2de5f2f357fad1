"""The OpenAI protocol: request bodies and token probabilities."""

import math

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")
from helpers.remote_engines import CHOICE, FREE, opened
from helpers.servers import Server, preference
from srlm.engines import openai
from srlm.types import Completion


def test_openai_gives_renormalised_probabilities(server: Server) -> None:
    (reply,) = next(opened(server).run([[CHOICE]])).replies
    assert isinstance(reply, Completion)
    first = preference([{"role": "user", "content": "A or B?"}])
    assert reply.probabilities == pytest.approx((first, 1 - first))
    assert reply.finish == "stop"
    assert server.log[0].body["max_tokens"] == 1
    assert server.log[0].body["logprobs"] is True


def test_probabilities_of_other_tokens_are_left_out() -> None:
    top = [
        openai.Alternative(token, logprob) for token, logprob in (("A", -0.51), (" B", -1.61), ("B", -3.0), ("x", -4.0))
    ]
    found, mass = openai.choice_probabilities(("A", "B"), tuple(top))
    a, b = math.exp(-0.51), math.exp(-1.61) + math.exp(-3.0)
    assert found == pytest.approx((a / (a + b), b / (a + b)))
    assert mass == pytest.approx(a + b)
    assert openai.choice_probabilities(("C", "D"), tuple(top)) == (None, 0.0)


def test_openai_gives_text_with_the_sampling_asked_for(server: Server) -> None:
    (reply,) = next(opened(server).run([[FREE]])).replies
    assert isinstance(reply, Completion)
    assert reply.text in {"A", "B"}
    assert (reply.finish, reply.prompt_tokens, reply.completion_tokens, reply.probabilities) == ("stop", 4, 1, None)
    body = server.log[0].body
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["stop"]) == (0.7, 0.9, 16, ["x"])
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say A."}]
