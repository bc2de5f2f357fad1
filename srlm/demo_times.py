"""The time that `make demo` and `make demo-lm` take on a processor, from a measurement on another one.

A part of the time goes with the speed of matrix products, the other part is Python and small operations, which differ
less between processors. Left out: building .venv, which depends on the network and the disk.
"""

from dataclasses import dataclass

from srlm.processor import Processor


@dataclass(frozen=True)
class DemoTime:
    """A measured demo.

    Attributes:
        target: the command.
        seconds: what its commands took, without building .venv.
        gflops: float32 speed of that processor, on one core or on all, as the demo uses them.
        one_core: the demo computes on one core.
        share: part of its time that goes with that speed.
    """

    target: str
    seconds: float
    gflops: float
    one_core: bool
    share: float

    def on(self, processor: Processor) -> float:
        """Return about how many seconds it takes on another processor."""
        speed = processor.one_core if self.one_core else processor.all_cores
        return self.seconds * (1 - self.share + self.share * self.gflops / speed)


DEMOS = (
    DemoTime("make demo", 86, 174, one_core=True, share=0.25),
    DemoTime("make demo-lm", 917, 328, one_core=False, share=0.35),
)
"""Measured on two cores of an Intel Xeon, AVX-512 without bfloat16, alone on the machine (docs/explain/puzzle.md and
docs/explain/sentences.md, How long it takes). The shares are from the same cores kept to AVX2."""
