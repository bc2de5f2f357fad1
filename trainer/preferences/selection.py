"""Selection of an iteration's training data from the scored candidates: preference pairs, or best answers.

The prompts without training data and their reasons are written to the run's `dropped` stage.
"""

from collections.abc import Sequence

from srlm.types import Answer, PreferencePair, Prompt, SFTExample
from trainer.generation.candidates import sample_candidates
from trainer.preferences.best_of_n import choose_positives, min_positive_reward
from trainer.preferences.implicit_reward import filter_by_implicit_reward, implicit_rewards
from trainer.preferences.pairs import choose_pairs
from trainer.preferences.scoring import Scores, ScoreSource, score_answers
from trainer.session import Session


def select_pairs(
    session: Session, number: int, prompts: Sequence[Prompt], candidates: Sequence[Answer], scores: Scores
) -> list[PreferencePair]:
    """Return the preference pairs of iteration t.

    If `pairs.rejected_from` names an earlier model, that model's answers to the same prompts are sampled here, and
    scored by the judge that scored the candidates.
    """
    config, run, following = session.config, session.run, f"M{number + 1}"
    anchors = _sample_anchors(session, number, prompts)
    judge = config.judge.frozen if config.pairs.scored_by == "frozen" else f"M{number}"
    anchor_scores = score_answers(session, following, ScoreSource.ANCHOR, judge, prompts, anchors)
    rewards = [*scores.rewards, *anchor_scores.rewards]
    pairs, dropped = choose_pairs(prompts, candidates, rewards, config.seed, config.pairs, anchors)
    if config.pairs.agreement and number > 1:
        answers = [*candidates, *anchors]
        pairs, disagreed = filter_by_implicit_reward(pairs, implicit_rewards(session, number, prompts, answers))
        dropped += disagreed
    run.write(f"{following}/dropped", dropped)
    return pairs


def _sample_anchors(session: Session, number: int, prompts: Sequence[Prompt]) -> list[Answer]:
    """Return the answers of the earlier model of `pairs.rejected_from`; none if that is M_t itself.

    With start=instruct M0 and M1 are one model.
    """
    current, following = f"M{number}", f"M{number + 1}"
    earlier = {"current": current, "base": "M0", "M1": "M1"}[session.config.pairs.rejected_from]
    if earlier == current or (session.run.is_given(earlier) and session.run.is_given(current)):
        return []
    return session.run.stage(
        f"{following}/anchors", Answer, lambda: sample_candidates(session, following, earlier, prompts, "anchors")
    )


def select_positives(
    session: Session, number: int, prompts: Sequence[Prompt], candidates: Sequence[Answer], scores: Scores
) -> list[SFTExample]:
    """Return the best answers of iteration t as supervised examples."""
    least = min_positive_reward(session.config, session.scale())
    positives, dropped = choose_positives(prompts, candidates, scores.rewards, least, session.config.thoughts)
    session.run.write(f"M{number + 1}/dropped", dropped)
    return positives
