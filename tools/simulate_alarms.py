"""Count the gap's false alarms in simulated trainings: honest judges, small batches, answers that depend on each other.

    python tools/simulate_alarms.py [--runs 300] [--steps 200] [--set audit_steps=20]...

The judge errs on a share of the problems, in the last step as in the first, so its gap does not grow by its own doing.
All answers to a problem are right together and are judged wrong together, which is the worst case. Prints a row for
each size of batch and each share of errors: trainings with an alarm where half of the problems are right, and where
that share rises from 0.3 to 0.9.
"""

import argparse

import numpy as np

from srlm.config.monitor import MonitorConfig
from srlm.rollouts import StepAudit
from srlm.stats.intervals import wilson
from trainer.rollouts.alarms import all_alarms
from trainer.rollouts.audit import agreement

BATCHES = ((16, 8), (16, 4), (80, 8))
"""Answers of a step, and of a group."""
ERRORS = (0.02, 0.05, 0.15)
SHARES = ((0.5, 0.5), (0.3, 0.9))
"""Right answers in the first step and in the last."""


def training(
    config: MonitorConfig,
    rng: np.random.Generator,
    steps: int,
    batch: tuple[int, int],
    errs: float,
    rising: tuple[float, float],
) -> bool:
    """Return whether a simulated training has the gap's alarm."""
    answers, size = batch
    groups = answers // size
    right = rng.random((steps, groups)) < np.linspace(*rising, steps)[:, None]
    wrong = rng.random((steps, groups)) < errs
    audits = [
        audit(number, *(size * int(cell.sum()) for cell in (now & ~err, ~now & err, ~now & ~err, now & err)))
        for number, (now, err) in enumerate(zip(right, wrong, strict=True), start=1)
    ]
    return any(alarm.kind == "gap" for alarm in all_alarms(audits, config))


def audit(step: int, right: int, wrongly_right: int, wrong: int, wrongly_wrong: int) -> StepAudit:
    """Return the audit of a step of these true and false positives and negatives."""
    return StepAudit(
        step=step,
        answers=right + wrongly_right + wrong + wrongly_wrong,
        unread_share=0.0,
        mean_reward=None,
        **agreement(right, wrongly_right, wrong, wrongly_wrong),
        mean_tokens=10.0,
        cut_share=0.0,
        no_spread_share=0.0,
        undecided=0,
    )


def main() -> None:
    """Simulate, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of monitor")
    options = parser.parse_args()
    config = MonitorConfig.model_validate(dict(one.split("=", 1) for one in options.set))
    print("| answers a step | to a problem | judge errs on | half are right | right: 30 % to 90 % |")
    print("|---|---|---|---|---|")
    for batch in BATCHES:
        for errs in ERRORS:
            cells = []
            for shares in SHARES:
                rng = np.random.default_rng([*batch, round(100 * errs), round(100 * shares[0])])
                fired = sum(training(config, rng, options.steps, batch, errs, shares) for _ in range(options.runs))
                rate = wilson(fired, options.runs)
                cells.append(f"{rate.value:.1%} [{rate.low:.1%}, {rate.high:.1%}]")
            print(f"| {batch[0]} | {batch[1]} | {errs:.0%} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
