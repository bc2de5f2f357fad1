"""vLLM's part of `generate`, run by the Python of its own environment: work as JSON in, one JSON line out."""

import json
import sys
import time
from pathlib import Path

from srlm.engines.vllm import VLLMEngine
from srlm.types import Completion, Message, Request, Sampling


def main() -> None:
    """Answer all requests by srlm's engine of vLLM, after some that start it."""
    import vllm

    work = json.load(sys.stdin)
    requests = [
        Request(tuple(Message(**one) for one in given["messages"]), Sampling(**given["sampling"]), seed=given["seed"])
        for given in work["requests"]
    ]
    # Nothing compiled on a processor, where the compiled model does not start everywhere.
    arguments = {"enforce_eager": True, "max_model_len": 1024} if work["device"] == "cpu" else None
    engine = VLLMEngine(Path(work["folder"]), name="model", device=work["device"], arguments=arguments)
    began = time.perf_counter()
    list(engine.run([requests[:2]]))
    started = time.perf_counter()
    plan = engine.plan(requests)
    planned = time.perf_counter()
    done = list(engine.run([[requests[index] for index in batch] for batch in plan]))
    seconds = time.perf_counter() - started
    replies = [reply for batch in done for reply in batch.replies if isinstance(reply, Completion)]
    engine.close()
    tokens = sum(reply.completion_tokens for reply in replies)
    found = {
        "version": vllm.__version__,
        "requests": len(replies),
        "tokens_per_s": tokens / seconds,
        "tokens": tokens,
        "seconds": seconds,
        "tokenising_s": planned - started,
        "start_s": started - began,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
