"""Best and worst candidate of each instruction become a preference pair (arXiv 2401.10020, section 2.2).

No pair comes from an instruction whose best and worst reward are equal, nor from one with fewer than two readable
rewards. The paper does not say which candidate to take when several share the best or the worst reward: here a seeded
draw among them, because any fixed rule (first, longest) would favour something.
"""

import random
from collections.abc import Sequence

from srlm.randomness import derive
from srlm.types import Answer, Dropped, PreferencePair, Prompt, Reward


def choose_pairs(
    prompts: Sequence[Prompt], answers: Sequence[Answer], rewards: Sequence[Reward], seed: int
) -> tuple[list[PreferencePair], list[Dropped]]:
    """Pair the best with the worst; the second list says which instructions gave no pair, and why."""
    of_prompt: dict[str, list[Answer]] = {prompt.id: [] for prompt in prompts}
    for answer in answers:
        of_prompt[answer.prompt_id].append(answer)
    values = {reward.answer_id: reward.value for reward in rewards}
    pairs: list[PreferencePair] = []
    dropped: list[Dropped] = []
    for prompt in prompts:
        candidates = of_prompt[prompt.id]
        scored = [(value, answer) for answer in candidates if (value := values[answer.id]) is not None]
        if len(scored) < 2:
            dropped.append(Dropped(prompt.id, "fewer than two readable rewards", f"{len(scored)} of {len(candidates)}"))
            continue
        best, worst = max(value for value, _ in scored), min(value for value, _ in scored)
        if best == worst:
            dropped.append(Dropped(prompt.id, "all rewards are equal", f"{best:.2f} for {len(scored)} candidates"))
            continue
        chance = random.Random(derive(seed, "pair", prompt.id))
        chosen = chance.choice([answer for value, answer in scored if value == best])
        rejected = chance.choice([answer for value, answer in scored if value == worst])
        if chosen.text == rejected.text:
            dropped.append(Dropped(prompt.id, "best and worst are the same text", f"{best:.2f} and {worst:.2f}"))
            continue
        pairs.append(
            PreferencePair(
                id=f"{prompt.id}-pair",
                prompt_id=prompt.id,
                prompt=prompt.instruction,
                chosen_id=chosen.id,
                chosen=chosen.text,
                chosen_reward=best,
                rejected_id=rejected.id,
                rejected=rejected.text,
                rejected_reward=worst,
                reason=f"best {best:.2f} against worst {worst:.2f} of {len(scored)} scored candidates",
            )
        )
    return pairs, dropped
