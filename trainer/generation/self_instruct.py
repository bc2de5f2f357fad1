"""Generation of new prompts: 8-shot prompting with filters (arXiv 2401.10020, section 2.2; Self-Instruct).

Each call shows six seeds and two previously accepted prompts as a numbered list, and the model writes the ninth. Calls
are made in rounds, so that later rounds can show prompts of earlier ones. Before any prompt is accepted all few-shot
examples are seeds. Every prompt has the ids of its few-shot examples.

Seeds and prompts with a context are no few-shot examples: an instruction such as "Make it shorter." means nothing
without the turns before it, and every example is one line. The similarity filter compares with them all the same.
"""

import random
import re
from collections.abc import Iterator, Sequence
from math import ceil
from typing import TypeVar

from srlm.seeding import derive_seed
from srlm.types import Completion, Demonstration, Dropped, Message, Prompt, Reply, Request
from trainer.generation.filters import InstructionFilter
from trainer.session import Session

_TASK = (
    "Come up with a series of tasks that a person might give to an assistant. Make them as different from each other "
    "as you can, in subject and in form. Each stands on one line and can be answered with text alone."
)
Shot = TypeVar("Shot", Demonstration, Prompt)
Shots = list[Demonstration | Prompt]
"""Few-shot examples of one call."""

_NUMBER = re.compile(r"^\s*(?:\d+[.)]|[-*])\s+")


def generate_prompts(
    session: Session, model: str, writer: str, seeds: Sequence[Demonstration], earlier: Sequence[Prompt]
) -> tuple[list[Prompt], list[Dropped]]:
    """Generate the new prompts on which `model` will be trained.

    Args:
        session: the run.
        model: the model to be trained, such as "M2"; the prompts' ids begin with it.
        writer: the model that writes them.
        seeds: IFT demonstrations, as few-shot examples.
        earlier: prompts of earlier iterations; few-shot examples too, and known to the similarity filter.

    Returns:
        The accepted prompts, at most the configured count, and the rejected ones with their reasons.
    """
    config = session.config.instructions
    known = InstructionFilter(config, [seed.instruction for seed in seeds] + [prompt.instruction for prompt in earlier])
    accepted: list[Prompt] = []
    rejected: list[Dropped] = []
    for number in range(config.max_rounds):
        if len(accepted) >= config.made_count:
            break
        shots = _draw_round(session, model, number, without_context(seeds), [*without_context(earlier), *accepted])
        replies = _run_round(session, model, writer, number, shots, len(accepted))
        checked = _check([reply for _, reply in replies], known)
        for call, ((key, _), (text, reason)) in enumerate(zip(replies, checked, strict=True)):
            if len(accepted) >= config.made_count:
                break
            if reason:
                rejected.append(Dropped(f"{model}-r{number}-{call}", reason, text))
                continue
            parents = tuple(shot.id for shot in shots[call])
            accepted.append(Prompt(f"{model}-p{len(accepted):04d}", text, "generated", parents, call=key[:16]))
    return accepted, rejected


def without_context(records: Sequence[Shot]) -> list[Shot]:
    """Return the records that stand alone, which few-shot examples have to."""
    return [one for one in records if not one.context]


def _draw_round(
    session: Session, model: str, number: int, seeds: Sequence[Demonstration], generated: Sequence[Prompt]
) -> list[Shots]:
    """Draw the few-shot examples of each call of a round."""
    config = session.config.instructions
    return [
        _draw_shots(
            seeds,
            generated,
            config.seed_shots,
            config.generated_shots,
            derive_seed(session.config.seed, model, number, call),
        )
        for call in range(max(1, ceil(config.made_count / 2)))
    ]


def _draw_shots(
    seeds: Sequence[Demonstration], generated: Sequence[Prompt], seed_shots: int, generated_shots: int, seed: int
) -> Shots:
    """Draw the few-shot examples of one call. Seeds replace generated prompts while there are too few of these."""
    chance = random.Random(seed)
    new = chance.sample(list(generated), min(generated_shots, len(generated)))
    old = chance.sample(list(seeds), min(seed_shots + generated_shots - len(new), len(seeds)))
    shots: Shots = [*old, *new]
    chance.shuffle(shots)
    return shots


def _run_round(
    session: Session, model: str, writer: str, number: int, shots: Sequence[Shots], accepted: int
) -> list[tuple[str, Reply]]:
    """Make the calls of a round; return each call's ledger key and reply."""
    requests = [
        _request(session, chosen, derive_seed(session.config.seed, model, "instruction", number, call))
        for call, chosen in enumerate(shots)
    ]
    count = session.config.instructions.made_count
    return session.caller(writer, f"{model}/instructions").ask(
        requests, f"{model}: new instructions, round {number + 1}, {accepted} of {count} so far"
    )


def _request(session: Session, shots: Shots, seed: int) -> Request:
    lines = "".join(f"{number}. {' '.join(shot.instruction.split())}\n" for number, shot in enumerate(shots, start=1))
    return Request(
        (Message("user", _TASK),),
        session.config.instructions.sampling.resolved(stop=("\n",)),
        seed=seed,
        prefill=f"{lines}{len(shots) + 1}.",
    )


def _check(replies: Sequence[Reply], known: InstructionFilter) -> Iterator[tuple[str, str | None]]:
    """Yield the prompt of each reply and None, or what there is of it and the reason to reject it."""
    written = [
        (_NUMBER.sub("", reply.text.strip()).strip(), reply.finish != "stop")
        for reply in replies
        if isinstance(reply, Completion)
    ]
    reasons = zip(written, known.reasons(written), strict=True)
    for reply in replies:
        if isinstance(reply, Completion):
            (text, _), reason = next(reasons)
            yield text, reason
        else:
            yield reply.reason, "the call failed"
