"""Lineage of the training data: from a pair back to its answers, verdicts, instruction and few-shot examples.

Ids are paths: the pair "M2-p0007-pair" belongs to the prompt "M2-p0007" with the candidates "M2-p0007-c0" and on.
"""

from dataclasses import dataclass

from srlm.errors import UnknownName
from srlm.jsonl import by_id
from srlm.runs import Run
from srlm.types import Answer, Demonstration, Dropped, PreferencePair, Prompt, Reward, SFTExample, Verdict


@dataclass(frozen=True)
class JudgedAnswer:
    """A candidate with its reward and verdicts."""

    answer: Answer
    reward: Reward | None
    verdicts: list[Verdict]


@dataclass(frozen=True)
class Lineage:
    """All records of one new instruction. `positives` are the ids of the answers used as SFT examples."""

    model: str
    prompt: Prompt
    shots: list[Demonstration | Prompt]
    candidates: list[JudgedAnswer]
    pair: PreferencePair | None
    dropped: Dropped | None
    positives: frozenset[str] = frozenset()


def find_lineage(run: Run, identifier: str) -> Lineage:
    """Collect the records that belong to the id of a prompt, candidate, verdict or pair.

    Raises:
        UnknownName: no record of this run has that id.
    """
    model, _, rest = identifier.partition("-")
    prompt_id = f"{model}-{rest.split('-')[0]}"
    prompts = _prompts(run, model)
    if prompt_id not in prompts:
        some = [pair.id for trained in run.models() for pair in _pairs(run, trained)]
        raise UnknownName(f"In the run {run.name}, the id", identifier, some or sorted(prompts))
    prompt = prompts[prompt_id]
    known: dict[str, Demonstration | Prompt] = {}
    for trained in run.models():
        known.update(_prompts(run, trained))
    known.update(by_id(run.records("seeds/ift", Demonstration)))
    verdicts: dict[str, list[Verdict]] = {}
    for records in ("verdicts", "frozen_verdicts", "anchor_verdicts"):
        for verdict in run.records(f"{model}/{records}", Verdict):
            verdicts.setdefault(verdict.answer_ids[0], []).append(verdict)
    deciding = "frozen_rewards" if run.config.pairs.scored_by == "frozen" else "rewards"
    rewards = {
        reward.answer_id: reward
        for records in (deciding, "anchor_rewards")
        for reward in run.records(f"{model}/{records}", Reward)
    }
    candidates = [
        JudgedAnswer(answer, rewards.get(answer.id), verdicts.get(answer.id, []))
        for records in ("candidates", "anchors")
        for answer in run.records(f"{model}/{records}", Answer)
        if answer.prompt_id == prompt_id
    ]
    pair = next((one for one in _pairs(run, model) if one.prompt_id == prompt_id), None)
    known_ids = {prompt_id, pair.id if pair else prompt_id}
    known_ids |= {judged.answer.id for judged in candidates}
    known_ids |= {verdict.id for judged in candidates for verdict in judged.verdicts}
    if identifier not in known_ids:
        raise UnknownName(f"In the run {run.name}, the id", identifier, sorted(known_ids))
    return Lineage(
        model=model,
        prompt=prompt,
        shots=[known[parent] for parent in prompt.parents if parent in known],
        candidates=candidates,
        pair=pair,
        dropped=next((one for one in run.records(f"{model}/dropped", Dropped) if one.id == prompt_id), None),
        positives=frozenset(one.id for one in run.records(f"{model}/positives", SFTExample)),
    )


def _prompts(run: Run, model: str) -> dict[str, Prompt]:
    return by_id(run.records(f"{model}/instructions", Prompt))


def _pairs(run: Run, model: str) -> list[PreferencePair]:
    return run.records(f"{model}/pairs", PreferencePair)
