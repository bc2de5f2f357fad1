"""Pairwise judge session of the suites in which a judge compares two answers."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from evals.model import EvalModel, load
from evals.options import JUDGE_TOKENS, LEAST_MASS, LIMIT, Preparation
from evals.prompt_sets import prompts_digest, save_prompts
from evals.results import Provenance, stage_name
from evals.single_turn import MAX_TOKENS, PROMPTS, load_prompts, sampling_of
from srlm.console import Progress
from srlm.engines.engine import Engine
from srlm.inference import Caller
from srlm.judges.judge_card import JudgeCard
from srlm.judges.measure_judge_card import measure_judge_card
from srlm.judges.pairwise import VOTE, Match, Preference, Voting, compare, load_pairwise, voting_of
from srlm.judges.preference_data import LabelledSet, load_labelled
from srlm.judges.template import Template
from srlm.ledger import Ledger
from srlm.runs import Run
from srlm.types import Answer, Outcome, Prompt, Sampling, Verdict

REFERENCE = "reference"
"""The name under which references are a model's opponent."""
CARD_PAIRS = 60
"""Labelled pairs on which the judge's card is measured."""

Pair = tuple[str, str]
"""The model whose wins are counted, and its opponent."""


OPTIONS = (PROMPTS, LIMIT, MAX_TOKENS, JUDGE_TOKENS, LEAST_MASS)


@dataclass(frozen=True)
class PairwiseSetup:
    """The prompts, the sampling of the answers, and the way in which the judge is measured and asked.

    Attributes:
        prompts: to answer; with references, where these are the opponent.
        sampling: of the models' answers.
        labelled: labelled pairs, on which the judge's card is measured.
        voting: the form of the judge's verdicts.
    """

    prompts: Sequence[Prompt]
    sampling: Sampling
    labelled: LabelledSet
    voting: Voting = VOTE


def prepare_pairwise(preparation: Preparation, *, answered: bool = False) -> PairwiseSetup:
    """Load the prompts that the options name, and the labelled pairs.

    Args:
        preparation: has the options.
        answered: refuse prompts without a reference.

    Raises:
        DataError: the prompts cannot be read, or one lacks its reference.
    """
    return PairwiseSetup(
        load_prompts(preparation, answered=answered),
        sampling_of(preparation),
        load_labelled(),
        voting_of(preparation.get(JUDGE_TOKENS), preparation.get(LEAST_MASS)),
    )


@dataclass(frozen=True)
class PairwiseJudgeSession:
    """A loaded pairwise judge with its reliability card and the provenance of its verdicts."""

    suite: str
    judge: EvalModel
    engine: Engine
    template: Template
    card: JudgeCard
    provenance: Provenance
    run: Run
    progress: Progress
    voting: Voting

    def judge_pairs(
        self, models: str | Pair, matches: Sequence[Match], label: str
    ) -> tuple[list[Preference], Provenance]:
        """Judge pairs of answers in both orders, and store the verdicts.

        Args:
            models: the model or the pair that the verdicts are on, for the name of their file.
            matches: the pairs of answers.
            label: the models in words, for the user.

        Returns:
            The preferences, and the provenance with the days of the verdicts.
        """
        preferences = compare(
            Caller(self.engine, self.run.ledger, f"evals/{self.suite}", self.progress),
            self.template,
            matches,
            label=f"{self.engine.name} judges {label} in both orders",
            voting=self.voting,
        )
        verdicts = [one for found in preferences for one in found.verdicts]
        self.run.write(stage_name(self.run, self.suite, models, "verdicts"), verdicts)
        return preferences, with_dates(self.provenance, self.judge, verdicts, self.run.ledger)


@contextmanager
def open_pairwise_judge(
    suite: str, judge: EvalModel, setup: PairwiseSetup, run: Run, progress: Progress
) -> Iterator[PairwiseJudgeSession]:
    """Load the judge, measure its card on labelled pairs, and store the prompts that it is about to judge."""
    with load(judge) as engine:
        caller = Caller(engine, run.ledger, "evals/card", progress)
        card = measure_judge_card(caller, setup.labelled, limit=CARD_PAIRS, voting=setup.voting)
        template = load_pairwise()
        provenance = make_provenance(engine, template, setup.prompts, setup.sampling, setup.voting)
        save_prompts(run, provenance.prompts, setup.prompts)
        yield PairwiseJudgeSession(suite, judge, engine, template, card, provenance, run, progress, setup.voting)


def make_provenance(
    judge: Engine, template: Template, prompts: Sequence[Prompt], sampling: Sampling, voting: Voting = VOTE
) -> Provenance:
    """Build the provenance of verdicts: judge, prompt template, prompt set, and sampling of the answers."""
    return Provenance(
        judge=f"{judge.name} {judge.identity}",
        rubric=voting.label(template),
        prompts=prompts_digest(prompts),
        sampling=f"T={sampling.temperature} top-p={sampling.top_p} max_tokens={sampling.max_tokens}",
    )


def with_dates(provenance: Provenance, judge: EvalModel, verdicts: Iterable[Verdict], ledger: Ledger) -> Provenance:
    """Add the days on which the verdicts came, if the judge is remote."""
    return (
        replace(provenance, dates=ledger.days(one.call for one in verdicts if one.call)) if judge.remote else provenance
    )


def has_injection(found: Preference, answer: Answer) -> bool:
    """Check if an answer of the match holds a prompt injection."""
    return any(one.answer_id == answer.id for verdict in found.verdicts for one in verdict.injection_suspected)


def make_outcome(
    pair: Pair, prompt_id: str, answer: Answer | None, opponent_answer: Answer | None, found: Preference | None
) -> Outcome:
    """Build the outcome of a prompt; without a preference where either model has no answer.

    Such a prompt stays in the result: it must not shrink the denominator.
    """
    return Outcome(
        prompt_id=prompt_id,
        model=pair[0],
        opponent=pair[1],
        preference=found.value if found else None,
        orders=found.orders if found else (None, None),
        length=len(answer.text) if answer else 0,
        opponent_length=len(opponent_answer.text) if opponent_answer else 0,
        verdict_ids=tuple(verdict.id for verdict in found.verdicts) if found else (),
    )
