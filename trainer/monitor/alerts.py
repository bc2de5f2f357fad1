"""What is too much or too little in an iteration's health: one line each, and under `--strict` the end of the command.

A threshold is a setting of `MonitorConfig`. None is in the paper; each catches a way in which self-rewarding is known
to go wrong (a judge that did not learn, answers that grow, a narrow set of instructions), long before a measurement
of the model would.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from srlm.config.monitor import MonitorConfig
from srlm.errors import StoppedByStrict
from srlm.iteration_metrics import Health


@dataclass(frozen=True)
class Check:
    """A figure, its threshold, and what to think when it passes that.

    `setting` is the threshold's name in the configuration, `below` says that too little is wrong, not too much.
    """

    name: str
    figure: Callable[[Health], float | None]
    setting: str
    below: bool
    unit: Literal["share", "points", "distance"]
    advice: str


CHECKS = (
    Check(
        "share of the judge's answers that could be read",
        lambda one: one.parse_rate if one.candidates else None,
        "min_parse_rate",
        True,
        "share",
        "The judge has not learned to write a score: give it more EFT examples or a higher learning rate",
    ),
    Check(
        "share of the most common score",
        lambda one: one.one_score_share,
        "max_one_score",
        False,
        "share",
        "The judge has not learned to tell answers apart: give it EFT examples of every score",
    ),
    Check(
        "candidates' mean reward less that of worthless answers",
        lambda one: one.canary_gap,
        "min_degenerate_gap",
        True,
        "points",
        "The judge has not learned what is worthless, and pairs chosen by it teach nothing or harm: more EFT examples",
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
        "Set length beside every win rate; where answers grow, pairs.length_rho holds that back",
    ),
    Check(
        "difference in length of chosen and rejected, relative to the mean",
        lambda one: None if one.length_gap_share is None else abs(one.length_gap_share),
        "max_length_gap",
        False,
        "share",
        "The pairs teach length; where the chosen are longer, pairs.length_rho holds that back",
    ),
    Check(
        "pairs per new instruction",
        lambda one: one.pair_yield,
        "min_pair_yield",
        True,
        "share",
        "Most rewards are equal or cannot be read: more verdicts per candidate, or judge.scoring=expected",
    ),
    Check(
        "share of instructions refused as too similar",
        lambda one: one.duplicate_rate,
        "max_duplicates",
        False,
        "share",
        "The writer repeats itself: a higher instructions.sampling.temperature, more seeds, or another writer",
    ),
    Check(
        "diversity of the new instructions",
        lambda one: one.diversity,
        "min_diversity",
        True,
        "distance",
        "The instructions resemble each other: a lower instructions.rouge_limit, more seeds, or another writer",
    ),
    Check(
        "share of new instructions that overlap with the evaluation set",
        lambda one: one.contaminated_share,
        "max_contaminated",
        False,
        "share",
        "What is measured on these is no longer unseen; their ids stand in health.jsonl",
    ),
    Check(
        "reward of M_t's answers by itself, less the frozen judge's",
        lambda one: one.self_excess,
        "max_self_excess",
        False,
        "points",
        "The judge has grown kinder, not the answers better: pairs.scored_by=frozen",
    ),
)


@dataclass(frozen=True)
class Alarm:
    """A figure that passed its threshold."""

    model: str
    check: Check
    value: float
    threshold: float

    def __str__(self) -> str:
        """The figure, the threshold with the setting's name, and the advice."""
        side = "below" if self.check.below else "above"
        return (
            f"{self.model}: warning: {self.check.name}: {self._say(self.value)}, {side} monitor.{self.check.setting} "
            f"= {self._say(self.threshold)}. {self.check.advice}."
        )

    def _say(self, value: float) -> str:
        return f"{value:.1%}" if self.check.unit == "share" else f"{value:.2f}"


def alarms(health: Health, config: MonitorConfig) -> list[Alarm]:
    """The figures that passed their threshold; one that was not measured passes none."""
    found = []
    for check in CHECKS:
        value, threshold = check.figure(health), getattr(config, check.setting)
        if value is not None and (value < threshold if check.below else value > threshold):
            found.append(Alarm(health.model, check, value, threshold))
    return found


def stop(alarms_found: list[Alarm]) -> None:
    """End the command where there is an alarm.

    Raises:
        StoppedByStrict: with the first alarm and the number of others.
    """
    if alarms_found:
        more = len(alarms_found) - 1
        others = f" ({more} more warning{'s' if more > 1 else ''} above)" if more else ""
        raise StoppedByStrict(
            f"{str(alarms_found[0]).replace('warning: ', '')}{others} --strict stops here; everything is kept, and the "
            "same command without --strict goes on."
        )
