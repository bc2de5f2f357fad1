"""Options of evaluation suites, as data: `srlm eval` and `srlm.evaluate` are built from what the suites declare."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from srlm.errors import UsageError

if TYPE_CHECKING:
    from evals.model import EvalModel
    from srlm.console import Progress
    from srlm.runs import Run

T = TypeVar("T", str, int, float)

MAX_ITEMS = 10_000_000
"""Of prompts or tokens: more is a typing error, which would fill the memory before the first call."""


@dataclass(frozen=True)
class Option(Generic[T]):
    """An option of one suite or several, `--max-tokens` on the command line and `max_tokens=` in Python.

    Several suites share an option by naming the same object. Suites may also declare different objects of one name and
    type, each with a help text of its own. Where such values mean different things, so that one cannot serve both, the
    objects differ in `content`. `least` and `most` bound a number.
    """

    name: str
    type: type[T]
    help: str
    metavar: str | None = None
    least: T | None = None
    most: T | None = None
    content: str = ""

    @property
    def flag(self) -> str:
        """Return the option as the user writes it: `--max-tokens`."""
        return f"--{self.name.replace('_', '-')}"

    def convert(self, value: Any) -> T:
        """Return a value given in Python in the option's type: a path as text, a list joined with commas.

        Raises:
            UsageError: the value is of another type, or out of range.
        """
        if self.type is str:
            if isinstance(value, PathLike):
                value = fspath(value)
            elif isinstance(value, list | tuple):
                value = ",".join(map(str, value))
        elif self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, self.type) or isinstance(value, bool):
            raise UsageError(f"{self.name} must be of the type {self.type.__name__}, not {value!r:.40}.")
        least, most = -inf if self.least is None else self.least, inf if self.most is None else self.most
        if not isinstance(value, str) and not least <= value <= most:
            raise UsageError(f"{self.name} must be from {least} to {most}, not {value}.")
        return value


LIMIT = Option(
    "limit", int, "Use at most so many prompts; of each task, where a suite has several.", least=2, most=MAX_ITEMS
)
JUDGE_TOKENS = Option(
    "judge_tokens",
    int,
    "Tokens for a judge that reasons before it answers: it then names A or B in words. If not given, its next token "
    "decides.",
    least=1,
    most=MAX_ITEMS,
)
LEAST_MASS = Option(
    "least_mass",
    float,
    "The share of its probability that a judge must give its choices, else its verdict is not read; if not given, "
    "0.01, and 0.001 for the digits of expected scores.",
    least=0,
    most=1,
)


def max_tokens(default: str) -> Option[int]:
    """Declare `--max-tokens` of a suite, with what holds where the user gives none."""
    return Option("max_tokens", int, f"Tokens per answer; if not given, {default}.", least=1, most=MAX_ITEMS)


@dataclass(frozen=True)
class Preparation:
    """The input of a suite's `prepare`: the options that the user gave, and what they apply to.

    `names` are the models as the user wrote them, in the order of `models`. `declared` are the options of all suites
    that are prepared, by suite. `every` is true where all suites were asked for, so that a suite may fall back to what
    needs no network.
    """

    options: Mapping[str, Any]
    names: Sequence[str]
    models: "Sequence[EvalModel]"
    run: "Run"
    progress: "Progress"
    declared: Mapping[str, Sequence[Option[Any]]] = field(default_factory=dict)
    every: bool = False

    def get(self, option: Option[T]) -> T | None:
        """Return the value of an option, None where the user gave none."""
        value: T | None = self.options.get(option.name)
        return value

    def shared(self, option: Option[T]) -> bool:
        """Check if several of the suites that are prepared take an option."""
        return len(takers_of(option.name, self.declared)) > 1


@dataclass(frozen=True)
class Job:
    """A prepared suite.

    `run` generates and judges with models, outside judge, run and progress; it stores and returns one result a model
    (or pair). `engines` is False for a suite that loads its models by itself: a dry run leaves it out.
    """

    run: "Callable[[Sequence[EvalModel], EvalModel, Run, Progress], Sequence[Any]]"
    engines: bool = True


@dataclass(frozen=True)
class OptionGroup:
    """Options that the same suites take."""

    suites: tuple[str, ...]
    options: tuple[Option[Any], ...]


def group_options(declared: Mapping[str, Sequence[Option[Any]]]) -> list[OptionGroup]:
    """Group the options of suites by the suites that take them; options of one name become one.

    Args:
        declared: the options of each suite, by its name.
    """
    groups: dict[tuple[str, ...], list[Option[Any]]] = {}
    for name in dict.fromkeys(option.name for options in declared.values() for option in options):
        takers = takers_of(name, declared)
        groups.setdefault(tuple(takers), []).append(_joined(takers))
    return [OptionGroup(suites, tuple(options)) for suites, options in groups.items()]


def takers_of(name: str, declared: Mapping[str, Sequence[Option[Any]]]) -> dict[str, Option[Any]]:
    """Return the suites that take an option, each with its declaration."""
    return {suite: option for suite, options in declared.items() for option in options if option.name == name}


def split_list(value: str | None) -> list[str]:
    """Split the value of an option that takes several with commas."""
    return [part.strip() for part in (value or "").split(",") if part.strip()]


def _joined(takers: Mapping[str, Option[Any]]) -> Option[Any]:
    """Join the declarations of one option, with the help text of each."""
    distinct: dict[Option[Any], list[str]] = {}
    for suite, option in takers.items():
        distinct.setdefault(option, []).append(suite)
    first, *others = distinct
    for other in others:
        if (other.type, other.least, other.most) != (first.type, first.least, first.most):
            raise ValueError(f"Suites declare {first.flag} with different types or ranges: {', '.join(takers)}.")
    if not others:
        return first
    texts = [f"{', '.join(suites)}: {option.help}" for option, suites in distinct.items()]
    return Option(first.name, first.type, " ".join(texts), first.metavar, first.least, first.most)
