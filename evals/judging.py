"""What the suites share in which a judge compares two answers."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from evals.contestants import Contestant
from evals.results import Provenance
from srlm.digest import digest_of_set
from srlm.engines.engine import Engine
from srlm.judges.pairwise import Preference
from srlm.judges.template import Template
from srlm.ledger import Ledger
from srlm.types import Answer, Prompt, Sampling, Verdict

CARD_PAIRS = 60
"""Labelled pairs on which the judge's card is measured."""


def judged_by(judge: Engine, template: Template, prompts: Sequence[Prompt], sampling: Sampling) -> Provenance:
    """Whose verdicts they are, by which prompt, on what, and how it was answered."""
    return Provenance(
        judge=f"{judge.name} {judge.identity}",
        rubric=f"{template.name}:{template.digest}",
        prompts=prompts_digest(prompts),
        sampling=f"T={sampling.temperature} top-p={sampling.top_p} max_tokens={sampling.max_tokens}",
    )


def dated(provenance: Provenance, judge: Contestant, verdicts: Iterable[Verdict], ledger: Ledger) -> Provenance:
    """With the days on which the verdicts came, where the judge is behind a server."""
    return (
        replace(provenance, dates=ledger.days(one.call for one in verdicts if one.call)) if judge.remote else provenance
    )


def prompts_digest(prompts: Sequence[Prompt]) -> str:
    """Tells sets of prompts and references apart."""
    ordered = sorted(prompts, key=lambda prompt: prompt.id)
    return digest_of_set(len(prompts), (f"{one.id}\x1f{one.instruction}\x1f{one.reference}\x1e" for one in ordered))


def flagged(found: Preference, answer: Answer) -> bool:
    """Whether an answer of the match holds something that speaks to the judge."""
    return any(one.answer_id == answer.id for verdict in found.verdicts for one in verdict.injection_suspected)
