"""What a call costs, in US dollars. A price that nobody knows is None, and said to be unknown; never taken as 0.

Prices come from the library genai-prices, which carries a dated list of its makers. The list is read as it was
installed and never fetched, so that the same installation gives the same figures.
"""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from srlm.types import Completion

MILLION = 1_000_000
LIBRARY = "genai-prices"


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens read and for a million tokens written."""

    prompt: float
    completion: float

    def of(self, completion: Completion) -> float:
        """The cost of one answered call."""
        return (completion.prompt_tokens * self.prompt + completion.completion_tokens * self.completion) / MILLION


def cost_of(price: "Price", completion: Completion) -> float | None:
    """The cost of an answered call; None where the server did not say how many tokens it took.

    A count of 0 stands for one that is not known: each call has a prompt, and what was written has tokens.
    """
    written = completion.text or completion.thoughts
    if price != FREE and (not completion.prompt_tokens or (written and not completion.completion_tokens)):
        return None
    return price.of(completion)


FREE = Price(0.0, 0.0)
"""A model on the user's own machine."""


def price_of(provider: str, model: str) -> Price | None:
    """What a provider such as "openai" takes for a model today; None when the list does not know it, or is not there.

    It is the plain price. Where long prompts cost more, it is that of short ones, as a judge's are; discounts, for
    prompts that the provider kept or for slow batches, are left out.
    """
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    try:
        found = calc_price(Usage(input_tokens=1, output_tokens=1), model, provider_id=provider).model_price
    except LookupError:
        return None
    prompt, completion = _plain(found.input_mtok), _plain(found.output_mtok)
    return None if prompt is None or completion is None else Price(prompt, completion)


def prices_dated() -> str | None:
    """Which price list is installed, such as "genai-prices 0.2.3"; None when there is none.

    The list bears no date but its version's.
    """
    try:
        return f"{LIBRARY} {version(LIBRARY)}"
    except PackageNotFoundError:
        return None


def _plain(price: Any) -> float | None:
    """A price, or the first of a ladder of prices; the library computes in decimals."""
    return None if price is None else float(getattr(price, "base", price))
