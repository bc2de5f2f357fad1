"""Checked benchmark: prompts with instructions, and the program that checks whether an answer follows them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from srlm.digest import digest_of_set
from srlm.types import Prompt


@dataclass(frozen=True)
class CheckedPrompt:
    """A prompt, with the names of the instructions in it and the arguments of each."""

    prompt: Prompt
    instructions: tuple[str, ...]
    arguments: tuple[dict[str, Any], ...] = field(default=())


@dataclass(frozen=True)
class CheckResult:
    """For each instruction of a prompt, True if an answer follows it; `loose` by a lenient reading, if there is one.

    `flaw` names what is wrong with the answer as a whole, where the checker looks for that.
    """

    strict: tuple[bool, ...]
    loose: tuple[bool, ...] | None = None
    flaw: str | None = None


@dataclass(frozen=True)
class CheckedBenchmark:
    """Prompts and the program that checks the answers. `max_tokens` is the default length of an answer.

    `rule` is what the checker asks for, where a task has several rules; every result names it.
    """

    name: str
    checker: str
    items: tuple[CheckedPrompt, ...]
    max_tokens: int
    check: Callable[[CheckedPrompt, str], CheckResult]
    rule: str | None = None

    @property
    def digest(self) -> str:
        """Return a hash of the prompts and of what is checked."""
        asked = (
            f"{one.prompt.id}\x1f{one.prompt.instruction}\x1f{one.instructions}"
            f"\x1f{[sorted(arguments.items()) for arguments in one.arguments]}\x1e"
            for one in sorted(self.items, key=lambda item: item.prompt.id)
        )
        return digest_of_set(len(self.items), asked)
