"""Classify failed attempts of API calls: retry or not, billed or not, and the server's message.

The reason of a failure is a type and a status, so that the ledger can count failures by reason. The server's message is
kept apart from it: shortened, and without secrets (`srlm.engines.server_messages`).
"""

import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from srlm.engines.http_body import BodyTooLong, EmbeddedError, NoAnswer, UnexpectedShape
from srlm.engines.server_messages import find_codes, find_message, is_html, parse_body, safe_to_show, strings_in

RETRYABLE_STATUSES = frozenset({408, 409, 425, 429})
"""Client error statuses that are transient; so are all server errors, 500 and above."""

MALFORMED = "cut or malformed body"
CERTIFICATE = "certificate not verified"
EMPTY = "no answer in the reply"

MAX_UNUSABLE_REPLIES = 3
"""Attempts of a call whose replies are complete but unusable."""

_UNREACHED = frozenset({"ClientConnectorError", "ConnectionTimeoutError"})
_UNTRUSTED = frozenset({"ClientConnectorCertificateError", "SSLCertVerificationError"})
_TRUNCATED = frozenset({"ClientPayloadError", "ClientResponseError", "DecodingError", "TruncatedBody"})
_RESET = frozenset({"ClientOSError", "ServerDisconnectedError"})
"""Kinds of errors by their class names in aiohttp: the SDKs report lost and refused connections as time-outs."""

_OUT_OF_CREDIT = re.compile(
    r"insufficient[_ ](?:quota|balance|credits?|funds)|credit balance|no credits?\b|out of credits|billing"
    r"|(?:quota|credits?|balance).{0,40}(?:used up|exhausted|too low|depleted)|payment required"
    r"|exceeded your current quota|no (?:credits?|balance|money) left",
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(
    r"model_not_found|model .{0,120}(?:does not exist|not found|not exist)|no such model|unknown model|invalid model\b",
    re.IGNORECASE,
)


class RequestError(Exception):
    """A failed attempt of a call.

    `retryable`: another attempt may succeed, at most `max_attempts` if that is a number. `retry_after`: seconds that
    the server asks to wait. `billed`: the provider may charge for the attempt all the same. `message` is the server's,
    safe to show; `body` is the whole body, which is not.
    """

    def __init__(
        self,
        reason: str,
        *,
        retryable: bool,
        billed: bool,
        retry_after: float = 0.0,
        status: int | None = None,
        message: str = "",
        max_attempts: int | None = None,
        body: Any = None,
    ) -> None:
        super().__init__(reason)
        self.reason, self.retryable, self.billed, self.retry_after = reason, retryable, billed, retry_after
        self.status, self.message, self.max_attempts, self.body = status, message, max_attempts, body

    @property
    def description(self) -> str:
        """Return the reason with the server's message."""
        return f"{self.reason}: {self.message}" if self.message else self.reason

    @property
    def out_of_credit(self) -> bool:
        """Return whether the account has no credit left."""
        return self.status == 402 or (self.status in {400, 403, 429} and _matches(self.body, _OUT_OF_CREDIT))

    @property
    def unknown_model(self) -> bool:
        """Return whether the server has no model of that name, or nothing at that path."""
        return self.status == 404 or (self.status == 400 and _matches(self.body, _UNKNOWN_MODEL))

    @property
    def is_html(self) -> bool:
        """Return whether the body is an HTML page."""
        return is_html(self.body)


def classify_error(error: Exception, sdk: Any, secrets: Sequence[str] = ()) -> RequestError:
    """Classify an exception that a call through an SDK raised. Both SDKs use the same class names."""
    if isinstance(error, sdk.APIStatusError):
        body = parse_body(getattr(error.response, "content", b""))
        wait = parse_retry_after(error.response.headers.get("retry-after"), datetime.now(UTC))
        return _from_status(int(error.status_code), body, secrets, wait)
    return _from_reply(error, sdk, secrets) or _from_connection(error, sdk)


def _from_reply(error: Exception, sdk: Any, secrets: Sequence[str]) -> RequestError | None:
    """Classify an error in a reply with status 200; None if there was no such reply."""
    from pydantic import ValidationError

    limit = MAX_UNUSABLE_REPLIES
    if isinstance(error, EmbeddedError):
        if error.status is not None:
            return _from_status(error.status, error.body, secrets, 0.0)
        message = _message(error.body, secrets)
        return RequestError(
            "an error with HTTP 200", retryable=True, billed=True, message=message, max_attempts=limit, body=error.body
        )
    if isinstance(error, UnexpectedShape):
        detail = safe_to_show(error.detail, secrets)
        return RequestError(MALFORMED, retryable=True, billed=True, message=detail, max_attempts=limit)
    if isinstance(error, NoAnswer):
        detail = safe_to_show(error.detail, secrets)
        return RequestError(EMPTY, retryable=error.retryable, billed=True, message=detail, max_attempts=limit)
    if isinstance(error, BodyTooLong):
        return RequestError("reply too long", retryable=False, billed=True, message="longer than any answer")
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return RequestError(MALFORMED, retryable=True, billed=True)
    if isinstance(error, ValidationError | sdk.APIResponseValidationError):
        detail = "a part of it has an unexpected shape"
        return RequestError(MALFORMED, retryable=True, billed=True, message=detail, max_attempts=limit)
    return None


def _from_connection(error: Exception, sdk: Any) -> RequestError:
    """Classify a call without a complete reply."""
    kinds = _class_names(error)
    if kinds & _UNTRUSTED:
        return RequestError(CERTIFICATE, retryable=False, billed=False)
    if kinds & _UNREACHED:
        return RequestError("no connection", retryable=True, billed=False)
    if kinds & _TRUNCATED:
        return RequestError(MALFORMED, retryable=True, billed=True)
    if kinds & _RESET:
        return RequestError("connection reset", retryable=True, billed=True)
    if isinstance(error, TimeoutError | sdk.APITimeoutError):
        return RequestError("timeout", retryable=True, billed=True)
    if isinstance(error, sdk.APIConnectionError):
        return RequestError("connection broken", retryable=True, billed=True)
    # Anything else is a call that srlm or the SDK cannot make; a retry would fail the same way.
    return RequestError(type(error).__name__, retryable=False, billed=False)


def _from_status(status: int, body: Any, secrets: Sequence[str], retry_after: float) -> RequestError:
    return RequestError(
        f"HTTP {status}",
        retryable=status in RETRYABLE_STATUSES or status >= 500,
        billed=False,
        retry_after=retry_after,
        status=status,
        message=_message(body, secrets),
        body=body,
    )


def _message(body: Any, secrets: Sequence[str]) -> str:
    """Return the server's message, with its error code where that adds something."""
    message = safe_to_show(find_message(body), secrets).rstrip(". ")
    codes = [code for code in find_codes(body) if re.fullmatch(r"[a-z][a-z_]{3,40}", code) and "_" in code]
    code = next((code for code in codes if code not in {"invalid_request_error", "unknown_error"}), "")
    code = safe_to_show(code, secrets)
    return f"{message} ({code})" if message and code and code not in message else message or code


def _matches(body: Any, pattern: re.Pattern[str]) -> bool:
    return any(pattern.search(text[:2000]) for _, text in strings_in(body))


def _class_names(error: BaseException | None) -> set[str]:
    """Return the class names of an error and of its causes."""
    found: set[str] = set()
    while error is not None:
        found |= {kind.__name__ for kind in type(error).__mro__}
        error = error.__cause__
    return found


def parse_retry_after(header: str | None, now: datetime) -> float:
    """Return the seconds of a Retry-After header, a number or a date; 0 if it is missing or unusable."""
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
