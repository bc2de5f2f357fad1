"""Why an attempt failed, and whether to ask again.

A reason is a type and a status, never the words of a server or a library: these may quote a key.
"""

import json
import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import ValidationError

PASSING = frozenset({408, 409, 429})
"""Statuses of a client's mistake that pass by themselves; so do all of a server's, 500 and above."""

MALFORMED = "cut or malformed body"

_UNREACHED = frozenset({"ClientConnectorError", "ConnectionTimeoutError"})
_CUT = frozenset({"ClientPayloadError", "ClientResponseError", "DecodingError"})
_RESET = frozenset({"ClientOSError", "ServerDisconnectedError"})
"""Kinds of errors by their names in aiohttp: the SDKs above it call a lost connection a time-out, or one never made."""


class Fault(Exception):
    """An attempt that failed.

    `again` says whether another attempt may succeed, `wait` the seconds that the server wants to be left alone, `paid`
    whether the call may have been billed all the same.
    """

    def __init__(self, reason: str, *, again: bool, paid: bool, wait: float = 0.0, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.again, self.paid, self.wait, self.status = reason, again, paid, wait, status


def fault_of(error: Exception, sdk: Any) -> Fault:
    """What an exception means that a call through an SDK raised. Both SDKs name their errors alike."""
    if isinstance(error, sdk.APIStatusError):
        status = int(error.status_code)
        wait = retry_after(error.response.headers.get("retry-after"), datetime.now(UTC))
        return Fault(f"HTTP {status}", again=status in PASSING or status >= 500, paid=False, wait=wait, status=status)
    kinds = _kinds(error)
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
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | ValidationError | sdk.APIResponseValidationError):
        return Fault(MALFORMED, again=True, paid=True)
    # Anything else is a call that this library or the SDK cannot make; the next attempt would end alike.
    return Fault(type(error).__name__, again=False, paid=False)


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
        except ValueError:
            return 0.0
        seconds = (then.replace(tzinfo=then.tzinfo or UTC) - now).total_seconds()
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
