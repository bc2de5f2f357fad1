"""The spending limit of a command. A call is made only if its maximum cost fits under the limit."""

from srlm.errors import BudgetSpent, UsageError
from srlm.prices import Price
from srlm.types import Completion, Request

MESSAGE_TOKENS = 16
"""Tokens that a protocol may add for each turn and once for the prompt: roles, marks, the beginning of the answer."""

CHARACTERS_PER_TOKEN = 4
"""Of English text, roughly."""


def max_prompt_tokens(request: Request) -> int:
    """Return an upper bound on the tokens of a prompt: no tokenizer in use makes more than one token of a byte."""
    parts = [*(message.content for message in request.messages), request.prefill]
    size = sum(len(part.encode("utf-8", "replace")) for part in parts)
    return size + MESSAGE_TOKENS * (len(request.messages) + 1)


def estimate_prompt_tokens(request: Request) -> int:
    """Estimate the tokens of a prompt from its characters."""
    length = sum(len(message.content) for message in request.messages) + len(request.prefill)
    return length // CHARACTERS_PER_TOKEN + MESSAGE_TOKENS


def max_cost(request: Request, price: Price, completion_tokens: int) -> float:
    """Return the most US dollars that one attempt of a call can cost."""
    return price.of(Completion("", "length", max_prompt_tokens(request), completion_tokens))


class Budget:
    """The budget of one command in US dollars, shared by all engines that the command opens.

    `spent` is the cost of completed calls; the maximum cost of pending ones is reserved. A call that failed before its
    reply could be read may have been billed: it counts with its maximum cost.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.spent = 0.0
        self._reserved: list[float] = []

    @property
    def idle(self) -> bool:
        """Return whether no call is pending, so that waiting frees nothing."""
        return not self._reserved

    def reserve(self, amount: float) -> bool:
        """Reserve `amount` for a call; return whether it fitted."""
        if self.spent + sum(self._reserved) + amount > self.limit:
            return False
        self._reserved.append(amount)
        return True

    def settle(self, amount: float, cost: float) -> None:
        """Replace the reservation of `amount` with the cost of the call, which has ended."""
        self._reserved.remove(amount)
        self.spent += cost

    def refusal(self, model: str, amount: float, kept: int) -> BudgetSpent:
        """Build the error for a call that does not fit; `kept` calls of the step are answered."""
        return BudgetSpent(
            f"--max-cost {self.limit:g} is reached: ${self.spent:.4f} are spent, and the next call of {model} may cost "
            f"${amount:.4f}. Completed calls are kept ({kept} of this step); run the same command again to resume, "
            "with a --max-cost for the remaining calls.",
            limit=self.limit,
            spent=self.spent,
            next_call=amount,
        )


def require_price(model: str, price: Price | None) -> None:
    """Refuse a limit for a model whose price is unknown.

    Raises:
        UsageError: `price` is None.
    """
    if price is None:
        raise UsageError(
            f"--max-cost cannot be enforced: the price of {model} is unknown. Omit --max-cost (--estimate shows the "
            "number of calls and tokens), or use a model with a known price."
        )
