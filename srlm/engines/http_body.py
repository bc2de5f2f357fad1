"""The body of a reply: read within a limit, and turned into JSON or into the reason why it is none."""

import json
import re
import zlib
from typing import Any

from srlm.engines.server_messages import message_of

MOST_BYTES = 16 << 20
"""Of a body, decompressed. The longest answers of models in use are some 100,000 tokens, a megabyte at the most."""

ENCODINGS = "gzip, deflate"
"""What is asked for and can be decompressed within a limit."""


class BodyTooLong(Exception):
    """A reply is longer than any answer."""


class WrongShape(Exception):
    """A reply came whole and is not of the protocol's shape. `detail` says in what."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NoAnswer(Exception):
    """A reply of the right shape has no answer in it. `again` says whether asking again may help."""

    def __init__(self, detail: str, *, again: bool) -> None:
        super().__init__(detail)
        self.detail, self.again = detail, again


class ErrorInside(Exception):
    """A reply with HTTP status 200 that holds an error instead of an answer; `status` is the error's, if it has one."""

    def __init__(self, status: int | None, body: Any) -> None:
        super().__init__("an error with HTTP status 200")
        self.status, self.body = status, body


class CutBody(Exception):
    """A compressed body that ended too early or is broken."""


async def read_within(response: Any) -> None:
    """Read a response before the client does; a hook of the client's. Longer ones are given up where the limit is.

    Raises:
        BodyTooLong: it is longer than `MOST_BYTES`.
        CutBody: it cannot be decompressed.
    """
    import httpx2

    # Of the raw headers: looking one up by name decodes all of them, which is a twentieth of the work of a call.
    found = (value for name, value in response.headers.raw if name.lower() == b"content-encoding")
    stream, encoding = response.stream, next(found, b"").decode("latin-1").strip().lower()
    inflate = _Inflate() if encoding in {"gzip", "x-gzip", "deflate"} else None
    if inflate is None and encoding not in {"", "identity"}:
        await stream.aclose()
        raise CutBody
    pieces: list[bytes] = []
    size = 0
    try:
        async for chunk in stream:
            piece = inflate(chunk, MOST_BYTES + 1 - size) if inflate else chunk
            size += len(piece)
            if size > MOST_BYTES:
                raise BodyTooLong
            pieces.append(piece)
    finally:
        await stream.aclose()
    if inflate is not None:
        if size and not inflate.ended:
            raise CutBody
        del response.headers["content-encoding"]
    response.stream = httpx2.ByteStream(b"".join(pieces))


class _Inflate:
    """Decompresses gzip and both kinds of what is called deflate."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(47)
        self._first = True

    @property
    def ended(self) -> bool:
        return self._zlib.eof

    def __call__(self, chunk: bytes, most: int) -> bytes:
        try:
            piece = self._zlib.decompress(chunk, most)
        except zlib.error:
            if not self._first:
                raise CutBody from None
            self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                piece = self._zlib.decompress(chunk, most)
            except zlib.error:
                raise CutBody from None
        self._first = False
        return piece


def json_of(response: Any) -> dict[str, Any]:
    """The JSON of a reply with status 200.

    Raises:
        WrongShape: the body is whole and something else.
        ErrorInside: it holds an error.
        json.JSONDecodeError: it was cut, or is no JSON.
    """
    content: bytes = response.content
    try:
        body = json.loads(content)
    except UnicodeDecodeError:
        body = _loads(response.text, response)
    except (ValueError, RecursionError):
        body = _loads(content.decode("utf-8-sig", "replace"), response)
    if not isinstance(body, dict):
        raise WrongShape("the reply is no JSON object")
    if body.get("error") and not body.get("choices") and not body.get("content"):
        raise error_inside(body)
    return body


def error_inside(body: dict[str, Any]) -> ErrorInside:
    """The error that a reply, or one of its choices, holds."""
    error = body["error"]
    codes = [str(error.get(name)) for name in ("code", "status")] if isinstance(error, dict) else []
    status = next((int(code) for code in codes if re.fullmatch("[3-9][0-9][0-9]", code)), None)
    return ErrorInside(status, {"error": error})


def _loads(text: str, response: Any) -> Any:
    kind = response.headers.get("content-type", "").lower()
    start = text.lstrip()
    if start.startswith("<") or "html" in kind:
        raise WrongShape(message_of(text if start.startswith("<") else f"<{text}"))
    if start.startswith(("data:", "event:", ": ")) or "event-stream" in kind:
        raise WrongShape("a stream of events, which was not asked for")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError):
        raise WrongShape("JSON with numbers or nesting beyond any use") from None
