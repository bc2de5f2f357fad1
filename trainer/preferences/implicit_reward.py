"""Implicit rewards of M_t, and the filter of pairs on which they disagree with the judge.

The implicit reward of an answer is log pi - log pi_ref (`trainer/preferences/log_probs.py`). Only its order is used, so
beta does not matter. It is first available in the second iteration, for the training of M3: it is a product of DPO, and
M1 was made from M0 by imitation, which makes answers like the seeds' more likely and not better answers.

The filter, `pairs.agreement: implicit`, keeps a pair if the implicit reward of M_t also prefers the chosen answer. SCIR
(arXiv 2502.08922) trains on such pairs alone; its losses, which make the two judges agree, are left out. The reference
is the model before M_t, from which DPO made it.
"""

from collections.abc import Mapping, Sequence

from srlm.types import Answer, Dropped, PreferencePair, Prompt
from trainer.preferences.log_probs import LogProb, answer_log_probs
from trainer.session import Session

DISAGREED = "the implicit reward disagrees"

Rewards = Mapping[str, float]
"""Implicit rewards by the answer's id, in nats."""


def implicit_rewards(
    session: Session, number: int, prompts: Sequence[Prompt], answers: Sequence[Answer]
) -> dict[str, float]:
    """Return the implicit rewards of M_t with the model before it as the reference, in nats (beta is 1)."""
    current, reference = (
        answer_log_probs(session, f"M{number + 1}", model, prompts, answers)
        for model in (f"M{number}", f"M{number - 1}")
    )
    return log_ratios(current, reference)


def log_ratios(current: Mapping[str, LogProb], reference: Mapping[str, LogProb]) -> dict[str, float]:
    """Return log pi - log pi_ref of each answer that both models have read."""
    return {key: one.logp - reference[key].logp for key, one in current.items() if key in reference}


def filter_by_implicit_reward(
    pairs: Sequence[PreferencePair], rewards: Rewards
) -> tuple[list[PreferencePair], list[Dropped]]:
    """Return the pairs whose chosen answer has the higher implicit reward, and the dropped ones with their reasons."""
    kept: list[PreferencePair] = []
    dropped: list[Dropped] = []
    for pair in pairs:
        margin = rewards[pair.chosen_id] - rewards[pair.rejected_id]
        if margin > 0:
            kept.append(pair)
        else:
            detail = f"{margin:.2f} nats, chosen less rejected, where the judge has {pair.reason}"
            dropped.append(Dropped(pair.prompt_id, DISAGREED, detail))
    return kept, dropped
