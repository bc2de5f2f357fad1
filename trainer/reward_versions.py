"""Versions of the reward sources of a run: a run is a function of its configuration, which has only their names.

`reward.jsonl` in the run has the label of each source when its first scoring ended. A source that is another one later,
such as a program that was edited, is refused: the pairs of two iterations would follow different rewards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from srlm.config.rewards import JUDGE, RewardPart
from srlm.errors import RunChanged
from srlm.rewards.source import RewardSource
from srlm.runs import Run
from srlm.types import SCHEMA, Verdict

STAGE = "reward"


@dataclass(frozen=True)
class SourceVersion:
    """A source of the setting `reward`, and the label of what it was: "program:1f0c..."."""

    source: str
    label: str
    schema: int = SCHEMA


def keep_versions(run: Run, parts: Sequence[RewardPart], verdicts: Sequence[Verdict]) -> None:
    """Write the versions of the sources that gave these verdicts, unless the run has them."""
    names = [part.source for part in parts if part.source != JUDGE]
    labels = {verdict.judge: verdict.rubric for verdict in verdicts}
    run.stage(STAGE, SourceVersion, lambda: [SourceVersion(name, labels[name]) for name in names])


def write_versions(run: Run, versions: Sequence[SourceVersion]) -> None:
    """Write the versions of the sources that rewarded rollouts, unless there is none or the run has them."""
    if versions:
        run.stage(STAGE, SourceVersion, lambda: list(versions))


def require_version(run: Run, source: RewardSource) -> None:
    """Refuse a source that has changed since it scored answers of this run.

    Raises:
        RunChanged: with both versions.
    """
    for one in run.records(STAGE, SourceVersion):
        if one.source == source.name and one.label != source.label:
            raise RunChanged(
                run.folder,
                [f"{one.source} {one.label} -> {source.label}"],
                f"To go on with the changed one, whose earlier values stay, remove {run.path(STAGE)}.",
            )
