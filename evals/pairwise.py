"""What the suites share in which a judge compares two answers."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from evals.model import Contestant, opened
from evals.prompt_sets import prompts_digest, save_prompts
from evals.results import Provenance, stage_name
from srlm.console import Progress
from srlm.engines.engine import Engine
from srlm.inference import Caller
from srlm.judges.judge_card import JudgeCard
from srlm.judges.measure_judge_card import measure_judge_card
from srlm.judges.pairwise import VOTE, Match, Preference, Voting, compare, load_pairwise
from srlm.judges.preference_data import LabelledSet
from srlm.judges.template import Template
from srlm.ledger import Ledger
from srlm.runs import Run
from srlm.types import Answer, Prompt, Sampling, Verdict

REFERENCE = "reference"
"""The name under which references are a model's opponent."""
CARD_PAIRS = 60
"""Labelled pairs on which the judge's card is measured."""

Pair = tuple[str, str]
"""The model whose wins are counted, and its opponent."""


@dataclass(frozen=True)
class Sitting:
    """A judge of pairs, opened for a suite: its card, and the provenance of all that it decides there."""

    suite: str
    judge: Contestant
    engine: Engine
    template: Template
    card: JudgeCard
    provenance: Provenance
    run: Run
    progress: Progress
    voting: Voting

    def decide(
        self, models: str | tuple[str, str], matches: Sequence[Match], whom: str
    ) -> tuple[list[Preference], Provenance]:
        """The preferences in both orders, whose verdicts are written down; and the provenance with their days."""
        preferences = compare(
            Caller(self.engine, self.run.ledger, f"evals/{self.suite}", self.progress),
            self.template,
            matches,
            label=f"{self.engine.name} judges {whom} in both orders",
            voting=self.voting,
        )
        verdicts = [one for found in preferences for one in found.verdicts]
        self.run.write(stage_name(self.run, self.suite, models, "verdicts"), verdicts)
        return preferences, dated(self.provenance, self.judge, verdicts, self.run.ledger)


@contextmanager
def sitting(
    suite: str,
    judge: Contestant,
    labelled: LabelledSet,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    run: Run,
    progress: Progress,
    voting: Voting = VOTE,
) -> Iterator[Sitting]:
    """Open the judge, measure its card on labelled pairs, and keep the prompts that it will be asked about."""
    with opened(judge) as engine:
        caller = Caller(engine, run.ledger, "evals/card", progress)
        card = measure_judge_card(caller, labelled, limit=CARD_PAIRS, voting=voting)
        template = load_pairwise()
        provenance = judged_by(engine, template, prompts, sampling, voting)
        save_prompts(run, provenance.prompts, prompts)
        yield Sitting(suite, judge, engine, template, card, provenance, run, progress, voting)


def judged_by(
    judge: Engine, template: Template, prompts: Sequence[Prompt], sampling: Sampling, voting: Voting = VOTE
) -> Provenance:
    """Whose verdicts they are, by which prompt, on what, and how it was answered."""
    return Provenance(
        judge=f"{judge.name} {judge.identity}",
        rubric=voting.label(template),
        prompts=prompts_digest(prompts),
        sampling=f"T={sampling.temperature} top-p={sampling.top_p} max_tokens={sampling.max_tokens}",
    )


def dated(provenance: Provenance, judge: Contestant, verdicts: Iterable[Verdict], ledger: Ledger) -> Provenance:
    """With the days on which the verdicts came, where the judge is behind a server."""
    return (
        replace(provenance, dates=ledger.days(one.call for one in verdicts if one.call)) if judge.remote else provenance
    )


def flagged(found: Preference, answer: Answer) -> bool:
    """Whether an answer of the match holds something that speaks to the judge."""
    return any(one.answer_id == answer.id for verdict in found.verdicts for one in verdict.injection_suspected)
