"""Models' answers to evaluation prompts, one each, through the ledger."""

from collections.abc import Sequence

from evals.contestants import Contestant, opened
from srlm.calls import ask
from srlm.display import Progress
from srlm.engines.engine import Engine
from srlm.ledger import Ledger
from srlm.randomness import derive
from srlm.types import Answer, Completion, Message, Prompt, Request, Sampling


def choose_prompts(prompts: Sequence[Prompt], limit: int | None) -> list[Prompt]:
    """The first `limit` prompts of an order that depends on their ids alone: a larger limit contains a smaller one."""
    return sorted(prompts, key=lambda prompt: derive("evaluation", prompt.id))[:limit]


def answer_prompts(
    engine: Engine,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    ledger: Ledger,
    *,
    stage: str,
    progress: Progress,
    as_written: bool = False,
) -> dict[str, Answer]:
    """One answer a prompt, by prompt id. A call that failed leaves its prompt out.

    White space around an answer is taken off, unless it is wanted `as_written`.
    """
    requests = [
        Request((Message("user", prompt.instruction),), sampling, seed=derive("answer", prompt.id))
        for prompt in prompts
    ]
    replies = ask(
        engine, requests, ledger, stage=stage, progress=progress, label=f"{engine.name} answers {len(prompts)} prompts"
    )
    return {
        prompt.id: Answer(
            f"{engine.name}:{prompt.id}",
            prompt.id,
            engine.name,
            reply.text if as_written else reply.text.strip(),
            reply.finish,
            0,
            key[:16],
        )
        for prompt, (key, reply) in zip(prompts, replies, strict=True)
        if isinstance(reply, Completion)
    }


def answers_of(
    contestants: Sequence[Contestant],
    prompts: Sequence[Prompt],
    sampling: Sampling,
    ledger: Ledger,
    *,
    stage: str,
    progress: Progress,
) -> tuple[dict[str, str], dict[str, dict[str, Answer]]]:
    """By model: what it is, as the ledger knows it, and its answers by prompt id."""
    identities: dict[str, str] = {}
    answers: dict[str, dict[str, Answer]] = {}
    for contestant in contestants:
        with opened(contestant) as engine:
            identities[contestant.name] = engine.identity
            answers[contestant.name] = answer_prompts(engine, prompts, sampling, ledger, stage=stage, progress=progress)
    return identities, answers
