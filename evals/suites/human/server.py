"""Local server of the annotation page.

The standard library's server is enough for a few people and a handful of small files. Access is limited:

- It listens on 127.0.0.1.
- A request that names another host is refused, as after DNS rebinding. Ports are not checked, so that a tunnel
  (ssh -L) may end at another one.
- Pairs and votes need a key in a header, which is behind the # of the address. Other users of the machine do not know
  it, and a foreign page can neither read it nor send that header (CSRF).

The page loads nothing from other hosts, and its policy forbids it. Models' texts reach it as JSON, never as HTML.
"""

import errno
import hmac
import json
import os
import re
import secrets
import sys
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from socketserver import TCPServer
from typing import Any, cast
from urllib.parse import urlsplit

from evals.suites.human.blinding import AnnotationSession, Choice, clean_name
from srlm.errors import SrlmError, UsageError

HOSTS = ("127.0.0.1", "localhost")
LARGEST = 10_000
"""Bytes of a request's body."""
DIGITS = re.compile("[0-9]{1,9}")
"""A content length that is converted to a number."""
PAGES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class AnnotationServer(ThreadingHTTPServer):
    """HTTP server of one annotation session.

    Args:
        session: the session.
        annotator: the name of the only annotator; None lets the page ask for a name.
        port: 0 takes a free one.

    Raises:
        UsageError: the port cannot be used.
    """

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it would let two servers have one port

    def __init__(self, session: AnnotationSession, annotator: str | None, port: int) -> None:
        self.session = session
        self.annotator = annotator
        self.key = secrets.token_urlsafe(16)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "is in use" if taken else f"cannot be used ({error.strerror})"
            raise UsageError(f"The port {port} {why}. Name another, or leave --port out to get a free one.") from None

    @property
    def address(self) -> str:
        """Return the address to open in a browser."""
        return f"http://127.0.0.1:{self.server_address[1]}/#{self.key}"

    def server_bind(self) -> None:
        """Bind, without the library's look-up of this machine's name, which may take seconds."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a browser that closes the connection."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Refused(Exception):
    """A refused request, with the message for the page."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    timeout = 30
    server_version = "srlm"
    sys_version = ""

    def do_GET(self) -> None:
        """Send the page and its parts, which are the same for all and need no key."""
        try:
            self._check_host()
            name, kind = PAGES[self.path]
        except KeyError:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"There is no such page.\n")
        except _Refused as refused:
            self._send(refused.status, "text/plain", f"{refused}\n".encode())
        else:
            self._send(HTTPStatus.OK, kind, (files("evals.suites.human") / name).read_bytes())

    def do_POST(self) -> None:
        """Send pairs, and record votes on them."""
        content = self._content()  # read in any case: a connection that is closed before loses its answer
        try:
            self._check_host()
            self._check_key()
            status, answer = HTTPStatus.OK, self._answer(_parsed(content))
        except _Refused as refused:
            status, answer = refused.status, {"problem": str(refused)}
        except UsageError as error:
            status, answer = HTTPStatus.BAD_REQUEST, {"problem": str(error)}
        except SrlmError as error:  # it names a file, whose name names the models
            sys.stderr.write(f"Error: {error}\n")
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            answer = {"problem": "Your earlier votes cannot be read. The terminal of srlm annotate says why."}
        except OSError as error:
            sys.stderr.write(f"Error: a vote could not be written ({error.strerror}).\n")
            status = HTTPStatus.INSUFFICIENT_STORAGE
            answer = {"problem": f"This vote could not be written ({error.strerror}). Mend that and vote again."}
        self._send(status, "application/json", json.dumps(answer).encode())

    def log_message(self, *args: object) -> None:
        """Print nothing to the terminal."""

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        session = self._server.session
        annotator = self._server.annotator
        if annotator is None:
            if body.get("annotator") is None:
                return {"annotator": None}
            annotator = clean_name(_text(body, "annotator"))
        if self.path == "/pairs":
            return {"annotator": annotator, "pairs": [asdict(one) for one in session.pairs(annotator)]}
        if self.path != "/vote":
            raise _Refused(HTTPStatus.NOT_FOUND, "There is no such page.")
        choice = body.get("choice")
        if choice not in ("left", "right", "tie"):  # a tuple, as it may be anything
            raise _Refused(HTTPStatus.BAD_REQUEST, "A vote is left, right or tie.")
        try:
            session.record_vote(annotator, _text(body, "pair"), cast(Choice, choice))
        except KeyError:
            words = "This pair is not in the annotation set. Load the page again."
            raise _Refused(HTTPStatus.BAD_REQUEST, words) from None
        return {"choice": choice}

    @property
    def _server(self) -> AnnotationServer:
        return cast(AnnotationServer, self.server)

    def _check_host(self) -> None:
        try:
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        except ValueError:
            host = None
        if host not in HOSTS:
            words = "srlm annotate answers requests to 127.0.0.1 only. Open the address that it printed."
            raise _Refused(HTTPStatus.FORBIDDEN, words)

    def _check_key(self) -> None:
        key = self.headers.get("X-Srlm-Key", "")
        if not hmac.compare_digest(key.encode(), self._server.key.encode()):
            words = "This page is not from the srlm annotate that runs now. Open the address that it printed."
            raise _Refused(HTTPStatus.FORBIDDEN, words)

    def _content(self) -> bytes | None:
        """Read the body; None where it is too large, or its size is not given."""
        length = self.headers.get("Content-Length", "")
        if not DIGITS.fullmatch(length) or int(length) > LARGEST:
            return None
        return self.rfile.read(int(length))

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _text(body: dict[str, Any], field: str) -> str:
    """Return the text of a field; empty where it is no text."""
    found = body.get(field)
    return found if isinstance(found, str) else ""


def _parsed(content: bytes | None) -> dict[str, Any]:
    if content is None:
        raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large, or does not say its size.")
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise _Refused(HTTPStatus.BAD_REQUEST, "The request is not JSON.")
    return data
