"""N answers of M_t to every new instruction (arXiv 2401.10020, section 2.2: N = 4, temperature 0.7, top-p 0.9)."""

from collections.abc import Sequence
from typing import Literal

from srlm.seeding import derive_seed
from srlm.strip_reasoning import answer_of
from srlm.types import Answer, Completion, Message, Prompt, Request
from trainer.session import Session


def write_candidates(
    session: Session,
    stage: str,
    model: str,
    prompts: Sequence[Prompt],
    role: Literal["candidates", "anchors"] = "candidates",
) -> list[Answer]:
    """Sample `model`'s answers. A call that failed gives none.

    The ids of candidates end in -c0, -c1 and on; those of anchors, an earlier model's answers, in -a0 and on.
    """
    config = session.config
    requests: list[Request] = []
    owners: list[tuple[Prompt, int]] = []
    for prompt in prompts:
        for sample in range(config.candidates):
            seed = derive_seed(config.seed, stage, prompt.id, sample)
            requests.append(
                Request(
                    (Message("user", prompt.instruction),),
                    config.candidate_sampling.resolved(),
                    seed=seed,
                    sample=sample,
                )
            )
            owners.append((prompt, sample))
    replies = session.caller(model, f"{stage}/{role}").ask(
        requests,
        f"{stage}: {config.candidates} answers of {model} to {len(prompts)} instructions",
    )
    return [
        answer_of(f"{prompt.id}-{role[0]}{sample}", prompt.id, model, key, reply, sample=sample)
        for (prompt, sample), (key, reply) in zip(owners, replies, strict=True)
        if isinstance(reply, Completion)
    ]


def whole(answer: Answer) -> str:
    """All that a model wrote for an answer, the thoughts before it included."""
    return answer.written or answer.thoughts + answer.text
