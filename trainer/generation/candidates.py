"""Sampling of N candidate answers per prompt (arXiv 2401.10020, section 2.2: N = 4, temperature 0.7, top-p 0.9)."""

from collections.abc import Sequence
from typing import Literal

from srlm.seeding import derive_seed
from srlm.strip_reasoning import answer_of
from srlm.types import Answer, Completion, Message, Prompt, Request
from trainer.session import Session


def sample_candidates(
    session: Session,
    stage: str,
    model: str,
    prompts: Sequence[Prompt],
    role: Literal["candidates", "anchors"] = "candidates",
) -> list[Answer]:
    """Sample the answers of `model`. A failed call gives no answer.

    Args:
        session: the run.
        stage: the model to be trained on them, such as "M2".
        model: the model that answers.
        prompts: the prompts.
        role: ids of candidates end in -c0, -c1 and so on; those of anchors, an earlier model's answers, in -a0 and
            so on.
    """
    config = session.config
    requests: list[Request] = []
    owners: list[tuple[Prompt, int]] = []
    for prompt in prompts:
        for sample in range(config.candidates):
            seed = derive_seed(config.seed, stage, prompt.id, sample)
            requests.append(
                Request(
                    (*prompt.context, Message("user", prompt.instruction)),
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


def full_text(answer: Answer) -> str:
    """Return the full generated text of an answer, with the reasoning before it."""
    return answer.written or answer.thoughts + answer.text
