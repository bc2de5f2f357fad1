"""Ways to learn on the puzzle, from one M1 and with as many answers each (docs/explain/rlsr.md).

For each seed the preset `puzzle` trains M1, M2 and M3 by DPO; then `rlsr-puzzle` trains its M2 and M3 from the same M1
by GRPO, rewarded by the model itself; and then again, rewarded by something else: M_t, the checker, a random draw, or
nothing. Only shuffled-eft has an M1 of its own, which has learned to judge from judgements of other answers.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal

from learn_run import Learned, Task, one_run, same_m1
from srlm.config import TrainConfig
from srlm.config_file import load_config
from srlm.console import Progress
from srlm.puzzle.task import FULL_SCORE
from trainer.preflight import preflight

PAIRS, SELF = "pairs", "rollouts"
REWARDS = Path(os.path.relpath(Path(__file__).with_name("learn_rewards.py")))
"""Relative where that is possible, so that a run's configuration names no folder of this machine."""

OF_PAIRS = ("dpo.", "pairs.", "instructions.", "candidate")
OF_ROLLOUTS = ("grpo.", "rollouts.")
Found = Mapping[str, Sequence[Learned]]
"""The runs of each arm, in the order of the seeds."""

FULL_POINTS = f"rollouts.right_from={FULL_SCORE}"
"""A program has no scale that says which answers it calls right."""


@dataclass(frozen=True)
class Arm:
    """One way to learn: its preset, and what it changes. A control should not gain."""

    name: str
    title: str
    changes: tuple[str, ...] = ()
    preset: Literal["puzzle", "rlsr-puzzle"] = "rlsr-puzzle"
    is_control: bool = False
    own_m1: bool = False


ARMS = {
    arm.name: arm
    for arm in (
        Arm(PAIRS, "DPO on its own pairs", preset="puzzle"),
        Arm(SELF, "GRPO, judged by itself"),
        Arm("frozen-judge", "GRPO, judged by M_t", ("rollouts.judged_by=M_t",)),
        Arm("checker-points", "GRPO, the checker's points", (f"reward={REWARDS}:points", FULL_POINTS)),
        Arm("checker", "GRPO, the checker's right or wrong", (f"reward={REWARDS}:checker", "rollouts.right_from=1")),
        Arm("random-reward", "GRPO, random points", (f"reward={REWARDS}:random_points", FULL_POINTS), is_control=True),
        Arm(
            "constant-reward",
            "GRPO, the same points for all",
            (f"reward={REWARDS}:constant", FULL_POINTS),
            is_control=True,
        ),
        Arm("shuffled-eft", "GRPO, judged by itself, EFT shuffled", is_control=True, own_m1=True),
    )
}


def config_of(arm: Arm, seed: int, changes: Sequence[str]) -> TrainConfig:
    """Load the configuration of an arm; of `changes`, those that concern the other preset alone are left out."""
    others = OF_ROLLOUTS if arm.preset == "puzzle" else OF_PAIRS
    fitting = [change for change in changes if not change.startswith(others)]
    return load_config(arm.preset, [f"seed={seed}", *arm.changes, *fitting])


def compare_ways(
    root: Path,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    changes: Sequence[str],
    m1: Path | None,
    task: Task,
    tested: int,
    progress: Progress,
) -> dict[str, list[Learned]]:
    """Run the arms, seed by seed.

    Args:
        root: folder of the runs.
        arms: the ways to learn.
        seeds: of the runs.
        changes: settings, as of `--set`.
        m1: folder of kept runs that have M1; those of the arm `pairs` in `root`, if None.
        task: the puzzle's.
        tested: number of test puzzles.
        progress: output for the user.

    Raises:
        UsageError: a setting is wrong, or `m1` has not the M1 of these settings.
        UnknownName: there is no run that has M1.
    """
    configs = {arm.name: [config_of(arm, seed, changes) for seed in seeds] for arm in arms}
    for arm in arms:
        preflight(configs[arm.name][0])
    if m1:
        same_m1(m1, [one for arm in arms if not arm.own_m1 for one in configs[arm.name]])
    found: dict[str, list[Learned]] = {arm.name: [] for arm in arms}
    for place in range(len(seeds)):
        first = None  # M1 is measured once a seed
        for arm in sorted(arms, key=lambda arm: arm.name != PAIRS):
            config = configs[arm.name][place]
            start = None if arm.own_m1 else m1 or (None if arm.name == PAIRS else root)
            if start and not m1:
                same_m1(start, [config])
            control = None if arm.name in (PAIRS, SELF) else arm.name
            suffix = None if arm.name == PAIRS else arm.name
            known = None if arm.own_m1 else first
            learned = one_run(root, config, control, start, task, tested, progress, suffix, known)
            found[arm.name].append(learned)
            first = first if arm.own_m1 else learned.models[0]
    return found


def shortfalls_of_ways(found: Found, task: Task) -> list[str]:
    """Return what is not as it should be."""
    short = []
    for name, runs in found.items():
        arm, mean = ARMS[name], fmean(one.gain for one in runs)
        if arm.is_control:
            short += [
                f"{name}, seed {one.seed}: gained {one.gain:+.3f}, more than {task.control}"
                for one in runs
                if one.gain > task.control
            ]
        elif name == SELF and mean < task.pooled:
            short.append(f"{name}: the mean gain is {mean:+.3f}, less than {task.pooled}")
    return short
