"""Where something in a run came from: from a pair back to its answers, verdicts, instruction and shots.

Ids are paths: the pair "M2-p0007-pair" belongs to the prompt "M2-p0007", whose candidates are "M2-p0007-c0" and on.
"""

from dataclasses import dataclass

from srlm.errors import UnknownName
from srlm.jsonl import parse_lines
from srlm.runs import Run
from srlm.types import Answer, Demonstration, Dropped, PreferencePair, Prompt, Reward, SFTExample, Verdict


@dataclass(frozen=True)
class JudgedAnswer:
    """A candidate with its reward and the verdicts behind it."""

    answer: Answer
    reward: Reward | None
    verdicts: list[Verdict]


@dataclass(frozen=True)
class Lineage:
    """Everything about one new instruction. `positives` are the ids of the answers that were examples to learn from."""

    model: str
    prompt: Prompt
    shots: list[Demonstration | Prompt]
    candidates: list[JudgedAnswer]
    pair: PreferencePair | None
    dropped: Dropped | None
    positives: frozenset[str] = frozenset()


def find_lineage(run: Run, identifier: str) -> Lineage:
    """Collect what belongs to an id of a prompt, candidate, verdict or pair.

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
    known.update({seed.id: seed for seed in _read(run, "seeds/ift", Demonstration)})
    verdicts: dict[str, list[Verdict]] = {}
    for records in ("verdicts", "frozen_verdicts", "anchor_verdicts"):
        for verdict in _read(run, f"{model}/{records}", Verdict):
            verdicts.setdefault(verdict.answer_ids[0], []).append(verdict)
    deciding = "frozen_rewards" if run.config.pairs.scored_by == "frozen" else "rewards"
    rewards = {
        reward.answer_id: reward
        for records in (deciding, "anchor_rewards")
        for reward in _read(run, f"{model}/{records}", Reward)
    }
    candidates = [
        JudgedAnswer(answer, rewards.get(answer.id), verdicts.get(answer.id, []))
        for records in ("candidates", "anchors")
        for answer in _read(run, f"{model}/{records}", Answer)
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
        dropped=next((one for one in _read(run, f"{model}/dropped", Dropped) if one.id == prompt_id), None),
        positives=frozenset(one.id for one in _read(run, f"{model}/positives", SFTExample)),
    )


def _read(run: Run, stage: str, record: type) -> list:  # type: ignore[type-arg]
    path = run.path(stage)
    return parse_lines(path, record) if path.exists() else []


def _prompts(run: Run, model: str) -> dict[str, Prompt]:
    return {prompt.id: prompt for prompt in _read(run, f"{model}/instructions", Prompt)}


def _pairs(run: Run, model: str) -> list[PreferencePair]:
    return _read(run, f"{model}/pairs", PreferencePair)
