"""Samples: prompts with all answers to them and the judgements on these, to which the values of the report link.

A link names facets, and the page shows the samples that have them (`link`). The facets of a prompt are its suite,
category, complexity, length and selection; those of an answer are in its outcome tags. A link that names several facets
of an answer needs one tag that has all of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from srlm.types import Failed, InjectionFlag, Unparsed, Verdict

NO_LABEL = "no label"

Span = tuple[int, int, str]
"""Start and end in characters of the text, and the kind of what was found there."""


@dataclass(frozen=True)
class OutcomeTag:
    """An outcome of an answer that a metric counts; `hidden` ones are found by links, and not printed."""

    model: str
    outcome: str
    opponent: str = ""
    turn: str = ""
    score: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class Judgement:
    """A verdict: the judge, its object and result, and the judge's reply, with the reasoning before it."""

    by: str
    about: str
    result: str
    text: str
    thoughts: str = ""


@dataclass(frozen=True)
class Reply:
    """An answer with its outcomes and judgements; `flags` are suspected prompt injections.

    `thoughts` is the reasoning before the answer: it is shown folded, and not searched.
    """

    by: str
    text: str
    note: str = ""
    tags: tuple[OutcomeTag, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    flags: tuple[Span, ...] = ()
    thoughts: str = ""


@dataclass(frozen=True)
class Sample:
    """A prompt of a suite or of an iteration, and the answers to it.

    `selection` is "gave a pair", or the reason why the iteration did not train on the prompt.
    """

    id: str
    suite: str
    prompt: str
    replies: tuple[Reply, ...]
    category: str = NO_LABEL
    complexity: str = NO_LABEL
    length: str = NO_LABEL
    selection: str = ""


def link(**facets: str | Sequence[str]) -> str:
    """Return the address of the samples with these facets; of several values of one facet any matches."""
    return f"#samples?{urlencode({key: value for key, value in facets.items() if value}, doseq=True)}"


def judgement_of(verdict: Verdict, about: str, choices: Sequence[str] = ()) -> Judgement:
    """Describe a verdict. `choices` are the answers that its probabilities belong to."""
    reading = verdict.reading
    if isinstance(reading, Failed):
        return Judgement(verdict.judge, about, f"no reply: {reading.reason}", "")
    if isinstance(reading, Unparsed):
        return Judgement(verdict.judge, about, f"not parsed: {reading.reason}", reading.text, verdict.thoughts)
    if choices and reading.probabilities:
        pairs = zip(choices, reading.probabilities, strict=False)
        return Judgement(verdict.judge, about, ", ".join(f"{one} {p:.2f}" for one, p in pairs), reading.text)
    return Judgement(verdict.judge, about, f"{reading.value:.4g}", reading.text, verdict.thoughts)


def injection_spans(found: Iterable[InjectionFlag], answer_id: str) -> tuple[Span, ...]:
    """Return the places of suspected prompt injections in an answer, each once."""
    return tuple(sorted({(one.start, one.end, one.kind) for one in found if one.answer_id == answer_id}))
