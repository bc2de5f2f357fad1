"""CREAM's consistency rate (arXiv 2410.12735): label smoothing where successive models rank the candidates differently.

With `dpo.label_smoothing: agreement`, M_t and the model before it each rank the candidates of a prompt by the implicit
reward log pi - log pi_0, against M0 (`trainer/preferences/log_probs.py`). With tau the mean over prompts of Kendall's
tau, the consistency rate is C = (tau + 1) / 2, and the loss is C * L(chosen, rejected) + (1 - C) * L(rejected, chosen),
that is label smoothing by 1 - C. Three things differ from the paper or need to be known:

    M1      The authors begin an iteration earlier: M0, which has no reward against itself, ranks by its mean
            log-likelihood per token, and M1 by log pi_1 - log pi_0. The two have log pi_0 with opposite signs, so they
            disagree by construction if M0 is weak: for M0 with random weights (preset puzzle, seed 1, 868 prompts) tau
            was -0.49, and M2 would have been trained towards the rejected answers. Here it begins with M3.
    judge   CREAM also chooses its pairs by the implicit reward; here the judge's scores choose them. C measures how
            stable the model's own preferences are over one iteration, not the quality of the judge.
    ties    tau-b. Candidates with the same text tie in both rankings and have no effect. A prompt whose candidates all
            tie in one ranking has no tau and is left out of the mean.

At C = 1/2 the two terms cancel at the start of training; below that they prefer the rejected answers. As in the paper
there is no cut-off; a warning is printed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from statistics import fmean

from srlm.types import SCHEMA, Answer, Prompt
from trainer.preferences.implicit_reward import Rewards, log_ratios
from trainer.preferences.log_probs import answer_log_probs
from trainer.session import Session


@dataclass(frozen=True)
class RankAgreement:
    """Agreement of two successive models' rankings of the candidates, and the label smoothing that follows.

    Attributes:
        model: the model to be trained.
        current: the model that generated the candidates, M_t.
        before: the model of the iteration before.
        instructions: the number of prompts in the mean.
        tau: the mean of Kendall's tau-b; None if no prompt has candidates that can be ranked.
    """

    model: str
    current: str
    before: str
    instructions: int
    tau: float | None
    schema: int = SCHEMA

    @property
    def consistency(self) -> float:
        """Return the consistency rate C, from 0 to 1; 1 if nothing could be ranked."""
        return 1.0 if self.tau is None else (self.tau + 1) / 2

    @property
    def smoothing(self) -> float:
        """Return the weight of the flipped pair."""
        return 1 - self.consistency

    def __str__(self) -> str:
        """Return one line for the log."""
        if self.tau is None:
            return f"{self.model}: no candidates that {self.current} and {self.before} could rank; no label smoothing."
        warning = (
            " With 0.5 or more, training learns no preference, or the opposite one." if self.smoothing >= 0.5 else ""
        )
        return (
            f"{self.model}: {self.current} and {self.before} rank the candidates of {self.instructions} instructions "
            f"with Kendall's tau {self.tau:.2f}; label smoothing {self.smoothing:.2f}.{warning}"
        )


def rank_agreement(
    session: Session, number: int, prompts: Sequence[Prompt], candidates: Sequence[Answer]
) -> RankAgreement:
    """Measure the agreement of M_t and the model before it on the candidates of iteration t; a stage of the run."""
    current, before, following = (f"M{number + step}" for step in (0, -1, 1))

    def produce() -> list[RankAgreement]:
        read = {
            name: answer_log_probs(session, following, name, prompts, candidates) for name in (current, before, "M0")
        }
        now, then = (log_ratios(read[name], read["M0"]) for name in (current, before))
        tau, instructions = mean_tau(candidates, now, then)
        return [RankAgreement(following, current, before, instructions, tau)]

    (found,) = session.run.stage(f"{following}/agreement", RankAgreement, produce)
    return found


def mean_tau(candidates: Sequence[Answer], current: Rewards, before: Rewards) -> tuple[float | None, int]:
    """Return the mean over prompts of the tau of two rankings of their candidates, and the number of prompts in it."""
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
    """Compute Kendall's tau-b of two rankings of the same items; None if one of them ties all items."""
    from scipy.stats import kendalltau

    if len(x) < 2:
        return None
    tau = float(kendalltau(x, y, variant="b").statistic)
    return None if isnan(tau) else tau
