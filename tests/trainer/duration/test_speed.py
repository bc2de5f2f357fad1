"""A model is measured in as many rows as a short time allows."""

import pytest

from srlm.engines.engine import BatchResult
from srlm.types import Completion
from trainer.duration.speed import READ_S, WRITE_S, measure_speed


class TimedEngine:
    """An engine that says how long its batches took: a fixed time, and one for each token."""

    def __init__(self, fixed: float, each: float) -> None:
        self.fixed, self.each = fixed, each
        self.batches: list[tuple[int, int, float]] = []

    def run(self, batches, on_progress):
        for number, batch in enumerate(batches):
            written = batch[0].sampling.max_tokens
            read = [len(one.messages[-1].content) for one in batch] if written == 1 else [0] * len(batch)
            seconds = self.fixed + self.each * (sum(read) + len(batch) * written)
            self.batches.append((len(batch), written, seconds))
            yield BatchResult(number, [Completion("a", "length", tokens, written) for tokens in read], seconds)


def rows(engine, reading):
    return [count for count, written, _ in engine.batches[1:] if (written == 1) == reading]


def test_a_fast_model_is_measured_in_the_batches_in_which_it_will_run():
    engine = TimedEngine(fixed=0.002, each=1e-6)
    speed = measure_speed(engine, ["a text of some length"] * 3, 256)
    assert rows(engine, reading=True)[-1] == rows(engine, reading=False)[-1] == 256
    assert speed.write == pytest.approx(256 * 4 / (0.002 + 256 * 4e-6))


def test_a_slow_model_is_measured_in_no_longer_than_a_few_seconds():
    engine = TimedEngine(fixed=0.0, each=0.01)
    speed = measure_speed(engine, ["a text of some length"], 256)
    assert rows(engine, reading=True)[-1] < 256 and rows(engine, reading=False)[-1] < 256
    longest = {reading: max(s for c, w, s in engine.batches[1:] if (w == 1) == reading) for reading in (True, False)}
    assert longest[True] <= READ_S and longest[False] <= WRITE_S
    assert speed.write == pytest.approx(100)


def test_prompts_of_a_measurement_differ_so_that_each_is_read():
    texts = set()

    class Watching(TimedEngine):
        def run(self, batches, on_progress):
            texts.update(one.messages[-1].content for one in batches[0] if one.sampling.max_tokens == 1)
            return super().run(batches, on_progress)

    engine = Watching(fixed=0.002, each=1e-7)
    measure_speed(engine, ["the same"], 64)
    assert len(texts) == 64
