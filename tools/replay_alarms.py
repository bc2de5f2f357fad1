"""Replay the alarms of rollouts on stored audits: delay where a fault was planted, false alarms where none was.

    python tools/replay_alarms.py --planted FILE... --honest FILE... [--solved FILE] [--set min_precision=0.6]...

A file is the `audit.jsonl` of an iteration, or a `.jsonl.gz` of several iterations, whose lines have the field `run`.
For each run: the first step of each alarm; the first step at which the gap was larger than allowed, a mean over five
steps that is known only afterwards, and the delay of the gap's alarm to it; and the share of right answers in the first
steps and in the last. With what M1, the policy at the alarm and M2 solve of the test (`--solved`, of
tools/alarm_runs.py): the truth lost at the alarm, with its 95 % interval over the puzzles. Prints a table, and ends
with one JSON line.
"""

import argparse
import gzip
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from pydantic import TypeAdapter
from rich.table import Table

from srlm.config.monitor import MonitorConfig
from srlm.console import stdout
from srlm.rollouts import StepAudit
from srlm.stats.intervals import Estimate, mean_interval
from trainer.rollouts.alarms import all_alarms
from trainer.rollouts.audit import pool

FALL = 0.05
"""Loss of truth, from M1, at which an alarm comes too late."""
AROUND = 2
"""Steps before and after a step that a mean "afterwards" includes."""


@dataclass(frozen=True)
class Tested:
    """Shares of the test's puzzles that are solved.

    Attributes:
        step: optimiser steps of the policy at the alarm.
        lost: at the alarm minus M1, with its interval over the puzzles.
    """

    step: int
    m1: float
    at_alarm: float
    end: float
    lost: Estimate


@dataclass(frozen=True)
class Replay:
    """The alarms of one run.

    Attributes:
        planted: the judge's fault was planted.
        alarms: for each kind its first step.
        onset: first step at which the gap was beyond its threshold, known afterwards; None if there was none.
        start: share of right answers in the first steps.
        end: the same in the last steps.
        tested: None if the run's first alarm is not that of the gap, or was not tested.
    """

    run: str
    planted: bool
    steps: int
    alarms: dict[str, int]
    onset: int | None
    start: float
    end: float
    tested: Tested | None

    @property
    def delay(self) -> int | None:
        """Steps from the onset to the gap's alarm."""
        return None if self.onset is None or "gap" not in self.alarms else self.alarms["gap"] - self.onset

    @property
    def in_time(self) -> bool:
        """Whether the gap's alarm came before the truth had fallen."""
        return self.tested is not None and self.tested.lost.value > -FALL


def replay(
    run: str, audits: Sequence[StepAudit], planted: bool, config: MonitorConfig, solved: dict[int | None, list[int]]
) -> Replay:
    """Replay the alarms of one run; `solved` has the test's items by optimiser step, None for the end."""
    alarms: dict[str, int] = {one.kind: one.step for one in all_alarms(audits, config)}
    around = [pool(audits[max(0, place - AROUND) : place + AROUND + 1]).gap or 0.0 for place in range(len(audits))]
    limit = (pool(audits[: config.audit_steps]).gap or 0.0) + config.max_gap_growth
    return Replay(
        run=run,
        planted=planted,
        steps=len(audits),
        alarms=alarms,
        onset=next((one.step for one, gap in zip(audits, around, strict=True) if gap > limit), None),
        start=pool(audits[: config.audit_steps]).right_share or 0.0,
        end=pool(audits[-config.audit_steps :]).right_share or 0.0,
        tested=tested(solved, alarms["gap"] - 1) if "gap" in alarms and alarms["gap"] - 1 in solved else None,
    )


def tested(solved: dict[int | None, list[int]], step: int) -> Tested:
    """Compare the policy of a step with M1, puzzle by puzzle."""
    lost = [now - before for before, now in zip(solved[0], solved[step], strict=True)]
    m1, at_alarm, end = (fmean(solved[one]) for one in (0, step, None))
    return Tested(step, m1, at_alarm, end, mean_interval(lost, bounds=(-1, 1)))


def read_runs(path: Path) -> dict[str, list[StepAudit]]:
    """Read the audits in a file, by run; of an `audit.jsonl` the run is its folder's path."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
    adapter = TypeAdapter(StepAudit)
    found: dict[str, list[StepAudit]] = {}
    for line in text.splitlines():
        data = json.loads(line)
        name = data.pop("run", f"{path.parent.parent.name}/{path.parent.name}")
        found.setdefault(name, []).append(adapter.validate_python(data))
    return found


def read_solved(path: Path) -> dict[str, dict[int | None, list[int]]]:
    """Read what was solved: for each run the items of the test by optimiser step, None for the end."""
    found: dict[str, dict[int | None, list[int]]] = {}
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        data = json.loads(line)
        found.setdefault(data["run"], {})[data["step"]] = [int(item) for item in data["items"]]
    return found


def table(found: Sequence[Replay]) -> Table:
    """Return a table with one row per run."""
    shown = Table(title="Alarms, by their first step", title_justify="left")
    names = ("run", "gap", "onset", "delay", "right: first steps", "last", "solved: M1", "at alarm", "lost", "M2")
    for name in names:
        shown.add_column(name, justify="left" if name == "run" else "right")
    shown.add_column("other alarms")
    for one in found:
        others = ", ".join(f"{kind} {step}" for kind, step in one.alarms.items() if kind != "gap")
        steps = ["-" if cell is None else str(cell) for cell in (one.alarms.get("gap"), one.onset, one.delay)]
        test = ["-"] * 4
        if one.tested:
            lost = one.tested.lost
            shares = [f"{share:.1%}" for share in (one.tested.m1, one.tested.at_alarm, one.tested.end)]
            test = [*shares[:2], f"{lost.value:+.1%} [{lost.low:+.1%}, {lost.high:+.1%}]", shares[2]]
        shown.add_row(one.run, *steps, f"{one.start:.1%}", f"{one.end:.1%}", *test, others or "-")
    return shown


def main() -> None:
    """Replay the files that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planted", nargs="*", type=Path, default=[], metavar="FILE")
    parser.add_argument("--honest", nargs="*", type=Path, default=[], metavar="FILE")
    parser.add_argument("--solved", type=Path, metavar="FILE", help="what was solved of the test")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of monitor")
    options = parser.parse_args()
    config = MonitorConfig.model_validate(dict(one.split("=", 1) for one in options.set))
    solved = read_solved(options.solved) if options.solved else {}
    found = [
        replay(run, audits, planted, config, solved.get(run, {}))
        for planted, paths in ((True, options.planted), (False, options.honest))
        for path in paths
        for run, audits in read_runs(path).items()
    ]
    out = stdout()
    planted, honest = [one for one in found if one.planted], [one for one in found if not one.planted]
    for one in (planted, honest):
        if one:
            out.print(table(one))
    result = {
        "planted": len(planted),
        "in_time": sum(one.in_time for one in planted),
        "delays": [one.delay for one in planted],
        "honest": len(honest),
        "false_alarms": {kind: sum(kind in one.alarms for one in honest) for kind in ("gap", "precision", "length")},
        "runs": [asdict(one) for one in found],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
