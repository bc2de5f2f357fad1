"""Requests of the kinds that the loop makes, and how long an engine takes to answer them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from gpu.device import forget_peak, peak_gb, synchronize
from srlm.types import Completion, Message, Request, Sampling

TEMPERATURE, TOP_P = 0.7, 0.9


def candidates(texts: Sequence[str], count: int, answers: int, max_tokens: int) -> list[Request]:
    """Return `count` instructions with some answers each, as the loop samples candidates; texts are repeated."""
    sampling = Sampling(TEMPERATURE, TOP_P, max_tokens)
    return [
        Request((Message("user", texts[number % len(texts)]),), sampling, seed=answers * number + sample, sample=sample)
        for number in range(count)
        for sample in range(answers)
    ]


@dataclass(frozen=True)
class Timing:
    """How long some requests took. `plan_s` is tokenising and planning, `run_s` the rest."""

    plan_s: float
    run_s: float
    peak_gb: float | None


def ask(engine: Any, requests: Sequence[Request]) -> tuple[list[Completion], Timing]:
    """Answer all requests; return the answers in order.

    Raises:
        RuntimeError: a request was not answered.
    """
    synchronize()
    began = time.perf_counter()
    plan = engine.plan(requests)
    planned = time.perf_counter()
    found: dict[int, Completion] = {}
    for done in engine.run([[requests[index] for index in batch] for batch in plan]):
        for index, reply in zip(plan[done.batch], done.replies, strict=True):
            if not isinstance(reply, Completion):
                raise RuntimeError(f"request {index} was not answered: {reply.reason}")
            found[index] = reply
    synchronize()
    ended = time.perf_counter()
    return [found[index] for index in range(len(requests))], Timing(planned - began, ended - planned, peak_gb())


def warm_up(engine: Any, requests: Sequence[Request]) -> None:
    """Let the engine load the weights and answer two requests, and measure memory from here on."""
    ask(engine, requests[:2])
    forget_peak()


@dataclass
class Steps:
    """Decode steps of srlm's engine, with the places in their batches and those that held an unfinished answer."""

    count: int = 0
    places: int = 0
    used: int = 0


@contextmanager
def watched_steps() -> Iterator[Steps]:
    """Count the decode steps of srlm's engine."""
    from srlm.engines.decoding import RunningBatch

    seen, step = Steps(), RunningBatch.step

    def counted(batch: Any, *given: Any, **named: Any) -> Any:
        seen.count += 1
        seen.places += len(batch.rows)
        seen.used += sum(row is not None for row in batch.rows)
        return step(batch, *given, **named)

    with patch.object(RunningBatch, "step", counted):
        yield seen
