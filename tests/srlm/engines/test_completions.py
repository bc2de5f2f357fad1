"""Parsing of real servers' replies: finish reasons, reasoning, token counts, replies without an answer."""

import gzip
import json
import math
import tracemalloc
import zlib
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from helpers.servers import Odd, blocks, chat, serving
from srlm.engines import http_body as body_module
from srlm.engines.client_config import ClientConfig
from srlm.engines.completions import encodable
from srlm.engines.open import open_engine
from srlm.errors import EngineError
from srlm.types import Completion, Failed, Message, Reply, Request, Sampling

FREE = Request((Message("user", "Say A."),), Sampling(0.7, 0.9, 16))
CHOICE = Request((Message("user", "A or B?"),), choices=("A", "B"))
THINKING = Request((Message("user", "A or B?"),), Sampling(0.7, 0.9, 400), choices=("A", "B"))


def asked(
    data: Any,
    request: Request = FREE,
    protocol: str = "openai",
    said: list[str] | None = None,
    headers: Any = (),
    status: int = 200,
    attempts: int | None = None,
) -> Reply:
    """The reply of a server that always sends the same body."""
    with serving(odd=lambda body: Odd(data, status, headers)) as server:
        say = (said if said is not None else []).append
        client = ClientConfig(timeout=4.0, initial_backoff=0.001, max_backoff=0.002, warn=say)
        (done,) = open_engine(server.spec(protocol, "m"), client=client).run([[request]], lambda: None)
        if attempts is not None:
            assert len(server.log) == attempts
    return done.replies[0]


def answered(data: Any, request: Request = FREE, protocol: str = "openai", **rest: Any) -> Completion:
    reply = asked(data, request, protocol, **rest)
    assert isinstance(reply, Completion), reply
    return reply


def likely(*tokens: tuple[str, float], content: str = "A", **message: Any) -> dict[str, Any]:
    """A reply with the probabilities of the alternatives of its first token."""
    reply = chat(content, "length", **message)
    top = [{"token": token, "logprob": math.log(mass)} for token, mass in tokens]
    reply["choices"][0]["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    return reply


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"),
        ("STOP", "stop"),
        ("eos", "stop"),
        ("COMPLETE", "stop"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("content_filter", "cut"),
        ("SAFETY", "cut"),
        ("tool_calls", "cut"),
        (None, "cut"),
        (3, "cut"),
    ],
)
def test_only_known_words_mean_an_end(reason: Any, finish: str) -> None:
    assert answered(chat("So far", reason)).finish == finish


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "cut"),
        ("pause_turn", "cut"),
    ],
)
def test_only_known_words_mean_an_end_for_anthropic(reason: str, finish: str) -> None:
    assert answered(blocks({"type": "text", "text": "So far"}, stop=reason), protocol="anthropic").finish == finish


def test_a_choice_ends_with_its_one_token_unless_a_filter_ended_it() -> None:
    assert answered(likely(("A", 0.6), ("B", 0.4)), CHOICE).finish == "stop"
    cut = likely(("A", 0.6), ("B", 0.4))
    cut["choices"][0]["finish_reason"] = "content_filter"
    assert answered(cut, CHOICE).finish == "cut"


@pytest.mark.parametrize(
    ("data", "attempts", "words"),
    [
        (chat(None, "content_filter"), 1, "content_filter"),
        (chat("", "stop"), 3, "empty"),
        (chat(None, "tool_calls", tool_calls=[{"id": "1"}]), 1, "tool_calls"),
        (chat("", "error"), 3, "error on the server"),
        (chat("Half of", "error"), 3, "error on the server"),
        (chat("", "length"), 1, "length"),
    ],
)
def test_a_reply_without_an_answer_is_a_failed_call(data: Any, attempts: int, words: str) -> None:
    reply = asked(data, attempts=attempts)
    assert isinstance(reply, Failed)
    assert words in reply.reason


@pytest.mark.parametrize("stop", ["end_turn", "refusal"])
def test_anthropics_reply_without_an_answer_is_a_failed_call(stop: str) -> None:
    assert isinstance(asked(blocks(stop=stop), protocol="anthropic"), Failed)


def test_the_words_of_a_refusal_are_the_answer() -> None:
    assert answered(chat(None, refusal="I cannot help with that.")).text == "I cannot help with that."


def test_content_may_be_a_list_of_parts() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Yes."}]
    reply = answered(chat(parts))
    assert (reply.text, reply.thoughts) == ("Yes.", "Hm.")


@pytest.mark.parametrize(
    ("message", "thoughts"),
    [
        ({"reasoning_content": "Score: 1?"}, "Score: 1?"),
        ({"reasoning": "Score: 1?"}, "Score: 1?"),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "Score: 1?"}]}, "Score: 1?"),
        ({"reasoning_details": [{"type": "reasoning.summary", "summary": "Short."}]}, "Short."),
        ({"content": "<think>\nScore: 1\n</think>\n\nScore: 4"}, "<think>\nScore: 1\n</think>\n\n"),
        ({"content": "Score: 1\n</think>\nScore: 4"}, "Score: 1\n</think>\n"),
    ],
)
def test_thoughts_are_kept_apart(message: dict[str, Any], thoughts: str) -> None:
    reply = answered(chat(**{"content": "Score: 4", **message}))
    assert (reply.text, reply.thoughts, reply.written) == ("Score: 4", thoughts, None)


def test_anthropics_thoughts_are_kept_apart() -> None:
    thought = {"type": "thinking", "thinking": "Score: 1", "signature": "x"}
    reply = answered(
        blocks(thought, {"type": "text", "text": None}, {"type": "text", "text": "Score: 4"}), protocol="anthropic"
    )
    assert (reply.text, reply.thoughts) == ("Score: 4", "Score: 1")


def test_thoughts_up_to_the_limit_are_an_answer_without_words() -> None:
    reply = answered(chat("", "length", reasoning_content="It may be that"))
    assert (reply.text, reply.thoughts, reply.finish) == ("", "It may be that", "length")


# --- choices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", " ", "\u2581", "\u0120", "\n"])
@pytest.mark.parametrize("lower", [False, True])
def test_a_choice_is_found_whatever_a_vocabulary_writes_before_it(before: str, lower: bool) -> None:
    names = ("a", "b") if lower else ("A", "B")
    reply = answered(likely((before + names[0], 0.6), (before + names[1], 0.2), ("x", 0.1)), CHOICE)
    assert reply.probabilities == pytest.approx((0.75, 0.25))
    assert reply.mass == pytest.approx(0.8)


def test_small_letters_that_are_a_choice_of_their_own_are_no_other() -> None:
    request = Request((Message("user", "a or A?"),), choices=("a", "A"))
    assert answered(likely(("a", 0.6), ("A", 0.2)), request).probabilities == pytest.approx((0.75, 0.25))


def test_the_mass_tells_that_neither_choice_was_meant() -> None:
    reply = answered(likely(("<think>", 0.999), ("A", 2e-5), ("B", 1e-5), content="<think>"), CHOICE)
    assert reply.mass == pytest.approx(3e-5)
    assert (reply.text, reply.thoughts) == ("", "<think>")


@pytest.mark.parametrize(
    "data",
    [
        likely(("Okay", 0.9), ("A", 0.08), content="B", reasoning_content="Okay, so"),
        likely(("Okay", 0.9), ("A", 0.08), content="Okay</think>B"),
        likely(("<think>", 0.9), ("A", 0.08), content="<think>So.</think>B"),
    ],
)
def test_probabilities_of_a_thought_are_no_choice(data: Any) -> None:
    reply = answered(data, CHOICE)
    assert (reply.text, reply.probabilities, reply.mass) == ("B", None, None)


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_a_choice_with_room_to_think_is_a_vote_in_words(protocol: str) -> None:
    sent: list[dict[str, Any]] = []
    words = "<think>A? No.</think>B"

    def odd(body: dict[str, Any]) -> Odd:
        sent.append(body)
        return Odd(chat(words) if protocol == "openai" else blocks({"type": "text", "text": words}))

    with serving(odd=odd) as server:
        (done,) = open_engine(server.spec(protocol, "m")).run([[THINKING]], lambda: None)
    (reply,) = done.replies
    assert isinstance(reply, Completion)
    assert (reply.text, reply.thoughts, reply.probabilities) == ("B", "<think>A? No.</think>", None)
    assert sent[0]["max_tokens"] == 400
    assert "logprobs" not in sent[0]


def test_a_probability_of_nothing_is_one() -> None:
    reply = chat("A", "length")
    top = '[{"token": "A", "logprob": -0.1}, {"token": "B", "logprob": -Infinity}]'
    reply["choices"][0]["logprobs"] = {"content": [{"top_logprobs": json.loads(top)}]}
    assert answered(reply, CHOICE).probabilities == (1.0, 0.0)


# --- counts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (None, (0, 0)),
        ({}, (0, 0)),
        ([], (0, 0)),
        ({"prompt_tokens": 5}, (5, 0)),
        ({"prompt_tokens": 5.0, "completion_tokens": "4"}, (5, 4)),
        ({"prompt_tokens": 5.5, "completion_tokens": True}, (0, 0)),
        ({"prompt_tokens": "many", "completion_tokens": None}, (0, 0)),
    ],
)
def test_an_answer_is_kept_whatever_its_usage_is(usage: Any, counts: tuple[int, int]) -> None:
    said: list[str] = []
    reply = answered(chat(usage=usage), said=said)
    assert (reply.prompt_tokens, reply.completion_tokens) == counts
    assert ("their cost is unknown" in "".join(said)) == (0 in counts)


@pytest.mark.parametrize("count", [-1, 10**20, 2**63 - 1, 2**53, 1e300, "9" * 30])
def test_a_count_that_is_none_is_a_malformed_reply(count: Any) -> None:
    with pytest.raises(EngineError, match=r"usage\.prompt_tokens is no number of tokens"):
        asked(chat(usage={"prompt_tokens": count, "completion_tokens": 1}))


# --- bodies -----------------------------------------------------------------------------------------------------------


def test_a_compressed_answer_is_read() -> None:
    raw = json.dumps(chat("Yes.")).encode()
    plain = zlib.compressobj(wbits=-15)
    for encoding, data in [
        ("gzip", gzip.compress(raw)),
        ("deflate", zlib.compress(raw)),
        ("deflate", plain.compress(raw) + plain.flush()),
    ]:
        assert answered(data, headers=(("Content-Encoding", encoding),)).text == "Yes."


@pytest.mark.parametrize("compressed", [True, False])
def test_a_body_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch, compressed: bool) -> None:
    monkeypatch.setattr(body_module, "MAX_BYTES", 1 << 20)
    raw = b'{"choices": [{"message": {"content": "' + b"x" * (64 << 20 if compressed else 4 << 20)
    data = gzip.compress(raw, 1) if compressed else raw
    del raw
    tracemalloc.start()
    try:
        reply = asked(data, headers=(("Content-Encoding", "gzip"),) if compressed else (), attempts=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(reply, Failed)
    assert "too long" in reply.reason
    assert peak < 16 << 20


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<!DOCTYPE html><html><title>Sign in</title></html>", r"an HTML page \(Sign in\)"),
        (b"data: {}\n\ndata: [DONE]\n\n", "a stream of events"),
        ({"choices": None}, "choices is null"),
        ({"choices": []}, "choices is empty"),
        ({"object": "list"}, "choices is missing"),
        ([], "no JSON object"),
        ({"choices": [{"text": "x"}]}, "no message"),
        (b"[" * 100_000, "nesting"),
    ],
)
def test_a_whole_reply_of_another_shape_ends_the_command_at_once(data: Any, words: str) -> None:
    with pytest.raises(EngineError, match=f"not in the protocol 'openai': .*{words}"):
        asked(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + json.dumps(chat("Yes.")).encode(),
        b"\n" * 2000 + json.dumps(chat("Yes.")).encode(),
        json.dumps(chat("Tr\u00e8s bien."), ensure_ascii=False).encode("latin-1"),
        json.dumps(chat("Yes.")).encode().replace(b'"id": "1"', b'"created": NaN'),
    ],
)
def test_an_answer_in_an_odd_wrapping_is_read(data: bytes) -> None:
    assert answered(data, headers=(("Content-Type", "text/plain; charset=iso-8859-1"),)).text in {
        "Yes.",
        "Tr\u00e8s bien.",
    }


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"message": "Insufficient balance", "code": 402}, "no credit left .*HTTP 402: Insufficient balance"),
        ({"message": "bad key", "code": 401}, "refuses the key .*bad key"),
        ({"message": "no", "code": "403"}, "forbids these calls"),
    ],
)
def test_an_error_with_status_200_is_what_its_code_says(error: Any, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        asked({"error": error})
    with pytest.raises(EngineError, match=words):
        asked({**chat("", "error"), "error": error})


def test_an_error_with_status_200_may_pass() -> None:
    replies = [{"error": {"message": "Provider returned error", "code": 524}}, chat("Yes.")]
    with serving(odd=lambda body: Odd(replies.pop(0))) as server:
        client = ClientConfig(timeout=4.0, initial_backoff=0.001)
        (done,) = open_engine(server.spec("openai", "m"), client=client).run([[FREE]], lambda: None)
    assert done.failed_attempts == ("HTTP 524",)
    assert isinstance(done.replies[0], Completion)


def test_blanks_behind_a_thought_that_the_server_parted_are_no_part_of_the_answer() -> None:
    reply = answered(chat("\n\nScore: 4", reasoning_content="Score: 2?"))
    assert (reply.text, reply.thoughts, reply.written) == ("Score: 4", "Score: 2?\n\n", None)


def test_a_mark_that_the_server_swallowed_is_seen_in_the_alternatives() -> None:
    """The parsers of vLLM leave nothing of a first token that opens the reasoning."""
    data = likely(("<think>", 0.9999), ("The", 0.0001), content="")
    reply = answered(data, CHOICE)
    assert (reply.text, reply.thoughts, reply.probabilities, reply.finish) == ("", "<think>", None, "stop")


def test_half_of_a_surrogate_pair_becomes_text_that_can_be_written() -> None:
    assert encodable("cut \ud83d").encode() == b"cut ?"
