"""What a switch of the loop is worth in the puzzle world: a table of paired differences (docs/explain/ablations.md).

Reads records of `learn.py`, one a line, of runs that began at the same M1: those without changes are what the others
are compared with, seed by seed. Student's t over the seeds; no interval knows how many others stand beside it.

    python tools/learn_switches.py results/reproductions/puzzle/switches.jsonl
"""

import argparse
import json
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from statistics import fmean
from typing import Any

from srlm.stats.intervals import Estimate, mean_interval

Record = dict[str, Any]


def table(records: Sequence[Record]) -> list[str]:
    """The lines of the table: a row for each set of changes, in the order in which they come."""
    of_changes: dict[tuple[str, ...], dict[int, Record]] = {}
    for one in records:
        of_changes.setdefault(tuple(one["changes"]), {})[one["seed"]] = one
    base = of_changes.pop(())
    lines = [
        "| changed | seeds | M2 | last | last, less the preset's M3 | pass@4 of the last | judge of the last |",
        "|---|---|---|---|---|---|---|",
        _row("nothing", base, base),
    ]
    return lines + [_row(" ".join(f"`{change}`" for change in key), found, base) for key, found in of_changes.items()]


def _row(name: str, found: dict[int, Record], base: dict[int, Record]) -> str:
    seeds = sorted(found.keys() & base.keys())
    differences = [_last(found[seed], "solved") - _last(base[seed], "solved") for seed in seeds]
    second = [found[seed]["models"][1]["solved"]["value"] for seed in seeds if len(found[seed]["models"]) > 1]
    cells = [
        name,
        str(len(seeds)),
        f"{fmean(second):.3f}" if second else "none",
        *[f"{fmean(_last(found[seed], 'solved') for seed in seeds):.3f}"],
        "" if found is base else _signed(mean_interval(differences, bounds=(-1, 1))),
        *[f"{fmean(_last(found[seed], figure) for seed in seeds):.3f}" for figure in ("pass_at_4", "judge")],
    ]
    return f"| {' | '.join(cells)} |"


def _last(record: Record, figure: str) -> float:
    """A figure of the run's last model; a judge that ranked nothing is a coin."""
    value = record["models"][-1][figure]["value"]
    return 0.5 if value is None or isnan(value) else float(value)


def _signed(difference: Estimate) -> str:
    return f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("records", type=Path, help="records of learn.py, one a line")
    options = parser.parse_args()
    records = [json.loads(line) for line in options.records.read_text(encoding="utf-8").splitlines()]
    print("\n".join(table(records)))


if __name__ == "__main__":
    main()
