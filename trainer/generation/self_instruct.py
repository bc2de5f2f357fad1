"""Where new instructions come from: 8-shot prompting with filters (arXiv 2401.10020, section 2.2; Self-Instruct).

Each call shows six seeds and two instructions accepted earlier, as a numbered list, and the model writes the ninth.
Calls come in rounds, so that later rounds can show what earlier ones gave; before anything was accepted all shots are
seeds. Every instruction remembers its shots.
"""

import random
import re
from collections.abc import Sequence
from math import ceil

from srlm.seeding import derive_seed
from srlm.types import Completion, Demonstration, Dropped, Message, Prompt, Request
from trainer.generation.filters import InstructionFilter
from trainer.session import Session

_TASK = (
    "Come up with a series of tasks that a person might give to an assistant. Make them as different from each other "
    "as you can, in subject and in form. Each stands on one line and can be answered with text alone."
)
_NUMBER = re.compile(r"^\s*(?:\d+[.)]|[-*])\s+")


def write_prompts(
    session: Session, model: str, writer: str, seeds: Sequence[Demonstration], earlier: Sequence[Prompt]
) -> tuple[list[Prompt], list[Dropped]]:
    """Write the new instructions on the way to `model`.

    Args:
        session: the run.
        model: the model to be trained on them, such as "M2"; their ids begin with it.
        writer: the model that writes them.
        seeds: IFT demonstrations, for the shots.
        earlier: instructions of earlier iterations; shots too, and known to the similarity filter.

    Returns:
        Accepted instructions (at most the configured count) and the refused ones with reasons.
    """
    config = session.config.instructions
    check = InstructionFilter(config, [seed.instruction for seed in seeds] + [prompt.instruction for prompt in earlier])
    accepted: list[Prompt] = []
    refused: list[Dropped] = []
    calls = max(1, ceil(config.count / 2))
    for round_number in range(config.max_rounds):
        if len(accepted) >= config.count:
            break
        shots = [
            _shots(
                seeds,
                [*earlier, *accepted],
                config.seed_shots,
                config.generated_shots,
                derive_seed(session.config.seed, model, round_number, call),
            )
            for call in range(calls)
        ]
        requests = [
            _request(session, chosen, derive_seed(session.config.seed, model, "instruction", round_number, call))
            for call, chosen in enumerate(shots)
        ]
        replies = session.caller(writer, f"{model}/instructions").ask(
            requests,
            f"{model}: new instructions, round {round_number + 1}, {len(accepted)} of {config.count} so far",
        )
        for call, (key, reply) in enumerate(replies):
            if len(accepted) >= config.count:
                break
            if not isinstance(reply, Completion):
                refused.append(Dropped(f"{model}-r{round_number}-{call}", "the call failed", reply.reason))
                continue
            text = _NUMBER.sub("", reply.text.strip()).strip()
            reason = check.refusal(text, cut=reply.finish != "stop")
            if reason:
                refused.append(Dropped(f"{model}-r{round_number}-{call}", reason, text))
                continue
            check.add(text)
            parents = tuple(shot.id for shot in shots[call])
            accepted.append(Prompt(f"{model}-p{len(accepted):04d}", text, "generated", parents, call=key[:16]))
    return accepted, refused


def _shots(
    seeds: Sequence[Demonstration], written: Sequence[Prompt], of_seeds: int, of_written: int, seed: int
) -> list[Demonstration | Prompt]:
    """Draw the shots of one call; seeds stand in for written ones as long as there are too few."""
    chance = random.Random(seed)
    new = chance.sample(list(written), min(of_written, len(written)))
    old = chance.sample(list(seeds), min(of_seeds + of_written - len(new), len(seeds)))
    shots: list[Demonstration | Prompt] = [*old, *new]
    chance.shuffle(shots)
    return shots


def _request(session: Session, shots: Sequence[Demonstration | Prompt], seed: int) -> Request:
    lines = "".join(f"{number}. {' '.join(shot.instruction.split())}\n" for number, shot in enumerate(shots, start=1))
    return Request(
        (Message("user", _TASK),),
        session.config.instructions.sampling.resolved(stop=("\n",)),
        seed=seed,
        prefill=f"{lines}{len(shots) + 1}.",
    )
