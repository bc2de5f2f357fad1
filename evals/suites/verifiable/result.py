"""Stored result of the suite verifiable."""

from dataclasses import dataclass

from evals.results import NO_ENDINGS, Endings, Provenance
from srlm.types import SCHEMA, Finish


@dataclass(frozen=True)
class PromptCheck:
    """A program's check of one model's answer to a prompt: for each instruction in it, True if it is followed.

    `strict`, `loose` and `finish` are None for an answer that never came; `loose` also where the checker has no
    lenient reading. `length` is in characters. `flaw` names what is wrong with the answer as a whole, if the checker
    looks for that.
    """

    prompt_id: str
    instructions: tuple[str, ...]
    strict: tuple[bool, ...] | None
    loose: tuple[bool, ...] | None
    length: int
    finish: Finish | None
    flaw: str | None = None


@dataclass(frozen=True)
class VerifiableResult:
    """Checks of one model's answers. There is no judge: the provenance names the checker in its place.

    `rule` is the benchmark's, where its task has several. Results of Countdown from before it was stored have "each
    number at most once".
    """

    model: str
    identity: str
    provenance: Provenance
    checked: tuple[PromptCheck, ...]
    suite: str = "verifiable"
    schema: int = SCHEMA
    endings: Endings = NO_ENDINGS
    rule: str | None = None
