"""Alerts: metrics of an iteration beyond their thresholds. Under `--strict` the first one ends the command.

The thresholds are settings of `MonitorConfig`. None is in the paper. Each catches a known failure of self-rewarding (a
judge that has not learned, answers that grow, prompts with little diversity) long before an evaluation of the model
would.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from srlm.config.monitor import MonitorConfig
from srlm.errors import StoppedByStrict
from srlm.iteration_metrics import IterationMetrics


@dataclass(frozen=True)
class Check:
    """A metric, its threshold, and the advice if it is beyond that.

    Attributes:
        setting: name of the threshold in the configuration.
        below: true if values below the threshold give the alert, false if values above do.
        without_judge: the advice where the reward is not the judge's, if it differs.
    """

    name: str
    metric: Callable[[IterationMetrics], float | None]
    setting: str
    below: bool
    unit: Literal["share", "points", "distance"]
    advice: str
    without_judge: str = ""


CHECKS = (
    Check(
        "share of parsed verdicts",
        lambda one: one.parse_rate if one.candidates else None,
        "min_parse_rate",
        True,
        "share",
        "The judge has not learned to write a score: give it more EFT examples or a higher learning rate (an instruct "
        "model gets them with start=judge), or more room for its reasons, judge.sampling.max_tokens",
        "The reward has no value for these answers, and they are in no pair: srlm show ID has the reasons",
    ),
    Check(
        "share of the most common score",
        lambda one: one.one_score_share,
        "max_one_score",
        False,
        "share",
        "The judge has not learned to distinguish answers: give it EFT examples of every score (an instruct model gets "
        "them with start=judge), or take other rewards: judge.frozen with pairs.scored_by=frozen, or reward",
        "The reward does not distinguish the answers: take a finer one, other instructions, or more candidates",
    ),
    Check(
        "mean reward of the candidates minus that of degenerate answers",
        lambda one: one.degenerate_gap,
        "min_degenerate_gap",
        True,
        "points",
        "The judge has not learned to score degenerate answers low, and its pairs are useless or harmful: give it more "
        "EFT examples (an instruct model gets them with start=judge), or take other rewards: judge.frozen with "
        "pairs.scored_by=frozen, or reward",
        "The reward is no higher for real answers than for degenerate ones, and training will find such answers: see "
        "their kinds in the table, and correct the program or take another reward model",
    ),
    Check(
        "share of the highest score",
        lambda one: one.top_share,
        "max_top_scores",
        False,
        "share",
        "The scale is used up: stop here, or use a rubric that is harder to satisfy",
    ),
    Check(
        "change of the mean length",
        lambda one: None if one.length_drift is None else abs(one.length_drift),
        "max_length_drift",
        False,
        "share",
        "Report length next to every win rate; if answers grow, pairs.length_rho limits it",
    ),
    Check(
        "difference in length of chosen and rejected, relative to the mean",
        lambda one: None if one.length_gap_share is None else abs(one.length_gap_share),
        "max_length_gap",
        False,
        "share",
        "The pairs teach length; if the chosen answers are longer, pairs.length_rho limits it",
    ),
    Check(
        "pairs per new instruction",
        lambda one: one.pair_yield,
        "min_pair_yield",
        True,
        "share",
        "Most rewards are equal or missing: set more verdicts per candidate, or judge.scoring=expected",
        "Most rewards are equal or missing: take a finer reward, or more candidates",
    ),
    Check(
        "share of instructions refused as too similar",
        lambda one: one.duplicate_rate,
        "max_duplicates",
        False,
        "share",
        "The writer repeats itself: set a higher instructions.sampling.temperature, more seeds, or another writer; "
        "of a file, give more different prompts",
    ),
    Check(
        "diversity of the new instructions",
        lambda one: one.diversity,
        "min_diversity",
        True,
        "distance",
        "The instructions resemble each other: set a lower instructions.rouge_limit, more seeds, or another writer; of "
        "a file, give more different prompts",
    ),
    Check(
        "share of new instructions that overlap with the evaluation set",
        lambda one: one.contaminated_share,
        "max_contaminated",
        False,
        "share",
        "Evaluation prompts are no longer unseen; the ids of the new instructions are in health.jsonl. "
        "instructions.decontaminate refuses such prompts of a file",
    ),
    Check(
        "reward of M_t's answers by itself minus the frozen judge's",
        lambda one: one.self_excess,
        "max_self_excess",
        False,
        "points",
        "The judge has become more lenient, and the answers no better: set pairs.scored_by=frozen",
    ),
)


@dataclass(frozen=True)
class Alert:
    """A metric beyond its threshold."""

    model: str
    check: Check
    value: float
    threshold: float
    advice: str

    def __str__(self) -> str:
        """Return the metric, the threshold with the setting's name, and the advice."""
        side = "below" if self.check.below else "above"
        return (
            f"{self.model}: warning: {self.check.name}: {self._format(self.value)}, {side} "
            f"monitor.{self.check.setting} = {self._format(self.threshold)}. {self.advice}."
        )

    def _format(self, value: float) -> str:
        return f"{value:.1%}" if self.check.unit == "share" else f"{value:.2f}"


def find_alerts(metrics: IterationMetrics, config: MonitorConfig) -> list[Alert]:
    """Return an alert for each metric beyond its threshold. A metric that was not measured gives none."""
    found = []
    for check in CHECKS:
        value, threshold = check.metric(metrics), getattr(config, check.setting)
        if value is not None and (value < threshold if check.below else value > threshold):
            advice = check.without_judge if metrics.highest is None and check.without_judge else check.advice
            found.append(Alert(metrics.model, check, value, threshold, advice))
    return found


def raise_on_alerts(alerts: list[Alert]) -> None:
    """End the command if there is an alert.

    Raises:
        StoppedByStrict: with the first alert and the number of others.
    """
    if alerts:
        more = len(alerts) - 1
        others = f" ({more} more warning{'s' if more > 1 else ''} above)" if more else ""
        raise StoppedByStrict(
            f"{str(alerts[0]).replace('warning: ', '')}{others} --strict stops here. Finished stages are kept; the "
            "same command without --strict resumes from here."
        )
