"""Messages for errors of a model server that retries cannot fix."""

from srlm.engines.api_errors import CERTIFICATE, RequestError


def fatal_error_message(error: RequestError, *, name: str, model: str, server: str, key_variable: str) -> str | None:
    """Return the message for an error that every call would meet; None for other errors.

    Args:
        error: of the last attempt.
        name: of the engine, such as "openai:gpt-4o".
        model: its name on the server.
        server: the server's address without credentials.
        key_variable: environment variable of the API key.
    """
    status, detail = error.status, f": {error.message}" if error.message else ""
    if error.reason == CERTIFICATE:
        return (
            f"The certificate of {server} cannot be verified, so the identity of the server is unknown. Check the "
            "address; for a certificate of your own, set the environment variable SSL_CERT_FILE to its authority."
        )
    if error.out_of_credit:
        return (
            f"{name} has no credit left for these calls (HTTP {status}{detail}). Check the account's balance and "
            "limits. Completed calls are kept; run the same command again to resume."
        )
    if status == 401:
        return f"{name} refuses the key (HTTP 401{detail}). Check the environment variable {key_variable}."
    if status == 403 and error.is_html:
        return (
            f"A firewall or proxy in front of {server} forbids these calls (HTTP 403{detail}); the key was not "
            "checked. Ask its administrator, or try another network."
        )
    if status == 403:
        return (
            f"{name} forbids these calls (HTTP 403{detail}). Check that the key in the environment variable "
            f"{key_variable} may use this model."
        )
    if status is not None and 300 <= status < 400:
        return f"{server} redirects these calls (HTTP {status}). Give the address that it redirects to."
    if error.unknown_model:
        return f"{server} has no model {model!r}, or is the wrong address (HTTP {status}{detail}). Check both."
    return None


def wrong_protocol_message(error: RequestError, *, name: str, provider: str, server: str) -> str:
    """Return the message for a first reply that is complete but not of the protocol's shape."""
    ending = " It usually ends with /v1." if provider == "openai" else " It has no /v1 at its end."
    return (
        f"{server} answers, but not in the protocol {provider!r}: {error.message}. Check the address of {name}.{ending}"
    )
