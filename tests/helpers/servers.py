"""A server for tests that speaks both protocols, answers by content alone, and fails as often as it is told to.

What becomes of an attempt is drawn from the prompt and from how often it was asked before, so a test can repeat it.
Every attempt is in the log: what was asked, and which fault it met, or none.
"""

import json
import math
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

FAULTS = ("429", "500", "529", "timeout", "cut body", "malformed JSON", "wrong shape", "reset")
"""What an attempt can meet. "slow" is none: it is answered, but late."""

REASONS = {
    "429": "HTTP 429",
    "500": "HTTP 500",
    "529": "HTTP 529",
    "timeout": "timeout",
    "cut body": "cut or malformed body",
    "malformed JSON": "cut or malformed body",
    "wrong shape": "cut or malformed body",
    "reset": "connection reset",
}
"""How srlm calls them."""


@dataclass(frozen=True)
class Attempt:
    """One request that came in. `fault` is None where it was answered."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    fault: str | None

    @property
    def prompt(self) -> str:
        """What the model is asked, and with which seed: what tells calls apart."""
        return json.dumps([self.body["messages"], self.body.get("seed")])


@dataclass(frozen=True)
class Odd:
    """A reply of servers as they are: JSON, or the bytes themselves."""

    data: Any
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


def chat(content: Any = "Fine.", finish: Any = "stop", usage: Any = ..., **message: Any) -> dict[str, Any]:
    """A reply of OpenAI's protocol with the fields that differ."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    counts = {"prompt_tokens": 7, "completion_tokens": 3} if usage is ... else usage
    return {"id": "1", "choices": [choice], "usage": counts}


def blocks(*content: Any, stop: Any = "end_turn") -> dict[str, Any]:
    """A reply of Anthropic's protocol."""
    usage = {"input_tokens": 7, "output_tokens": 3}
    return {"id": "1", "type": "message", "content": list(content), "stop_reason": stop, "usage": usage}


def refusing(*fields: str, status: int = 400, words: str = "Unsupported parameter: '{}'.") -> Any:
    """Refuse requests that have one of these fields, as OpenAI does; answer others as ever."""

    def odd(body: dict[str, Any]) -> Odd | None:
        for field in fields:
            if field in body:
                return Odd({"error": {"message": words.format(field), "param": None, "code": None}}, status)
        return None

    return odd


class Server(ThreadingHTTPServer):
    """Fails a share of the attempts.

    Args:
        faults: the share that fails, and the share that is slow.
        hang: seconds that a timeout lasts; longer than the client waits. A call hangs once at the most: twice in a row
            is nearly all of a client's deadline, and the last call of a stage has no other that breaks the silence.
        delay: seconds that every answer takes, a slow one `slow` more.
        alive: after so many answers it is dead: connections are reset, nothing is logged.
        status: fail every attempt with this status, and with the key in the body.
        scores: answer as a judge of single answers does, with a score of 0 to 5.
        odd: what becomes of a request instead, from its body: see `Odd`; None answers it as ever.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(
        self,
        *,
        faults: float = 0.0,
        hang: float = 3.0,
        delay: float = 0.0,
        slow: float = 0.3,
        alive: int | None = None,
        status: int | None = None,
        scores: bool = False,
        odd: "Callable[[dict[str, Any]], Odd | None] | None" = None,
        port: int = 0,
    ) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.faults, self.hang, self.delay, self.slow, self.status = faults, hang, delay, slow, status
        self.alive, self.scores, self.odd = alive, scores, odd
        self.retry_after = "0.05"
        self.log: list[Attempt] = []
        self.lock = threading.Lock()
        self.asked: Counter[str] = Counter()
        self.hung: set[str] = set()
        self.most_at_once = self._at_once = 0

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def answered(self) -> list[Attempt]:
        return [attempt for attempt in self.log if attempt.fault is None]

    @property
    def failed(self) -> list[Attempt]:
        return [attempt for attempt in self.log if attempt.fault is not None]

    def spec(self, protocol: str, model: str) -> str:
        """How the command line names a model here."""
        return f"{protocol}:{model}@{self.address}{'/v1' if protocol == 'openai' else ''}"

    def fate(self, attempt: Attempt) -> tuple[str | None, float]:
        """The fault of an attempt, and for how long its answer waits; None where the server is dead."""
        with self.lock:
            draw = Random(f"{attempt.prompt} {self.asked[attempt.prompt]}")
            self.asked[attempt.prompt] += 1
            dead = self.alive is not None and len(self.answered) >= self.alive
            fault = "dead" if dead else draw.choice(FAULTS) if draw.random() < self.faults else None
            slow = draw.random() < self.faults / 2
            if fault == "timeout":
                fault = "500" if attempt.prompt in self.hung else fault
                self.hung.add(attempt.prompt)
            if not dead:
                self.log.append(Attempt(attempt.path, attempt.body, attempt.headers, fault))
        return fault, self.hang if fault == "timeout" else self.delay + self.slow * slow

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count how many are answered at once."""
        with self.lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self.lock:
                self._at_once -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no news."""


@contextmanager
def serving(**options: Any) -> Iterator[Server]:
    """A server that runs until the block ends."""
    server = Server(**options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def preference(messages: list[dict[str, str]]) -> float:
    """The probability of A, from the words of the prompt alone."""
    digest = sha256(json.dumps(messages).encode()).digest()
    return (1 + digest[0]) / 257


def tokens(body: dict[str, Any]) -> int:
    """Of a prompt, roughly."""
    return 1 + sum(len(message["content"]) for message in body["messages"]) // 4


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        attempt = Attempt(self.path, body, headers, None)
        if self.server.status is not None:
            self.server.log.append(Attempt(self.path, body, headers, str(self.server.status)))
            key = headers.get("authorization", "") + headers.get("x-api-key", "")
            self.reply(self.server.status, {"error": {"message": f"no, {key}", "type": key, "code": key}})
            return
        odd = self.server.odd(body) if self.server.odd is not None else None
        if odd is not None:
            with self.server.lock:
                self.server.log.append(Attempt(self.path, body, headers, f"odd {odd.status}"))
            payload = odd.data if isinstance(odd.data, bytes) else json.dumps(odd.data).encode()
            self.send(odd.status, payload, length=len(payload), headers=odd.headers)
            return
        with self.server.busy():
            fault, seconds = self.server.fate(attempt)
            time.sleep(seconds)
            answer = self.chat(body) if "/chat/completions" in self.path else self.message(body)
            if fault is None or fault == "timeout":
                self.reply(200, answer)
            elif fault in {"dead", "reset"}:
                self.reset()
            elif fault == "cut body":
                self.reply(200, answer, cut=True)
            elif fault == "malformed JSON":
                broken = b'{"choices": [{"message": {"content"'
                self.send(200, broken, length=len(broken))
            elif fault == "wrong shape":
                self.reply(200, {"choices": [], "content": None, "usage": None})
            else:
                self.reply(int(fault), {"error": {"message": "later", "type": "overloaded_error"}})

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        first = preference(body["messages"])
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": self.words(first, body)},
            "finish_reason": "stop",
        }
        if body.get("logprobs"):
            top = [{"token": "A", "logprob": math.log(first)}, {"token": " B", "logprob": math.log(1 - first)}]
            choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
            choice["finish_reason"] = "length"
        usage = {"prompt_tokens": tokens(body), "completion_tokens": 1, "total_tokens": 8}
        return {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}

    def words(self, first: float, body: dict[str, Any]) -> str:
        if "Rating: [[" in body["messages"][-1]["content"]:
            return f"Fair enough.\nRating: [[{1 + int(10 * first) % 10}]]"
        if "category a line" in body["messages"][-1]["content"]:
            return "- Plain questions\n- Sums"
        if "Complexity: (" in body["messages"][-1]["content"]:
            category = "Sums" if first > 0.5 else "Plain questions" if first > 0.2 else "Something else"
            return f"Category: {category}\nComplexity: {1 + int(10 * first) % 10}\nLength: 1-3 sentences"
        if self.server.scores:
            return f"Score: {int(6 * first) % 6}"
        return "A" if first > 0.5 else "B"

    def message(self, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": "1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": "A" if preference(body["messages"]) > 0.5 else "B."}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": tokens(body), "output_tokens": 2},
        }

    def reply(self, status: int, data: dict[str, Any], *, cut: bool = False) -> None:
        payload = json.dumps(data).encode()
        self.send(status, payload[: len(payload) // 2] if cut else payload, length=len(payload))

    def send(self, status: int, payload: bytes, *, length: int, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), *headers):
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        if status == 429 and not any(name == "Retry-After" for name, _ in headers):
            self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()
        self.wfile.write(payload)
        self.close_connection = self.close_connection or len(payload) < length

    def reset(self) -> None:
        """End the connection as a machine does that has lost it: nothing is said, and the other side is told so."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for end in (self.rfile, self.wfile, self.connection):
            end.close()
        self.close_connection = True
