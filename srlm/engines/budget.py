"""What a command may spend. A call is made only when the most that it can cost still fits under the limit."""

from srlm.errors import BudgetSpent, UsageError
from srlm.prices import Price
from srlm.types import Completion, Request

MESSAGE_TOKENS = 16
"""Tokens that a protocol may add for each turn, and once for the whole prompt: roles, marks, the answer's beginning."""

CHARACTERS = 4
"""Of English text in a token, roughly."""


def most_prompt_tokens(request: Request) -> int:
    """A bound on the tokens of a prompt: no tokenizer in use makes more than one token of a byte."""
    parts = [*(message.content for message in request.messages), request.prefill]
    written = sum(len(part.encode("utf-8", "replace")) for part in parts)
    return written + MESSAGE_TOKENS * (len(request.messages) + 1)


def likely_prompt_tokens(request: Request) -> int:
    """About how many tokens a prompt has."""
    written = sum(len(message.content) for message in request.messages) + len(request.prefill)
    return written // CHARACTERS + MESSAGE_TOKENS


def most(request: Request, price: Price, completion_tokens: int) -> float:
    """The most US dollars that one attempt of a call can cost."""
    return price.of(Completion("", "length", most_prompt_tokens(request), completion_tokens))


class Budget:
    """The money of one command, in US dollars, shared by all the engines that it opens.

    `reserved` is the most that the calls in flight can cost, `spent` what ended calls cost. A call that broke before
    its reply could be read may have been billed: it counts with the most that it can have cost.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.spent = 0.0
        self._reserved: list[float] = []

    @property
    def idle(self) -> bool:
        """Whether no call is in flight, so that waiting frees nothing."""
        return not self._reserved

    def reserve(self, amount: float) -> bool:
        """Set `amount` aside for a call, if it still fits."""
        if self.spent + sum(self._reserved) + amount > self.limit:
            return False
        self._reserved.append(amount)
        return True

    def settle(self, amount: float, cost: float) -> None:
        """The call for which `amount` was set aside has ended, and has cost `cost`."""
        self._reserved.remove(amount)
        self.spent += cost

    def refusal(self, model: str, amount: float, kept: int) -> BudgetSpent:
        """What to say when the next call of a model does not fit."""
        return BudgetSpent(
            f"--max-cost {self.limit:g} is reached: ${self.spent:.4f} are spent, and the next call of {model} may cost "
            f"${amount:.4f}. What was answered is kept ({kept} calls of this step among it); the same command goes on "
            "from there, with a --max-cost for what is still to be paid.",
            limit=self.limit,
            spent=self.spent,
            next_call=amount,
        )


def require_price(model: str, price: Price | None) -> None:
    """Refuse a limit that could not be kept.

    Raises:
        UsageError: nobody knows what the model costs.
    """
    if price is None:
        raise UsageError(
            f"--max-cost cannot be kept: the price of {model} is not known. Leave --max-cost out (--estimate tells how "
            "many calls and tokens there will be), or use a model whose price is known."
        )
