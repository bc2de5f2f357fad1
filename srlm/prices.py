"""Prices of API calls in US dollars. An unknown price is None and reported as unknown, never counted as 0.

Prices come from the library genai-prices, which contains a dated list of the providers' prices. The list is read as
installed and never fetched, so that one installation always computes the same costs.
"""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from srlm.types import Completion

MILLION = 1_000_000
LIBRARY = "genai-prices"


@dataclass(frozen=True)
class Price:
    """Price in US dollars per million prompt tokens and per million completion tokens."""

    prompt: float
    completion: float

    def of(self, completion: Completion) -> float:
        """Return the cost of one answered call."""
        return (completion.prompt_tokens * self.prompt + completion.completion_tokens * self.completion) / MILLION


def cost_of(price: "Price", completion: Completion) -> float | None:
    """Return the cost of an answered call; None if the server did not report its tokens.

    A count of 0 means unknown: every call has a prompt, and every text has tokens.
    """
    written = completion.text or completion.thoughts
    if price != FREE and (not completion.prompt_tokens or (written and not completion.completion_tokens)):
        return None
    return price.of(completion)


FREE = Price(0.0, 0.0)
"""Price of a model on the user's own machine."""


def price_of(provider: str, model: str) -> Price | None:
    """Look up today's price of a model of a provider such as "openai"; None if the list does not have it.

    It is the base price: where long prompts cost more, that of short ones, like a judge's. Left out: discounts for
    cached prompts and for batch processing.
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
    """Return the installed price list, such as "genai-prices 0.2.3"; None if there is none.

    Its date is that of the library's version.
    """
    try:
        return f"{LIBRARY} {version(LIBRARY)}"
    except PackageNotFoundError:
        return None


def _plain(price: Any) -> float | None:
    """Convert a price, or the first of tiered prices, from the library's decimals."""
    return None if price is None else float(getattr(price, "base", price))
