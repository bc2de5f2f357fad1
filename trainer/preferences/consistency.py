"""How far two judges inside of one model agree: two switches that trust the preferences of M_t less where they do not.

Both read the implicit reward of an answer, log pi - log pi_ref (`trainer/preferences/log_probs.py`), of which only the order
counts, so that beta does not matter. Both begin with the second iteration, with M2: an implicit reward is what DPO
leaves behind, and M1 comes from M0 by imitation, after which the seeds' ways are likelier and not the better answers.

Smoothing by agreement, `dpo.label_smoothing: agreement`, is CREAM (arXiv 2410.12735). The candidates of an instruction
are ranked by M_t and by the model before it, each by log pi - log pi_0, against M0. With tau the mean over the
instructions of Kendall's tau, the consistency rate is C = (tau + 1) / 2, and the loss C * L(chosen, rejected) +
(1 - C) * L(rejected, chosen): label smoothing by 1 - C. Three things differ here, or are to be known:

    M1      The authors begin an iteration earlier: M0, which has no reward against itself, ranks by its mean
            log-likelihood of a token, and M1 by log pi_1 - log pi_0. One has log pi_0 with a plus and the other with a
            minus, so that they fall apart by construction where M0 knows little: for M0 of random weights (preset
            puzzle, seed 1, 868 instructions) tau was -0.49, and M2 would have been taught the rejected answers.
    judge   CREAM chooses its pairs by the implicit reward too; here the judge's scores do. C says how far the model's
            own preferences are the same as an iteration ago, not how good the judge is.
    ties    tau-b. Candidates with the same text tie in both rankings and say nothing; an instruction whose candidates
            all tie in one of them has no tau and is left out of the mean.

At C = 1/2 the two terms cancel out where training begins, and below it they prefer the rejected answers. As in the
paper this is not cut off; it is said.

The filter, `pairs.agreement: implicit`, keeps a pair where the implicit reward of M_t finds the chosen answer the
better one too; SCIR (arXiv 2502.08922) trains on such pairs alone, and its losses, which pull the two judges together,
are left out. The reference is the model before M_t, from which DPO made it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from statistics import fmean

from srlm.types import SCHEMA, Answer, Dropped, PreferencePair, Prompt
from trainer.preferences.log_probs import Likelihood, likelihoods
from trainer.session import Session

DISAGREED = "the implicit reward disagrees"

Rewards = Mapping[str, float]
"""Implicit rewards by the answer's id."""


@dataclass(frozen=True)
class Agreement:
    """How alike two successive models rank the candidates, and the smoothing that follows.

    Attributes:
        model: the model to be trained.
        current: who wrote and ranks the candidates.
        before: who ranked them an iteration ago.
        instructions: over how many the mean is.
        tau: the mean of Kendall's tau-b; None where no instruction has candidates that can be ranked.
    """

    model: str
    current: str
    before: str
    instructions: int
    tau: float | None
    schema: int = SCHEMA

    @property
    def consistency(self) -> float:
        """C, from 0 to 1; where nothing could be ranked, nothing speaks against the labels."""
        return 1.0 if self.tau is None else (self.tau + 1) / 2

    @property
    def smoothing(self) -> float:
        """The weight of the flipped pair."""
        return 1 - self.consistency

    def __str__(self) -> str:
        """For the log."""
        if self.tau is None:
            return f"{self.model}: no candidates that {self.current} and {self.before} could rank; labels as they are."
        warning = (
            " At a half and above nothing is learned from chosen and rejected, or the opposite."
            if self.smoothing >= 0.5
            else ""
        )
        return (
            f"{self.model}: {self.current} and {self.before} rank the candidates of {self.instructions} instructions "
            f"with Kendall's tau {self.tau:.2f}; labels smoothed by {self.smoothing:.2f}.{warning}"
        )


def rank_agreement(session: Session, number: int, prompts: Sequence[Prompt], candidates: Sequence[Answer]) -> Agreement:
    """How alike M_t and the model before it rank the candidates of iteration `number`; a stage of the run."""
    current, before, following = (f"M{number + step}" for step in (0, -1, 1))

    def produce() -> list[Agreement]:
        read = {name: likelihoods(session, following, name, prompts, candidates) for name in (current, before, "M0")}
        now, then = (_implicit(read[name], read["M0"]) for name in (current, before))
        tau, instructions = mean_tau(candidates, now, then)
        return [Agreement(following, current, before, instructions, tau)]

    (found,) = session.run.stage(f"{following}/agreement", Agreement, produce)
    return found


def implicit_rewards(
    session: Session, number: int, prompts: Sequence[Prompt], answers: Sequence[Answer]
) -> dict[str, float]:
    """Implicit rewards of M_t, with the model before it as the reference, in nats (beta is 1)."""
    now, then = (
        likelihoods(session, f"M{number + 1}", model, prompts, answers) for model in (f"M{number}", f"M{number - 1}")
    )
    return _implicit(now, then)


def _implicit(current: Mapping[str, Likelihood], reference: Mapping[str, Likelihood]) -> dict[str, float]:
    """Of the answers that both have read: of an earlier model's answers the filter's two alone have."""
    return {key: one.logp - reference[key].logp for key, one in current.items() if key in reference}


def mean_tau(candidates: Sequence[Answer], current: Rewards, before: Rewards) -> tuple[float | None, int]:
    """The mean over instructions of the tau of two rankings of their candidates, and over how many it is."""
    of_prompt: dict[str, list[str]] = {}
    for answer in candidates:
        of_prompt.setdefault(answer.prompt_id, []).append(answer.id)
    taus = [
        tau
        for ids in of_prompt.values()
        if (tau := kendall([current[one] for one in ids], [before[one] for one in ids])) is not None
    ]
    return (fmean(taus) if taus else None), len(taus)


def kendall(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Kendall's tau-b of two rankings of the same things; None where one of the two ranks nothing."""
    from scipy.stats import kendalltau

    if len(x) < 2:
        return None
    tau = float(kendalltau(x, y, variant="b").statistic)
    return None if isnan(tau) else tau


def agreeing(pairs: Sequence[PreferencePair], rewards: Rewards) -> tuple[list[PreferencePair], list[Dropped]]:
    """The pairs whose chosen answer has the higher implicit reward; of the others why they were dropped."""
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
