"""Read the body of a reply within a size limit and parse its JSON."""

import json
import re
import zlib
from typing import Any

from srlm.engines.server_messages import find_message

MAX_BYTES = 16 << 20
"""Limit of a decompressed body. The longest answers of models in use, 100,000 tokens, take about a megabyte."""

ENCODINGS = "gzip, deflate"
"""Accepted encodings: those that can be decompressed within a limit."""


class BodyTooLong(Exception):
    """A reply is longer than any answer."""


class UnexpectedShape(Exception):
    """A reply is complete but not of the protocol's shape. `detail` describes the difference."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NoAnswer(Exception):
    """A reply of the right shape has no answer. `retryable`: another attempt may get one."""

    def __init__(self, detail: str, *, retryable: bool) -> None:
        super().__init__(detail)
        self.detail, self.retryable = detail, retryable


class EmbeddedError(Exception):
    """A reply with HTTP status 200 holds an error instead of an answer; `status` is the error's, if it has one."""

    def __init__(self, status: int | None, body: Any) -> None:
        super().__init__("an error with HTTP status 200")
        self.status, self.body = status, body


class TruncatedBody(Exception):
    """A compressed body ends too early or is damaged."""


async def read_limited(response: Any) -> None:
    """Read a response up to `MAX_BYTES`; a response hook of the HTTP client, which runs before the client reads it.

    Raises:
        BodyTooLong: the body exceeds `MAX_BYTES`.
        TruncatedBody: the body cannot be decompressed.
    """
    import httpx2

    # From the raw headers: a lookup by name decodes all of them, which is a twentieth of the CPU time of a call.
    found = (value for name, value in response.headers.raw if name.lower() == b"content-encoding")
    stream, encoding = response.stream, next(found, b"").decode("latin-1").strip().lower()
    inflate = _Inflate() if encoding in {"gzip", "x-gzip", "deflate"} else None
    if inflate is None and encoding not in {"", "identity"}:
        await stream.aclose()
        raise TruncatedBody
    pieces: list[bytes] = []
    size = 0
    try:
        async for chunk in stream:
            piece = inflate(chunk, MAX_BYTES + 1 - size) if inflate else chunk
            size += len(piece)
            if size > MAX_BYTES:
                raise BodyTooLong
            pieces.append(piece)
    finally:
        await stream.aclose()
    if inflate is not None:
        if size and not inflate.ended:
            raise TruncatedBody
        del response.headers["content-encoding"]
    response.stream = httpx2.ByteStream(b"".join(pieces))


class _Inflate:
    """A streaming decompressor for gzip and for both formats that servers call deflate."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(47)
        self._first = True

    @property
    def ended(self) -> bool:
        return self._zlib.eof

    def __call__(self, chunk: bytes, max_bytes: int) -> bytes:
        try:
            piece = self._zlib.decompress(chunk, max_bytes)
        except zlib.error:
            if not self._first:
                raise TruncatedBody from None
            self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                piece = self._zlib.decompress(chunk, max_bytes)
            except zlib.error:
                raise TruncatedBody from None
        self._first = False
        return piece


def parse_json(response: Any) -> dict[str, Any]:
    """Parse the JSON object of a reply with status 200.

    Raises:
        UnexpectedShape: the body is complete but something else.
        EmbeddedError: the object holds an error.
        json.JSONDecodeError: the body is truncated, or is not JSON.
    """
    content: bytes = response.content
    try:
        body = json.loads(content)
    except UnicodeDecodeError:
        body = _parse_text(response.text, response)
    except (ValueError, RecursionError):
        body = _parse_text(content.decode("utf-8-sig", "replace"), response)
    if not isinstance(body, dict):
        raise UnexpectedShape("the reply is no JSON object")
    if body.get("error") and not body.get("choices") and not body.get("content"):
        raise embedded_error(body)
    return body


def embedded_error(body: dict[str, Any]) -> EmbeddedError:
    """Return the error that a reply, or one of its choices, holds."""
    error = body["error"]
    codes = [str(error.get(name)) for name in ("code", "status")] if isinstance(error, dict) else []
    status = next((int(code) for code in codes if re.fullmatch("[3-9][0-9][0-9]", code)), None)
    return EmbeddedError(status, {"error": error})


def _parse_text(text: str, response: Any) -> Any:
    kind = response.headers.get("content-type", "").lower()
    start = text.lstrip()
    if start.startswith("<") or "html" in kind:
        raise UnexpectedShape(find_message(text if start.startswith("<") else f"<{text}"))
    if start.startswith(("data:", "event:", ": ")) or "event-stream" in kind:
        raise UnexpectedShape("a stream of events, which was not requested")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError):
        raise UnexpectedShape("JSON with too long numbers or too deep nesting") from None
