"""Nothing to learn from: where the candidates of an iteration went, and what to try."""

from srlm.errors import NothingToTrain
from srlm.iteration_metrics import IterationMetrics
from trainer.preferences.best_of_n import least_positive
from trainer.preferences.consistency import DISAGREED
from trainer.preferences.pairs import UNREAD
from trainer.preferences.scoring import Judged
from trainer.session import Session


def no_pair(figures: IterationMetrics, verdicts: int) -> NothingToTrain:
    """There is no pair among so many verdicts."""
    unread = figures.dropped.get(UNREAD, 0)
    advice = (
        "Answers without a word have nothing to choose from, for all their tokens went into thoughts: give a larger "
        "candidate_sampling.max_tokens, or thoughts=drop in a new run."
        if 2 * figures.only_thoughts >= figures.candidates > 0
        else "A judge that cannot be read has not learned to judge: give it more EFT examples, or a higher learning "
        "rate."
        if 2 * unread >= figures.instructions
        else "The judge and the implicit reward contradict each other; without pairs.agreement the judge decides alone."
        if 2 * figures.dropped.get(DISAGREED, 0) >= figures.instructions
        else "Rewards that hardly differ become different with more verdicts per candidate (judge.samples), with "
        "judge.scoring=expected, with more candidates, or with a smaller pairs.min_gap."
    )
    dropped = ", ".join(f"{reason}: {count}" for reason, count in figures.dropped.items())
    return NothingToTrain(
        f"{figures.model}: no preference pair. {figures.instructions} instructions, {figures.candidates} candidates, "
        f"{figures.parse_rate:.0%} of {verdicts} verdicts readable; dropped: {dropped or 'nothing'}. {advice}"
    )


def no_positive(session: Session, figures: IterationMetrics, scored: Judged) -> NothingToTrain:
    """No answer is good enough; how far the best is from it."""
    values = [reward.value for reward in scored.rewards if reward.value is not None]
    least = least_positive(session.config, session.judge().rubric.scale)
    best = f"the best has {max(values):.2f}" if values else "none has a reward"
    return NothingToTrain(
        f"{figures.model}: no answer has a reward of {least:g}, {best}. {figures.instructions} instructions, "
        f"{figures.candidates} candidates, {len(values)} of them with a reward, {figures.parse_rate:.0%} of the "
        "verdicts readable. More candidates, or a lower positives.min_reward, would leave some."
    )
