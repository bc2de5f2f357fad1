"""What a call costs, in US dollars. A price that nobody knows is None, and said to be unknown; never taken as 0."""

from dataclasses import dataclass

from srlm.types import Completion

MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens read and for a million tokens written."""

    prompt: float
    completion: float

    def of(self, completion: Completion) -> float:
        """The cost of one answered call."""
        return (completion.prompt_tokens * self.prompt + completion.completion_tokens * self.completion) / MILLION


FREE = Price(0.0, 0.0)
"""A model on the user's own machine."""
