"""Judging over a server, side by side with the clock: `python tools/bench_remote.py`, and a part of `make bench`.

A server in a process of its own answers every call after 200 ms, as a fast judge does. 805 pairs (AlpacaEval's number)
are judged in both orders at 64 calls in flight, through the ledger like any evaluation. The ideal is what waiting alone
takes: 805 x 2 x 0.2 s / 64. What is above it is ours: the SDK, the ledger, and the last calls, which run alone. Both
processes want a core each; on a busy machine the ratio says little. One comparison before it takes the first import
and the first connection, which a command pays once.

Memory is what the calls need beyond the requests themselves, at 805 and at 3220 pairs.
"""

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAIRS, MORE_PAIRS = 805, 3220
CONNECTIONS = 64
SECONDS = 0.2
RUNS = 3


def serve(seconds: float) -> None:
    """Answer every request "A" after so many seconds; print the port first. Runs until it is killed."""
    tokens = [{"token": token, "logprob": -0.5 - place, "bytes": None} for place, token in enumerate("ABCDEFGHIJ" * 2)]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "A"},
        "finish_reason": "length",
        "logprobs": {"content": [{**tokens[0], "top_logprobs": tokens}]},
    }
    usage = {"prompt_tokens": 700, "completion_tokens": 1, "total_tokens": 701}
    body = json.dumps({"id": "x", "object": "chat.completion", "model": "x", "choices": [choice], "usage": usage})
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    reply = (head + body).encode()

    class Connection(asyncio.Protocol):
        """One connection: a request that is whole is answered later."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport, self.read = transport, b""

        def data_received(self, data: bytes) -> None:
            self.read += data
            head, end, rest = self.read.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if end and len(rest) >= length:
                self.read = rest[length:]
                asyncio.get_running_loop().call_later(seconds, self.transport.write, reply)

    async def listen() -> None:
        server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(listen())


@contextmanager
def server(seconds: float) -> Iterator[str]:
    """The address of a server that answers after so many seconds."""
    process = subprocess.Popen([sys.executable, __file__, "serve", str(seconds)], stdout=subprocess.PIPE, text=True)
    try:
        yield f"openai:bench@http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


def matches(count: int, seed: int = 0) -> list:
    """Pairs of answers of some 1,000 characters, put together from the references of the evaluation set."""
    from srlm.judges.pairwise import Match
    from srlm.seed_data import evaluation_set
    from srlm.types import Answer

    draw = random.Random(seed)
    sentences = " ".join(prompt.reference or "" for prompt in evaluation_set()).split(". ")

    def answer(name: str, number: int) -> Answer:
        return Answer(f"{name}{number}", f"p{number}", name, ". ".join(draw.choices(sentences, k=9)), "stop")

    return [
        Match(f"m{number}", draw.choice(sentences), answer("a", number), answer("b", number)) for number in range(count)
    ]


def judging(spec: str, pairs: list) -> tuple[float, float]:
    """Seconds, and seconds of this process's work, to judge pairs in both orders with an empty ledger."""
    from srlm.console import Progress
    from srlm.engines.client_config import ClientConfig
    from srlm.engines.open import open_engine
    from srlm.inference import Caller
    from srlm.judges.pairwise import compare, load_pairwise
    from srlm.ledger import Ledger

    engine = open_engine(spec, client=ClientConfig(max_connections=CONNECTIONS))
    template = load_pairwise()
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.sqlite")
        worked, began = time.process_time(), time.perf_counter()
        found = compare(Caller(engine, ledger, "bench", Progress(quiet=True)), template, pairs, label="")
        seconds, work = time.perf_counter() - began, time.process_time() - worked
        ledger.close()
    if any(one.value is None for one in found):
        raise SystemExit("bench_remote: a verdict is missing")
    return seconds, work


def memory(spec: str, pairs: int) -> float:
    """MB at the peak of the calls of so many pairs, beyond the requests."""
    from srlm.engines.client_config import ClientConfig
    from srlm.engines.open import open_engine
    from srlm.types import Message, Request

    engine = open_engine(spec, client=ClientConfig(max_connections=CONNECTIONS))
    batches = [[Request((Message("user", f"{n} " + "x" * 2500),), choices=("A", "B"))] for n in range(2 * pairs)]
    tracemalloc.start()
    for _ in engine.run(batches):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def remote() -> dict[str, float]:
    """Everything: seconds of the best run, the ideal, their ratio, work a call, and memory."""
    with server(SECONDS) as spec:
        judging(spec, matches(CONNECTIONS, seed=1))
        seconds, work = min(judging(spec, matches(PAIRS)) for _ in range(RUNS))
    with server(0.0) as spec:
        memory(spec, CONNECTIONS)
        peaks = memory(spec, PAIRS), memory(spec, MORE_PAIRS)
    ideal = PAIRS * 2 * SECONDS / CONNECTIONS
    return {
        "seconds": seconds,
        "ideal_seconds": ideal,
        "ratio": seconds / ideal,
        "work_ms_a_call": 1000 * work / (2 * PAIRS),
        f"peak_mb_{PAIRS}_pairs": peaks[0],
        f"peak_mb_{MORE_PAIRS}_pairs": peaks[1],
    }


def card(found: dict[str, float]) -> list[str]:
    """Lines for people."""
    peaks = [found[f"peak_mb_{pairs}_pairs"] for pairs in (PAIRS, MORE_PAIRS)]
    return [
        f"Judging {PAIRS} pairs in both orders, {CONNECTIONS} concurrent calls, a server that takes {SECONDS} s",
        f"  {found['seconds']:.2f} s, waiting alone {found['ideal_seconds']:.2f} s: {found['ratio']:.3f} (limit 1.1)",
        f"  our own work {found['work_ms_a_call']:.2f} ms a call; memory of the calls {peaks[0]:.1f} MB, "
        f"at {MORE_PAIRS} pairs {peaks[1]:.1f} MB",
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(float(sys.argv[2]))
    result = remote()
    print("\n".join(card(result)))
    print(json.dumps({"remote": result}))
