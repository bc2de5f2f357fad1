"""Countdown benchmark (`srlm.countdown`): hard to find, and easy to check, by one of the two rules.

Without a rule it is "at most once", the rule of earlier results. The numbers and targets are the same by both rules,
and each can be solved by both.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice

from evals.suites.verifiable.benchmark import CheckedBenchmark, CheckedPrompt, CheckResult
from srlm.countdown.task import COUNTDOWN, ITEMS, Countdown, Rule, countdowns, read_answer, uses
from srlm.types import Prompt

MAX_TOKENS = 1024
CONDITIONS = ("expression", "numbers", "target")
"""Conditions of an answer: it can be parsed, uses only the given numbers as the rule asks, and equals the target."""


def countdown_benchmark(
    limit: int | None, rule: Rule = "at most once", puzzles: Iterable[Countdown] | None = None
) -> CheckedBenchmark:
    """Return the first items; each of the three conditions is an instruction. Unparseable answers follow none.

    Args:
        limit: number of items, `ITEMS` if None.
        rule: how often a number may be used.
        puzzles: the items, in place of those of all sizes.
    """
    chosen = islice(countdowns() if puzzles is None else puzzles, limit or ITEMS)
    items = tuple(checked_prompt(one, rule) for one in chosen)
    checker = "exact arithmetic" if rule == "at most once" else f"exact arithmetic, each number {rule}"
    return CheckedBenchmark(COUNTDOWN, checker, items, MAX_TOKENS, partial(_check, rule), rule=f"each number {rule}")


def checked_prompt(puzzle: Countdown, rule: Rule) -> CheckedPrompt:
    """Return a puzzle as a prompt; its category is the number of numbers."""
    prompt = Prompt(
        puzzle.id,
        puzzle.prompt(rule),
        "evaluation",
        category=f"{len(puzzle.numbers)} numbers",
        reference=puzzle.solution or None,
    )
    return CheckedPrompt(prompt, CONDITIONS, ({}, {"numbers": puzzle.numbers}, {"target": puzzle.target}))


def _check(rule: Rule, item: CheckedPrompt, answer: str) -> CheckResult:
    numbers: Sequence[int] = item.arguments[1]["numbers"]
    target: int = item.arguments[2]["target"]
    found = read_answer(answer, target)
    if found is None:
        return CheckResult((False,) * len(CONDITIONS))
    return CheckResult((True, uses(found, numbers, rule), found.value == target))
