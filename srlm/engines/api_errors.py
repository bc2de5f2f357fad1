"""Why an attempt failed, whether to ask again, and what the server said of it.

A reason is a type and a status, so that attempts can be counted by it. The words of the server stand beside it, where
they are shown: shortened, and without any secret (`srlm.engines.server_messages`).
"""

import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from srlm.engines.http_body import BodyTooLong, ErrorInside, NoAnswer, WrongShape
from srlm.engines.server_messages import codes_of, is_page, message_of, parsed, shown, strings_in

PASSING = frozenset({408, 409, 425, 429})
"""Statuses of a client's mistake that pass by themselves; so do all of a server's, 500 and above."""

MALFORMED = "cut or malformed body"
CERTIFICATE = "certificate not verified"
EMPTY = "no answer in the reply"

TRIES = 3
"""Attempts of a call whose reply is whole, and of no use: that is an accident once, and a habit the third time."""

_UNREACHED = frozenset({"ClientConnectorError", "ConnectionTimeoutError"})
_UNTRUSTED = frozenset({"ClientConnectorCertificateError", "SSLCertVerificationError"})
_CUT = frozenset({"ClientPayloadError", "ClientResponseError", "DecodingError", "CutBody"})
_RESET = frozenset({"ClientOSError", "ServerDisconnectedError"})
"""Kinds of errors by their names in aiohttp: the SDKs above it call a lost connection a time-out, or one never made."""

_NO_MONEY = re.compile(
    r"insufficient[_ ](?:quota|balance|credits?|funds)|credit balance|no credits?\b|out of credits|billing"
    r"|(?:quota|credits?|balance).{0,40}(?:used up|exhausted|too low|depleted)|payment required"
    r"|exceeded your current quota|no (?:credits?|balance|money) left",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model_not_found|model .{0,120}(?:does not exist|not found|not exist)|no such model|unknown model|invalid model\b",
    re.IGNORECASE,
)


class Fault(Exception):
    """An attempt that failed.

    `again` says whether another attempt may succeed, at most `tries` times where that is a number; `wait` the seconds
    that the server wants to be left alone; `paid` whether the call may have been billed all the same. `words` are the
    server's, fit to be shown; `body` is the whole of them, and is not.
    """

    def __init__(
        self,
        reason: str,
        *,
        again: bool,
        paid: bool,
        wait: float = 0.0,
        status: int | None = None,
        words: str = "",
        tries: int | None = None,
        body: Any = None,
    ) -> None:
        super().__init__(reason)
        self.reason, self.again, self.paid, self.wait, self.status = reason, again, paid, wait, status
        self.words, self.tries, self.body = words, tries, body

    @property
    def told(self) -> str:
        """The reason, with the server's words."""
        return f"{self.reason}: {self.words}" if self.words else self.reason

    @property
    def no_money(self) -> bool:
        """Whether the account has nothing left to pay with."""
        return self.status == 402 or (self.status in {400, 403, 429} and _says(self.body, _NO_MONEY))

    @property
    def no_model(self) -> bool:
        """Whether the server knows no model of that name, or nothing at that address."""
        return self.status == 404 or (self.status == 400 and _says(self.body, _NO_MODEL))

    @property
    def page(self) -> bool:
        """Whether a page for people came in place of an error."""
        return is_page(self.body)


def fault_of(error: Exception, sdk: Any, secrets: Sequence[str] = ()) -> Fault:
    """What an exception means that a call through an SDK raised. Both SDKs name their errors alike."""
    if isinstance(error, sdk.APIStatusError):
        body = parsed(getattr(error.response, "content", b""))
        wait = retry_after(error.response.headers.get("retry-after"), datetime.now(UTC))
        return _refused(int(error.status_code), body, secrets, wait)
    return _of_reply(error, sdk, secrets) or _of_connection(error, sdk)


def _of_reply(error: Exception, sdk: Any, secrets: Sequence[str]) -> Fault | None:
    """Of a reply that came with status 200; None if none did."""
    from pydantic import ValidationError

    if isinstance(error, ErrorInside):
        words = _words(error.body, secrets)
        if error.status is None:
            return Fault("an error with HTTP 200", again=True, paid=True, words=words, tries=TRIES, body=error.body)
        return _refused(error.status, error.body, secrets, 0.0)
    if isinstance(error, WrongShape):
        return Fault(MALFORMED, again=True, paid=True, words=shown(error.detail, secrets), tries=TRIES)
    if isinstance(error, NoAnswer):
        return Fault(EMPTY, again=error.again, paid=True, words=shown(error.detail, secrets), tries=TRIES)
    if isinstance(error, BodyTooLong):
        return Fault("reply too long", again=False, paid=True, words="longer than any answer, and given up")
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return Fault(MALFORMED, again=True, paid=True)
    if isinstance(error, ValidationError | sdk.APIResponseValidationError):
        return Fault(MALFORMED, again=True, paid=True, words="a part of it is of another shape", tries=TRIES)
    return None


def _of_connection(error: Exception, sdk: Any) -> Fault:
    """Of a call that had no whole reply."""
    kinds = _kinds(error)
    if kinds & _UNTRUSTED:
        return Fault(CERTIFICATE, again=False, paid=False)
    if kinds & _UNREACHED:
        return Fault("no connection", again=True, paid=False)
    if kinds & _CUT:
        return Fault(MALFORMED, again=True, paid=True)
    if kinds & _RESET:
        return Fault("connection reset", again=True, paid=True)
    if isinstance(error, TimeoutError | sdk.APITimeoutError):
        return Fault("timeout", again=True, paid=True)
    if isinstance(error, sdk.APIConnectionError):
        return Fault("connection broken", again=True, paid=True)
    # Anything else is a call that this library or the SDK cannot make; the next attempt would end alike.
    return Fault(type(error).__name__, again=False, paid=False)


def _refused(status: int, body: Any, secrets: Sequence[str], wait: float) -> Fault:
    again = status in PASSING or status >= 500
    words = _words(body, secrets)
    return Fault(f"HTTP {status}", again=again, paid=False, wait=wait, status=status, words=words, body=body)


def _words(body: Any, secrets: Sequence[str]) -> str:
    """The server's message, and its code where that says more."""
    message = shown(message_of(body), secrets).rstrip(". ")
    codes = [code for code in codes_of(body) if re.fullmatch(r"[a-z][a-z_]{3,40}", code) and "_" in code]
    code = next((code for code in codes if code not in {"invalid_request_error", "unknown_error"}), "")
    code = shown(code, secrets)
    return f"{message} ({code})" if message and code and code not in message else message or code


def _says(body: Any, pattern: re.Pattern[str]) -> bool:
    return any(pattern.search(words[:2000]) for _, words in strings_in(body))


def _kinds(error: BaseException | None) -> set[str]:
    """The names of an error's classes, and of those of the errors that it came from."""
    found: set[str] = set()
    while error is not None:
        found |= {kind.__name__ for kind in type(error).__mro__}
        error = error.__cause__
    return found


def retry_after(header: str | None, now: datetime) -> float:
    """Seconds to wait, of the header's two forms, a number or a date; 0 where it says nothing that can be used."""
    if header is None:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            then = parsedate_to_datetime(header)
            seconds = (then.replace(tzinfo=then.tzinfo or UTC) - now).total_seconds()
        except (ValueError, OverflowError):
            return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
