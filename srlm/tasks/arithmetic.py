"""Arithmetic word problems as a task (`srlm.arithmetic`)."""

from dataclasses import dataclass
from itertools import islice

from srlm.answer_line import answer_line
from srlm.arithmetic.task import ARITHMETIC, read_number, word_problems
from srlm.errors import UsageError
from srlm.tasks.task import Problem, Split


@dataclass(frozen=True)
class ArithmeticTask:
    """Word problems whose answer is a whole number."""

    label: str = f"{ARITHMETIC} (word problems)"
    checks: bool = True

    def problems(self, count: int, seed: int, split: Split) -> list[Problem]:
        """Return problems in an order that depends on the seed.

        Raises:
            UsageError: the split has fewer.
        """
        found = list(islice(word_problems(split, seed), count))
        if len(found) < count:
            raise UsageError(
                f"The task {self.label} has about {len(found):,} problems in its split {split}, and {count:,} are "
                "asked for. Ask for fewer (rollouts.problems, or --limit of srlm eval)."
            )
        return [Problem(one.id, one.prompt, {"answer": one.answer}) for one in found]

    def extract(self, text: str) -> str | None:
        """Return what the last line that begins with "Answer:" holds; None if there is none."""
        return answer_line(text)

    def check(self, problem: Problem, answer: str) -> bool:
        """Return whether the answer is the number."""
        return read_number(answer) == int(problem.data["answer"])
