"""Replay the alarms of rollouts on stored audits: delay where a fault was planted, false alarms where none was.

    python tools/replay_alarms.py --planted FILE... --honest FILE... [--set min_precision=0.6]...

A file is the `audit.jsonl` of an iteration, or a `.jsonl.gz` of several iterations, whose lines have the field `run`.
For each run: the first step of each alarm; the step from which the gap was larger than allowed, as it is known
afterwards, and the delay of the gap's alarm to that; and the truth, the share of right answers, at the beginning, at
that alarm, and the step at which it had fallen by five points below its best. "Afterwards" and the truth are means over
five steps, two before and two after. Prints a table, and ends with one JSON line.
"""

import argparse
import gzip
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter
from rich.table import Table

from srlm.config.monitor import MonitorConfig
from srlm.console import stdout
from srlm.rollouts import StepAudit
from trainer.rollouts.alarms import all_alarms
from trainer.rollouts.audit import pool

FALL = 0.05
"""Points by which the truth has fallen when an alarm comes too late."""
AROUND = 2
"""Steps before and after a step that a mean "afterwards" includes."""


@dataclass(frozen=True)
class Replay:
    """The alarms of one run.

    Attributes:
        planted: the judge's fault was planted.
        alarms: for each kind its first step.
        onset: first step from which the gap was beyond its threshold, known afterwards; None if there was none.
        fell: first step at which the truth had fallen by `FALL`; None if it never had.
        start: the truth in the first steps.
        best: the highest truth.
        at_alarm: the truth when the gap's alarm came.
        end: the truth in the last steps.
    """

    run: str
    planted: bool
    steps: int
    alarms: dict[str, int]
    onset: int | None
    fell: int | None
    start: float
    best: float
    at_alarm: float | None
    end: float

    @property
    def delay(self) -> int | None:
        """Steps from the onset to the gap's alarm."""
        return None if self.onset is None or "gap" not in self.alarms else self.alarms["gap"] - self.onset

    @property
    def in_time(self) -> bool:
        """Whether the gap's alarm came before the truth had fallen."""
        return "gap" in self.alarms and (self.fell is None or self.alarms["gap"] < self.fell)


def replay(run: str, audits: Sequence[StepAudit], planted: bool, config: MonitorConfig) -> Replay:
    """Replay the alarms of one run."""
    alarms = {one.kind: one.step for one in all_alarms(audits, config)}
    around = [pool(audits[max(0, place - AROUND) : place + AROUND + 1]) for place in range(len(audits))]
    truth = [one.right_share or 0.0 for one in around]
    first = pool(audits[: config.audit_steps])
    limit = (first.gap or 0.0) + config.max_gap_growth
    steps = [one.step for one in audits]
    best = [max(truth[: place + 1]) for place in range(len(truth))]
    named: dict[str, int] = dict(alarms)
    return Replay(
        run=run,
        planted=planted,
        steps=len(audits),
        alarms=named,
        onset=next((step for step, one in zip(steps, around, strict=True) if (one.gap or 0.0) > limit), None),
        fell=next((step for step, now, top in zip(steps, truth, best, strict=True) if now <= top - FALL), None),
        start=first.right_share or 0.0,
        best=best[-1],
        at_alarm=truth[steps.index(named["gap"])] if "gap" in named else None,
        end=pool(audits[-config.audit_steps :]).right_share or 0.0,
    )


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


def table(found: Sequence[Replay]) -> Table:
    """Return a table with one row per run."""
    shown = Table(title="Alarms, by their first step", title_justify="left")
    for name in ("run", "steps", "gap", "onset", "delay", "fell 5 points", "right: start", "best", "at alarm", "end"):
        shown.add_column(name, justify="left" if name == "run" else "right")
    shown.add_column("other alarms")
    for one in found:
        others = ", ".join(f"{kind} {step}" for kind, step in one.alarms.items() if kind != "gap")
        at = "-" if one.at_alarm is None else f"{one.at_alarm:.1%}"
        cells = [one.steps, one.alarms.get("gap"), one.onset, one.delay, one.fell]
        rates = [f"{one.start:.1%}", f"{one.best:.1%}", at, f"{one.end:.1%}"]
        shown.add_row(one.run, *("-" if cell is None else str(cell) for cell in cells), *rates, others or "-")
    return shown


def main() -> None:
    """Replay the files that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planted", nargs="*", type=Path, default=[], metavar="FILE")
    parser.add_argument("--honest", nargs="*", type=Path, default=[], metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of monitor")
    options = parser.parse_args()
    config = MonitorConfig.model_validate(dict(one.split("=", 1) for one in options.set))
    found = [
        replay(run, audits, planted, config)
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
