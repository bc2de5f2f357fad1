"""Sources of rewards that score an answer by themselves: programs and reward models.

A source is an engine. Its request is a conversation that ends with the answer, and its reply is the value as text. So
values are cached in the ledger, computed in batches and resumed as any other call. Left out: the LLM judge, which reads
a rubric (`srlm.judges.pointwise`).
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any, Protocol, cast, runtime_checkable

from srlm.config.rewards import JUDGE, program_of
from srlm.engines.engine import Engine
from srlm.engines.open import is_remote, open_engine, public_name
from srlm.errors import EngineError, UnknownName, UsageError
from srlm.inference import Caller
from srlm.model_hub import is_model_name, model_folder
from srlm.transcript import Asked
from srlm.types import Answer, Completion, Failed, Message, Reply, Request, Scored, Unparsed, Verdict

CANNOT_SAY = "cannot say"
"""Reply of a source that has no value for an answer."""

KINDS = {"program": "program", "reward-model": "reward model", "combination": "combination"}
"""The first words of labels, and what they mean."""


@runtime_checkable
class RewardSource(Engine, Protocol):
    """An engine that scores answers. `label` stands for the rubric in its verdicts: its kind and its digest."""

    label: str


def kind_of(label: str) -> str | None:
    """Return what a verdict's label is of: "program", "reward model", "combination"; None for a rubric."""
    return KINDS.get(label.partition(":")[0])


def is_source_name(name: str) -> bool:
    """Return whether a name can only mean a model outside of runs, or a reward program."""
    return program_of(name) is not None or is_model_name(name)


def open_judge(spec: str, **settings: Any) -> Engine:
    """Open the engine of a judge or of another model; of a program or a reward model, its `RewardSource`.

    Args:
        spec: FILE.py:FUNCTION, the folder or the name of a reward model, or as in `srlm.engines.open.open_engine`.
        settings: those of `open_engine`.

    Raises:
        SrlmError: see `srlm.rewards.program.ProgramSource`, `srlm.rewards.reward_model.RewardModel`, `open_engine`.
    """
    program = program_of(spec)
    name = settings.get("name") or spec
    if program is not None:
        from srlm.rewards.program import ProgramSource

        return ProgramSource(*program, name=name)
    if not is_remote(spec) and not spec.startswith("vllm:"):
        from srlm.rewards.reward_model import RewardModel, is_classifier

        folder = model_folder(spec)
        if is_classifier(folder):
            wanted = {key: settings[key] for key in ("device", "dtype", "batch_tokens") if key in settings}
            return RewardModel(folder, name=name, **wanted)
        return open_engine(str(folder), **{**settings, "name": name})
    return open_engine(spec, **settings)


def open_source(spec: str, **settings: Any) -> RewardSource:
    """Open a source of the setting `reward` other than the judge; the arguments are those of `open_judge`.

    Raises:
        UnknownName: there is no such file, folder or model.
        UsageError: it is a language model.
        SrlmError: see `open_judge`.
    """
    if not is_source_name(spec):
        raise UnknownName("For reward, the source", spec, [JUDGE, "FILE.py:FUNCTION", "hf:OWNER/NAME", "a folder"])
    source = open_judge(spec, **settings)
    if not isinstance(source, RewardSource):
        source.close()
        raise UsageError(
            f"{public_name(spec)} is a language model, and has no score to give. For a reward, take a sequence "
            "classifier with one logit; a language model can judge by a rubric: judge.frozen with "
            "pairs.scored_by=frozen."
        )
    return source


def conversation(context: Sequence[Message], instruction: str, answer: str) -> Request:
    """Return the request for the value of one answer: the messages before the instruction, this, and the answer."""
    return Request((*context, Message("user", instruction), Message("assistant", answer)))


def require_answer(request: Request, name: str) -> None:
    """Refuse a request for text.

    Raises:
        EngineError: its last message is not an answer.
    """
    if request.messages[-1].role != "assistant" or request.choices:
        raise EngineError(
            f"{name} scores answers and writes no text. Measure it with `srlm judge card` or `srlm eval --suite "
            "reward`, or train with it by the setting reward."
        )


def reply_of(value: float | None, tokens: int = 0) -> Completion:
    """Return the reply with a value; None for a source that cannot say. `tokens` is what it read."""
    return Completion(CANNOT_SAY if value is None else repr(float(value)), "stop", tokens, 0)


def source_verdicts(
    caller: Caller, items: Sequence[tuple[Asked, Answer]], label: str, suffix: str = "r0"
) -> list[Verdict]:
    """Score answers with the source of `caller`; return one verdict for each, in order.

    Args:
        caller: its engine is a `RewardSource`.
        items: the answers, each with what was asked.
        label: of the progress bar.
        suffix: of the verdicts' ids, which are the answers' with it.

    Raises:
        EngineError: a program failed; what it returned before is in the ledger.
        EngineFailed: no answer could be scored.
    """
    source = cast(RewardSource, caller.engine)
    requests = [conversation(asked.context, asked.instruction, answer.text) for asked, answer in items]
    replies = caller.ask(requests, label)
    return [
        Verdict(
            id=f"{answer.id}-{suffix}",
            judge=source.name,
            rubric=source.label,
            answer_ids=(answer.id,),
            reading=read_reply(reply),
            call=key[:16],
        )
        for (_, answer), (key, reply) in zip(items, replies, strict=True)
    ]


def read_reply(reply: Reply) -> Scored | Unparsed | Failed:
    """Return the value in a reply of `reply_of`, or why there is none."""
    if isinstance(reply, Failed):
        return reply
    if reply.text == CANNOT_SAY:
        return Unparsed(reply.text, "the source cannot say")
    value = float(reply.text)
    return Scored(value, reply.text) if isfinite(value) else Unparsed(reply.text, "not a finite number")
