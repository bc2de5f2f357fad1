"""Countdown as a task (`srlm.countdown`): the rule and the sizes of its puzzles are settings, and part of its label."""

from dataclasses import dataclass
from itertools import islice

from srlm.answer_line import answer_line
from srlm.countdown.task import COUNTDOWN, Countdown, Rule, countdowns_of, read_equation, uses
from srlm.errors import UsageError
from srlm.tasks.task import Problem, Split


@dataclass(frozen=True)
class CountdownTask:
    """Countdown puzzles by one rule, whose sizes come in turn."""

    rule: Rule
    sizes: tuple[int, ...]
    checks: bool = True

    @property
    def label(self) -> str:
        """Return "countdown (exactly once, 3 numbers)"."""
        return f"{COUNTDOWN} ({self.rule}, {' or '.join(map(str, self.sizes))} numbers)"

    def problems(self, count: int, seed: int, split: Split) -> list[Problem]:
        """Return puzzles in an order that depends on the seed; their solutions are not part of them.

        Raises:
            UsageError: the split has fewer.
        """
        found = list(islice(countdowns_of(split, seed, self.sizes), count))
        if len(found) < count:
            raise UsageError(
                f"The task {self.label} has about {len(found):,} problems in its split {split}, and {count:,} are "
                "asked for. Ask for fewer (rollouts.problems, or --limit of srlm eval), or more sizes (rollouts.sizes)."
            )
        return [
            Problem(one.id, one.prompt(self.rule), {"numbers": [*one.numbers], "target": one.target}) for one in found
        ]

    def extract(self, text: str) -> str | None:
        """Return what the last line that begins with "Answer:" holds; None if there is none."""
        return answer_line(text)

    def check(self, problem: Problem, answer: str) -> bool:
        """Return whether an expression, or its equation with the target, uses the numbers by the rule and equals it."""
        numbers, target = problem.data["numbers"], problem.data["target"]
        found = read_equation(answer, target)
        return found is not None and uses(found, numbers, self.rule) and found.value == target


def puzzle_of(problem: Problem) -> Countdown:
    """Return the puzzle of a problem; its solution is unknown."""
    return Countdown(tuple(problem.data["numbers"]), problem.data["target"])
