"""Errors of an iteration without training data: no preference pair, or no answer that is good enough."""

from srlm.errors import NothingToTrain
from srlm.iteration_metrics import IterationMetrics
from trainer.preferences.best_of_n import min_positive_reward
from trainer.preferences.implicit_reward import DISAGREED
from trainer.preferences.pairs import ALL_VETOED, TOO_FEW_REWARDS
from trainer.preferences.scoring import Scores
from trainer.session import Session


def no_pairs_error(metrics: IterationMetrics, verdicts: int) -> NothingToTrain:
    """Build the error of an iteration without a pair: the counts, and the setting to change for the likely cause."""
    without_rewards = metrics.dropped.get(TOO_FEW_REWARDS, 0)
    if 2 * metrics.only_thoughts >= metrics.candidates > 0:
        advice = (
            "Most candidates are empty because all their tokens are reasoning: set a larger "
            "candidate_sampling.max_tokens, or thoughts=drop in a new run."
        )
    elif 2 * metrics.dropped.get(ALL_VETOED, 0) >= metrics.instructions:
        advice = "Most answers are vetoed: lower veto_below, or set more candidates."
    elif metrics.highest is None:
        advice = (
            "The reward has no value for most answers."
            if 2 * without_rewards >= metrics.instructions
            else "Most rewards are equal. Take a reward that distinguishes the answers, more candidates, or a smaller "
            "pairs.min_gap."
        )
    elif 2 * without_rewards >= metrics.instructions:
        advice = (
            "Most verdicts cannot be parsed, so the model has not learned to judge: give it more EFT examples, or a "
            "higher learning rate (an instruct model gets them with start=judge), or more room for its reasons: "
            "judge.sampling.max_tokens."
        )
    elif 2 * metrics.dropped.get(DISAGREED, 0) >= metrics.instructions:
        advice = "The judge and the implicit reward disagree. Without pairs.agreement the judge alone decides."
    else:
        advice = (
            "Most rewards are nearly equal. Set more verdicts per candidate (judge.samples), judge.scoring=expected, "
            "more candidates, or a smaller pairs.min_gap."
        )
    dropped = ", ".join(f"{reason}: {count}" for reason, count in metrics.dropped.items())
    return NothingToTrain(
        f"{metrics.model}: no preference pair. {metrics.instructions} instructions, {metrics.candidates} candidates, "
        f"{metrics.parse_rate:.0%} of {verdicts} verdicts parsed; dropped: {dropped or 'nothing'}. {advice}"
    )


def no_best_answers_error(session: Session, metrics: IterationMetrics, scores: Scores) -> NothingToTrain:
    """Build the error of an iteration without an answer that is good enough, with the best reward."""
    values = [reward.value for reward in scores.rewards if reward.value is not None]
    least = min_positive_reward(session.config, session.scale())
    best = f"the best has {max(values):.2f}" if values else "none has a reward"
    return NothingToTrain(
        f"{metrics.model}: no answer has a reward of at least {least:g}, {best}. {metrics.instructions} instructions, "
        f"{metrics.candidates} candidates, {len(values)} of them with a reward, {metrics.parse_rate:.0%} of the "
        "verdicts parsed. Set more candidates, or a lower positives.min_reward."
    )
