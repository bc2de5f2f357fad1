"""Integration as a task (`srlm.integration`): its checks run in a process of their own, with a limit."""

from itertools import islice

from srlm.answer_line import answer_line
from srlm.errors import UsageError
from srlm.integration.expression import read_function
from srlm.integration.task import INTEGRATION, TERMS, integrals
from srlm.optional_deps import require
from srlm.tasks.isolated import IsolatedChecker
from srlm.tasks.task import Problem, Split

CHECK_SECONDS = 5.0
"""Processor time for one check, which usually takes some hundredths of a second."""


class IntegrationTask:
    """Integrands whose antiderivative is asked for."""

    label = f"{INTEGRATION} ({TERMS[0]} to {TERMS[-1]} terms)"
    checks = True

    def __init__(self) -> None:
        """Look for SymPy, which checks.

        Raises:
            MissingDependency: it is not installed.
        """
        require("sympy", "The checker of integrals", "tasks")
        self._checker = IsolatedChecker("integration", seconds=CHECK_SECONDS)

    def problems(self, count: int, seed: int, split: Split) -> list[Problem]:
        """Return integrands in an order that depends on the seed; no solution is part of them.

        Raises:
            UsageError: the split has fewer.
        """
        found = list(islice(integrals(split, seed), count))
        if len(found) < count:
            raise UsageError(
                f"The task {self.label} has about {len(found):,} problems in its split {split}, and {count:,} are "
                "asked for. Ask for fewer (rollouts.problems, or --limit of srlm eval)."
            )
        return [Problem(f"{INTEGRATION}-{one.integrand}", one.prompt, {"integrand": one.integrand}) for one in found]

    def extract(self, text: str) -> str | None:
        """Return what the last line that begins with "Answer:" holds; None if there is none."""
        return answer_line(text)

    def check(self, problem: Problem, answer: str) -> bool | None:
        """Return whether the derivative of the answer is the integrand; None if that cannot be decided in time."""
        if read_function(answer) is None:
            return False
        return self._checker.check(problem.data, answer).right
