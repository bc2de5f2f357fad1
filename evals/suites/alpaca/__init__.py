"""AlpacaEval 2.0: win rates against reference answers."""

from evals.suite import Suite
from evals.suites.alpaca import importer, metrics, run, samples
from evals.suites.alpaca.result import AlpacaResult

SUITE = Suite(
    name="alpaca",
    title="Win rates",
    summary="win rate against references",
    result=AlpacaResult,
    options=run.OPTIONS,
    prepare=run.prepare,
    outside_judge=True,
    metrics=metrics.metrics,
    notes=metrics.notes,
    untrusted=metrics.untrusted,
    coverage="judged",
    ranked_by=("win_rate", "length_controlled_win_rate"),
    importer=importer.IMPORTER,
    samples=samples.samples,
)
