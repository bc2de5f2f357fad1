"""Small valid files, damaged at random: bytes that change, are lost or come in, and values of JSON that become others.

A reader of files answers any of them with a `SrlmError`, or reads it; `refused_or_read` says so.
"""

import gzip
import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from srlm.errors import SrlmError

ODD_BYTES = [
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x1f\x8b",
    b"\xe2\x80\xa8",
    b"\\ud800",
    b"NaN",
    b"1e999",
    b"9" * 5000,
    b"[" * 2000,
    b'{"a":' * 2000,
    b"{",
    b"}",
    b'"',
    b",",
    b"\n",
    b"\r",
    b"&a [*a]",
    b": 2024-13-01",
]
"""What other files have had where nobody expected it."""

ODD_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "None",
    "half \ud83d",
    "line\u2028end",
    "x" * 1000,
    [],
    [None],
    {},
    {"": None},
    {"0": {"a": 1}},
]


@st.composite
def mutated(draw: Any, data: bytes) -> bytes:
    """Bytes that were changed in up to three places, or packed."""
    for _ in range(draw(st.integers(1, 3))):
        place, length = draw(st.integers(0, len(data))), draw(st.integers(0, 12))
        put = draw(st.sampled_from(ODD_BYTES) | st.binary(max_size=4) | st.just(b""))
        data = data[:place] + put + data[place + length :]
    form = draw(st.sampled_from(["", "", "", "gzip", "cut", "utf-16"]))
    if form == "utf-16":
        return data.decode(errors="replace").encode(form)
    if form:
        data = gzip.compress(data, compresslevel=1)
    return data[: len(data) // 2] if form == "cut" else data


@st.composite
def changed(draw: Any, data: Any) -> Any:
    """JSON data in which one value became another, was left out, or came a second time."""
    if not isinstance(data, dict | list) or not data or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(ODD_VALUES))
    key = draw(st.sampled_from(list(data) if isinstance(data, dict) else range(len(data))))
    way = draw(st.sampled_from(["deeper", "deeper", "deeper", "out", "again"]))
    if isinstance(data, dict):
        rest = {one: value for one, value in data.items() if one != key}
        if way == "out":
            return rest
        return {**data, key: draw(changed(data[key]))} if way == "deeper" else {**rest, f"{key}2": data[key]}
    if way == "deeper":
        return [*data[:key], draw(changed(data[key])), *data[key + 1 :]]
    return [*data[:key], *([data[key]] * 2 if way == "again" else []), *data[key + 1 :]]


def lines(records: list[Any]) -> bytes:
    """Records as JSON Lines, as another tool may have written them: NaN and halves of characters included."""
    return "".join(json.dumps(one) + "\n" for one in records).encode()


def damaged_lines(records: list[Any]) -> st.SearchStrategy[bytes]:
    """The bytes of a file of JSON Lines in which something is odd."""
    return mutated(lines(records)) | changed(records).map(
        lambda odd: lines(odd) if isinstance(odd, list) else json.dumps(odd).encode()
    )


def damaged_json(data: Any) -> st.SearchStrategy[bytes]:
    """The bytes of a file of one JSON value in which something is odd."""
    return mutated(json.dumps(data).encode()) | changed(data).map(lambda odd: json.dumps(odd).encode())


def refused_or_read(read: Callable[[], Any]) -> str | None:
    """The words with which something is refused; None where it was read. Any other error is let through."""
    try:
        read()
    except SrlmError as error:
        message = str(error)
        assert len(message) < 3000, message[:300]
        return message
    return None
