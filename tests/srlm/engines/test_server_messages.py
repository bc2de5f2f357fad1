"""Messages of servers as they are shown: short, on one line, without secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.engines.server_messages import MAX_SHOWN, find_message, parse_body, safe_to_show
from srlm.redact import HIDDEN

KEY = "sk-own-0123456789-abcdefghij"


@pytest.mark.parametrize(
    "words",
    [
        f"wrong key {KEY}.",
        f"wrong key {KEY[:12]}",
        f"it ends with {KEY[-9:]}",
        f"{KEY[:2]}\u200b{KEY[2:]}",
        f"key={KEY[:4]}****{KEY[-4:]}",
        f"Incorrect API key provided: {KEY[:4]}...{KEY[-4:]}",
        f"\x1b[31m{KEY}\x1b[0m",
    ],
)
def test_no_piece_of_the_key_is_shown(words: str) -> None:
    told = safe_to_show(words, [KEY])
    assert HIDDEN in told
    assert not any(KEY[start : start + 8] in told for start in range(len(KEY) - 7))
    assert KEY[-4:] not in told


@pytest.mark.parametrize(
    "words",
    [
        "Authorization: Bearer abcdef123456",
        "api_key=abcdef123456",
        '{"password": "abcdef123456"}',
        "x-api-key: abcdef123456",
        "used sk-abcdef123456abcdef123456",
    ],
)
def test_no_other_key_is_shown_either(words: str) -> None:
    assert "abcdef123456" not in safe_to_show(words, [])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("a\r\nb\tc", "a b c"),
        ("\x1b]0;title\x07plain", "plain"),
        ("\x1b[2J\x1b[1;1Hplain\x9b31m", "plain"),
        ("left\u202eright\u2066", "leftright"),
        ("::error::x\n::set", "::error::x ::set"),
        ("Loading... please wait", "Loading... please wait"),
        ("max_tokens: 5000 is too large", "max_tokens: 5000 is too large"),
    ],
)
def test_words_are_one_line_without_orders_to_a_terminal(words: str, told: str) -> None:
    assert safe_to_show(words, [KEY, ""]) == told


@given(st.text(max_size=600))
def test_any_words_are_short_and_printable(words: str) -> None:
    told = safe_to_show(words, [KEY])
    assert len(told) <= MAX_SHOWN
    assert told.isprintable()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "m", "code": 4}}', "m"),
        (b'{"message": "m"}', "m"),
        (b'{"detail": [{"loc": ["body", "x"], "msg": "m"}]}', "m"),
        (b'{"error": "m"}', "m"),
        (b'[{"error": {"message": "m"}}]', "m"),
        (b"m", "m"),
        (b"<html><title>m</title></html>", "an HTML page (m)"),
        (b"", ""),
        (b"\xff", "\ufffd"),
        (b"[" * 100_000, "[" * 20_000),
    ],
)
def test_the_message_is_found_in_any_shape(body: bytes, message: str) -> None:
    assert find_message(parse_body(body)) == message
