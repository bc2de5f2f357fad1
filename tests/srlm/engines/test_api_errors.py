"""Failed attempts: Retry-After, and certificates that cannot be verified."""

import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from srlm.engines.api_errors import classify_error, parse_retry_after
from srlm.engines.open import open_engine


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("7", 7),
        ("0.5", 0.5),
        ("-3", 0),
        ("nan", 0),
        ("inf", 0),
        ("soon", 0),
        ("", 0),
        (format_datetime(datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=90), usegmt=True), 90),
        ("Tue, 01 Jan 2030 00:00:30", 30),
        (format_datetime(datetime(2029, 1, 1, tzinfo=UTC)), 0),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float) -> None:
    assert parse_retry_after(header, datetime(2030, 1, 1, tzinfo=UTC)) == seconds


def test_a_certificate_that_cannot_be_verified_is_named() -> None:
    class ClientConnectorCertificateError(Exception):
        pass

    import openai

    wrapped: Any = openai.APIConnectionError(request=None)  # type: ignore[arg-type]
    wrapped.__cause__ = ClientConnectorCertificateError()
    wrapped.__cause__.__cause__ = ssl.SSLCertVerificationError()
    fault = classify_error(wrapped, openai)
    assert (fault.reason, fault.retryable) == ("certificate not verified", False)
    told = open_engine("openai:m@https://host/v1").fatal_error_message(fault)  # type: ignore[attr-defined]
    assert "certificate of https://host/v1 cannot be verified" in told
