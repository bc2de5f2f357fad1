"""Samples of the suite reward: each instruction with its ranked answers and every model's verdicts on them."""

from dataclasses import replace
from itertools import combinations

from evals.sample import OutcomeTag, Reply, Sample, injection_spans, judgement_of
from evals.sample_source import UNREAD, SampleSource, by_answer
from evals.suites.reward_model.result import RewardResult
from srlm.jsonl import by_id
from srlm.types import RankedPrompt


def samples(source: SampleSource) -> list[Sample]:
    """Return the ranked instructions that models judged; all results are of the same ones."""
    results = source.results.of(RewardResult)
    found = source.prompts("reward", (one.provenance.prompts for one in results.values()))
    ranked = by_id(source.run.records("seeds/validation", RankedPrompt))
    verdicts = {model: by_answer(source.verdicts("reward", model)) for model in results}
    first = next(iter(results.values()), None)
    for prompt_id, group in zip(first.instruction_ids, first.groups, strict=True) if first else ():
        texts = [one.text for one in ranked[prompt_id].answers] if prompt_id in ranked else []
        for place, rank in enumerate(group.ranks):
            answer_id = f"{prompt_id}-a{place}"
            said = [(model, verdict) for model, of_model in verdicts.items() for verdict in of_model.get(answer_id, [])]
            found.add(
                prompt_id,
                Reply(
                    f"rank {rank:g}",
                    texts[place] if place < len(texts) else "",
                    "ranked by people" if place < len(texts) else "its text is not among the run's held-out seeds",
                    tuple(tag for one in results.values() for tag in _tags(one, prompt_id, place)),
                    tuple(replace(judgement_of(verdict, "on this answer"), by=model) for model, verdict in said),
                    injection_spans((one for _, verdict in said for one in verdict.injection_suspected), answer_id),
                ),
            )
    return found.samples()


def _tags(result: RewardResult, prompt_id: str, answer: int) -> list[OutcomeTag]:
    """Return how a model orders an answer and those ranked below it, each outcome once."""
    if prompt_id not in result.instruction_ids:
        return []
    place = result.instruction_ids.index(prompt_id)
    group = result.groups[place]
    if answer >= len(group.ranks):
        return []
    score = group.scores[answer]
    shown = "" if score is None else "vetoed" if (place, answer) in result.vetoed else f"{score:.2f}"
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
    return [OutcomeTag(result.model, outcome, score=shown) for outcome in found] or [
        OutcomeTag(result.model, "scored" if shown else UNREAD, score=shown)
    ]
