"""Source of the report's samples: the records of a run behind its results, put together prompt by prompt.

Records that are missing, such as the answers of a result, are left out and never made up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from evals.labels.store import Label, load_labels
from evals.prompt_sets import load_prompt_sets
from evals.results import Results, stage_name
from evals.sample import NO_LABEL, OutcomeTag, Reply, Sample, injection_spans, judgement_of
from srlm.judges.pairwise import CHOICES, verdict_of
from srlm.runs import Run
from srlm.strip_reasoning import length_note
from srlm.transcript import transcript
from srlm.types import Answer, Outcome, Prompt, Verdict

UNREAD, UNANSWERED = "no verdict", "no answer"


@dataclass
class PromptReplies:
    """The prompts of a suite with their labels, and the replies to them, by prompt id."""

    suite: str
    prompts: dict[str, Prompt] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    replies: dict[str, list[Reply]] = field(default_factory=dict)

    def add(self, prompt_id: str, reply: Reply) -> None:
        """Add a reply to a prompt."""
        self.replies.setdefault(prompt_id, []).append(reply)

    def samples(self) -> list[Sample]:
        """Return the prompts that have replies as samples, in the order of the prompts."""
        known = [*self.prompts, *(one for one in self.replies if one not in self.prompts)]
        return [self._sample(one) for one in known if one in self.replies]

    def _sample(self, prompt_id: str) -> Sample:
        prompt = self.prompts.get(prompt_id)
        label = self.labels.get(prompt_id, Label(prompt_id))
        return Sample(
            id=prompt_id,
            suite=self.suite,
            prompt=transcript(prompt) if prompt else "",
            replies=tuple(self.replies[prompt_id]),
            category=label.category or (prompt.category if prompt else None) or NO_LABEL,
            complexity=label.value("complexity") or NO_LABEL,
            length=label.expected_length or NO_LABEL,
        )


@dataclass(frozen=True)
class SampleSource:
    """A run and its results, as a suite's `samples` reads them."""

    run: Run
    results: Results

    @cached_property
    def prompt_sets(self) -> Mapping[str, Sequence[Prompt]]:
        """Return the prompt sets of the run, by digest."""
        return load_prompt_sets(self.run)

    def prompts(self, suite: str, digests: Iterable[str]) -> PromptReplies:
        """Return the prompts of these sets with their labels, without replies."""
        found = PromptReplies(suite)
        for digest in dict.fromkeys(digests):
            found.prompts |= {one.id: one for one in self.prompt_sets.get(digest, [])}
            found.labels |= load_labels(self.run, digest)
        return found

    def answers(self, suite: str, model: str) -> dict[str, Answer]:
        """Return a model's answers in a suite, by prompt id."""
        found = self.run.records(stage_name(self.run, suite, model, "answers"), Answer)
        return {one.prompt_id: one for one in found}

    def verdicts(self, suite: str, models: str | tuple[str, str]) -> list[Verdict]:
        """Return the verdicts on a model or a pair of models in a suite."""
        return self.run.records(stage_name(self.run, suite, models, "verdicts"), Verdict)


def pairwise_reply(outcome: Outcome, answer: Answer | None, verdicts: Mapping[str, Verdict]) -> Reply:
    """Return an answer with the verdicts on it and its opponent's.

    Args:
        outcome: of the answer's model against its opponent.
        answer: None where it is missing.
        verdicts: by id.
    """
    said = [verdicts[one] for one in outcome.verdict_ids if one in verdicts]
    score = "" if outcome.preference is None else f"{outcome.preference:.2f}"
    tag = OutcomeTag(outcome.model, _outcome_name(outcome), outcome.opponent, score=score)
    if answer is None:
        return Reply(outcome.model, "", "no answer came" if not outcome.verdict_ids else "not kept", (tag,))
    return Reply(
        outcome.model,
        answer.text,
        length_note(answer),
        (tag,),
        tuple(judgement_of(one, _order(one, answer, outcome.opponent), CHOICES) for one in said),
        injection_spans((one for verdict in said for one in verdict.injection_suspected), answer.id),
        answer.thoughts,
    )


def joined_reply(replies: Sequence[Reply]) -> Reply:
    """Join several replies with the same answer, each with its own verdicts."""
    first = replies[0]
    return Reply(
        first.by,
        first.text,
        first.note,
        tuple(tag for one in replies for tag in one.tags),
        tuple(said for one in replies for said in one.judgements),
        tuple(sorted({flag for one in replies for flag in one.flags})),
        first.thoughts,
    )


def by_answer(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """Return verdicts by the first answer that they are on."""
    found: dict[str, list[Verdict]] = {}
    for one in verdicts:
        found.setdefault(one.answer_ids[0], []).append(one)
    return found


def _outcome_name(outcome: Outcome) -> str:
    if not outcome.verdict_ids:
        return UNANSWERED
    return verdict_of(outcome.orders) or UNREAD


def _order(verdict: Verdict, answer: Answer, opponent: str) -> str:
    """Return the order in which the judge saw the two answers."""
    first = verdict.answer_ids[:1] == (answer.id,)
    return (
        f"where A is this answer and B that of {opponent}"
        if first
        else f"where A is that of {opponent} and B this answer"
    )
