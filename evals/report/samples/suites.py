"""The samples of the suites: each prompt once, with the answers of all models and the verdicts on them.

Read from the files that the suites leave beside their results. What is not there (a result without its answers) is
left empty and never made up. Those of lm-eval's tasks are in `items`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TypeVar

from evals.labels.store import Label, labels_of, prompt_sets
from evals.model_order import ordered
from evals.results import Results, stage_name
from evals.sample import NO_LABEL, Mark, Opinion, Reply, Sample, flags, opinion
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.head_to_head.result import HeadToHeadResult
from evals.suites.human.metrics import decisions
from evals.suites.human.result import HumanResult
from evals.suites.human.votes import Vote
from evals.suites.mt_bench.result import MtBenchResult
from evals.suites.nlp.samples import task_samples
from evals.suites.reward_model.result import RewardResult
from evals.suites.verifiable.result import VerifiableResult
from srlm.jsonl import parse_lines
from srlm.judges.pairwise import CHOICES, verdict_of
from srlm.runs import Run
from srlm.strip_reasoning import length_note
from srlm.types import Answer, InjectionFlag, Outcome, Prompt, RankedPrompt, Verdict

T = TypeVar("T")
UNREAD, UNANSWERED = "no verdict", "no answer"
Replies = dict[str, list[Reply]]
"""By prompt."""


@dataclass
class Asked:
    """The prompts of a suite, with their labels, and what was answered to them."""

    suite: str
    prompts: dict[str, Prompt] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    replies: Replies = field(default_factory=dict)

    def samples(self) -> list[Sample]:
        """In the order of the prompts."""
        known = [*self.prompts, *(one for one in self.replies if one not in self.prompts)]
        return [self._sample(one) for one in known if one in self.replies]

    def _sample(self, prompt_id: str) -> Sample:
        prompt = self.prompts.get(prompt_id)
        label = self.labels.get(prompt_id, Label(prompt_id))
        return Sample(
            id=prompt_id,
            suite=self.suite,
            prompt=prompt.instruction if prompt else "",
            replies=tuple(self.replies[prompt_id]),
            category=label.category or (prompt.category if prompt else None) or NO_LABEL,
            complexity=label.value("complexity") or NO_LABEL,
            length=label.expected_length or NO_LABEL,
        )


def judged_samples(run: Run, results: Results) -> list[Sample]:
    """Everything that models of a run were asked in its evaluations."""
    sets = prompt_sets(run)
    found = [
        _alpaca(run, results, sets),
        _head_to_head(run, results, sets),
        _human(run, results, sets),
        _mt_bench(run, results, sets),
        _reward(run, results, sets),
        _verifiable(run, results, sets),
    ]
    return [*(sample for asked in found for sample in asked.samples()), *task_samples(run, results)]


def _asked(run: Run, suite: str, digests: Iterable[str], sets: Mapping[str, list[Prompt]]) -> Asked:
    asked = Asked(suite)
    for digest in dict.fromkeys(digests):
        asked.prompts |= {one.id: one for one in sets.get(digest, [])}
        asked.labels |= labels_of(run, digest)
    return asked


def _alpaca(run: Run, results: Results, sets: Mapping[str, list[Prompt]]) -> Asked:
    asked = _asked(run, "alpaca", (one.provenance.prompts for one in results.of(AlpacaResult).values()), sets)
    for model, result in results.of(AlpacaResult).items():
        texts = _answers(run, "alpaca", model)
        verdicts = by_id(records(run, stage_name(run, "alpaca", model, "verdicts"), Verdict))
        for outcome in result.outcomes:
            prompt = asked.prompts.get(outcome.prompt_id)
            replies = asked.replies.setdefault(outcome.prompt_id, [])
            if not replies and prompt is not None and prompt.reference is not None:
                replies.append(Reply("reference", prompt.reference))
            replies.append(_against(result, outcome, texts.get(outcome.prompt_id), verdicts))
    return asked


def _against(
    result: AlpacaResult | HeadToHeadResult, outcome: Outcome, answer: Answer | None, verdicts: Mapping[str, Verdict]
) -> Reply:
    """An answer with the verdicts on it and its opponent."""
    said = [verdicts[one] for one in outcome.verdict_ids if one in verdicts]
    mark = Mark(outcome.model, _outcome(outcome), outcome.opponent, score=_tenth(outcome.preference))
    if answer is None:
        return Reply(outcome.model, "", "no answer came" if not outcome.verdict_ids else "not kept", (mark,))
    return Reply(
        outcome.model,
        answer.text,
        length_note(answer),
        (mark,),
        tuple(opinion(one, _shown(one, answer, outcome.opponent), CHOICES) for one in said),
        flags((one for verdict in said for one in verdict.injection_suspected), answer.id),
        answer.thoughts,
    )


def _outcome(outcome: Outcome) -> str:
    if not outcome.verdict_ids:
        return UNANSWERED
    return verdict_of(outcome.orders) or UNREAD


def _tenth(preference: float | None) -> str:
    return "" if preference is None else f"{preference:.2f}"


def _shown(verdict: Verdict, answer: Answer, opponent: str) -> str:
    """In which order the judge saw the two."""
    mine = verdict.answer_ids[:1] == (answer.id,)
    return (
        f"where A is this answer and B that of {opponent}"
        if mine
        else f"where A is that of {opponent} and B this answer"
    )


def _head_to_head(run: Run, results: Results, sets: Mapping[str, list[Prompt]]) -> Asked:
    met = results.of(HeadToHeadResult)
    asked = _asked(run, "head-to-head", (one.provenance.prompts for one in met.values()), sets)
    models = ordered(run, {model for pair in met for model in pair})
    texts = {model: _answers(run, "head-to-head", model) for model in models}
    # Each answer once, with what it did against each opponent.
    found: dict[str, dict[str, list[Reply]]] = {}
    for pair, result in met.items():
        verdicts = by_id(records(run, stage_name(run, "head-to-head", pair, "verdicts"), Verdict))
        for side in (result, result.swapped()):
            for outcome in side.outcomes:
                reply = _against(side, outcome, texts[side.model].get(outcome.prompt_id), verdicts)
                found.setdefault(outcome.prompt_id, {}).setdefault(side.model, []).append(reply)
    for prompt, of_model in found.items():
        asked.replies[prompt] = [merged(of_model[model]) for model in models if model in of_model]
    return asked


def _human(run: Run, results: Results, sets: Mapping[str, list[Prompt]]) -> Asked:
    """What people were shown, and each vote. A prompt that nobody voted on has no outcome."""
    asked = _asked(run, "human", (one.annotation_set.prompts for one in results.of(HumanResult).values()), sets)
    found: dict[str, dict[str, list[Reply]]] = {}
    for result in results.of(HumanResult).values():
        for side in (result, result.swapped()):
            decided = decisions(side)
            first = side.annotation_set.model == side.model
            for shown in side.annotation_set.pairs:
                votes = [vote for vote in side.votes if vote.prompt_id == shown.prompt_id]
                text = shown.answer if first else shown.opponent_answer
                outcome = decided.get(shown.prompt_id, "no vote")
                opinions = tuple(
                    Opinion(vote.annotator, f"against {side.opponent}, {_place(vote)}", vote.verdict, "")
                    for vote in votes
                )
                marks = (Mark(side.model, outcome, side.opponent),)
                reply = Reply(side.model, text, f"{len(text):,} characters", marks, opinions)
                found.setdefault(shown.prompt_id, {}).setdefault(side.model, []).append(reply)
                asked.prompts.setdefault(shown.prompt_id, Prompt(shown.prompt_id, shown.instruction, "evaluation"))
    for prompt, of_model in found.items():
        asked.replies[prompt] = [merged(of_model[model]) for model in ordered(run, {*of_model})]
    return asked


def _place(vote: Vote) -> str:
    """Where the answer stood."""
    return "this answer left" if vote.left == "model" else "this answer right"


def merged(replies: Sequence[Reply]) -> Reply:
    """One answer that was judged several times."""
    first = replies[0]
    return Reply(
        first.by,
        first.text,
        first.note,
        tuple(mark for one in replies for mark in one.marks),
        tuple(said for one in replies for said in one.opinions),
        tuple(sorted({flag for one in replies for flag in one.flags})),
        first.thoughts,
    )


def _mt_bench(run: Run, results: Results, sets: Mapping[str, list[Prompt]]) -> Asked:
    asked = _asked(run, "mt-bench", (one.provenance.prompts for one in results.of(MtBenchResult).values()), sets)
    for model, result in results.of(MtBenchResult).items():
        answers: dict[str, Answer] = {}
        for answer in records(run, stage_name(run, "mt-bench", model, "answers"), Answer):
            answers[f"{answer.prompt_id}-{answer.id.rpartition('-t')[2]}"] = answer
        verdicts = of_answers(records(run, stage_name(run, "mt-bench", model, "verdicts"), Verdict))
        for grade in result.grades:
            mine = answers.get(f"{grade.question}-{grade.turn}")
            outcome = "graded" if grade.score is not None else grade.state
            score = "" if grade.score is None else f"{grade.score:g}"
            mark = Mark(model, outcome, turn=str(grade.turn), score=score)
            note = f"turn {grade.turn}" + (f", {length_note(mine)}" if mine else "")
            reply = _with_verdicts(model, mine, note, (mark,), verdicts)
            asked.replies.setdefault(str(grade.question), []).append(reply)
    return asked


def _with_verdicts(
    by: str, answer: Answer | None, note: str, marks: tuple[Mark, ...], verdicts: Mapping[str, list[Verdict]]
) -> Reply:
    """An answer with the verdicts that are on it alone."""
    said = verdicts.get(answer.id, []) if answer else []
    suspected: list[InjectionFlag] = [one for verdict in said for one in verdict.injection_suspected]
    return Reply(
        by,
        answer.text if answer else "",
        note,
        marks,
        tuple(opinion(one, "on this answer") for one in said),
        flags(suspected, answer.id) if answer else (),
        answer.thoughts if answer else "",
    )


def _reward(run: Run, results: Results, sets: Mapping[str, list[Prompt]]) -> Asked:
    asked = _asked(run, "reward", (one.provenance.prompts for one in results.of(RewardResult).values()), sets)
    ranked = by_id(records(run, "seeds/validation", RankedPrompt))
    said = {
        model: of_answers(records(run, stage_name(run, "reward", model, "verdicts"), Verdict))
        for model in results.of(RewardResult)
    }
    first = next(iter(results.of(RewardResult).values()), None)
    for place, prompt_id in enumerate(first.instruction_ids if first else ()):
        texts = [one.text for one in ranked[prompt_id].answers] if prompt_id in ranked else []
        for answer, rank in enumerate(first.groups[place].ranks if first else ()):
            marks = tuple(mark for one in results.of(RewardResult).values() for mark in _orders(one, prompt_id, answer))
            name = f"{prompt_id}-a{answer}"
            verdicts = [(model, verdict) for model, of_answer in said.items() for verdict in of_answer.get(name, [])]
            reply = Reply(
                f"rank {rank:g}",
                texts[answer] if answer < len(texts) else "",
                "ranked by people" if answer < len(texts) else "its text is not among the run's held-out seeds",
                marks,
                tuple(replace(opinion(verdict, "on this answer"), by=model) for model, verdict in verdicts),
                flags((one for _, verdict in verdicts for one in verdict.injection_suspected), name),
            )
            asked.replies.setdefault(prompt_id, []).append(reply)
    return asked


def _orders(result: RewardResult, prompt_id: str, answer: int) -> list[Mark]:
    """Whether a model orders this answer and those ranked below it as people did: once a pair."""
    if prompt_id not in result.instruction_ids:
        return []
    group = result.groups[result.instruction_ids.index(prompt_id)]
    if answer >= len(group.ranks):
        return []
    score = group.scores[answer]
    shown = "" if score is None else f"{score:.2f}"
    found: dict[str, None] = {}
    for one, two in combinations(range(len(group.ranks)), 2):
        if answer not in (one, two) or group.ranks[one] == group.ranks[two]:
            continue
        better, worse = (one, two) if group.ranks[one] < group.ranks[two] else (two, one)
        high, low = group.scores[better], group.scores[worse]
        if answer != better:
            continue
        if high is None or low is None:
            found[UNREAD] = None
        else:
            found["as people" if high > low else "a tie" if high == low else "the other way"] = None
    return [Mark(result.model, outcome, score=shown) for outcome in found] or [
        Mark(result.model, "scored" if shown else UNREAD, score=shown)
    ]


def _verifiable(run: Run, results: Results, sets: Mapping[str, list[Prompt]]) -> Asked:
    asked = _asked(run, "verifiable", (one.provenance.prompts for one in results.of(VerifiableResult).values()), sets)
    for model, result in results.of(VerifiableResult).items():
        texts = _answers(run, "verifiable", model)
        for one in result.checked:
            answer = texts.get(one.prompt_id)
            opinions: tuple[Opinion, ...] = ()
            if one.strict is None:
                mark = Mark(model, UNANSWERED)
            else:
                mark = Mark(model, "followed" if all(one.strict) else "not followed")
                opinions = tuple(
                    Opinion(result.provenance.judge, f"on {name}", "followed" if kept else "not followed", "")
                    for name, kept in zip(one.instructions, one.strict, strict=True)
                )
            text, note = (answer.text, length_note(answer)) if answer else ("", "no answer came")
            thoughts = answer.thoughts if answer else ""
            reply = Reply(model, text, note, (mark,), opinions, thoughts=thoughts)
            asked.replies.setdefault(one.prompt_id, []).append(reply)
    return asked


def _answers(run: Run, suite: str, model: str) -> dict[str, Answer]:
    return {one.prompt_id: one for one in records(run, stage_name(run, suite, model, "answers"), Answer)}


def records(run: Run, stage: str, record: type[T]) -> list[T]:
    """The records of a stage; none where it is not there."""
    path = run.path(stage)
    return parse_lines(path, record) if path.exists() else []


def by_id(found: Sequence[T]) -> dict[str, T]:
    """Records by their id."""
    return {str(getattr(one, "id")): one for one in found}  # noqa: B009


def of_answers(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """Verdicts by the answer that they are on, or that was shown first."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.answer_ids[0], []).append(verdict)
    return found
