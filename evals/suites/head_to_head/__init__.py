"""Head-to-head: each model's answers against every other model's, judged in both orders."""

from evals.suite import Suite
from evals.suites.head_to_head import metrics, run, samples
from evals.suites.head_to_head.result import HeadToHeadResult

SUITE = Suite(
    name="head-to-head",
    title="Head to head: wins, ties, losses",
    summary="wins, ties and losses between the models, and Elo",
    result=HeadToHeadResult,
    options=run.OPTIONS,
    prepare=run.prepare,
    outside_judge=True,
    metrics=metrics.metrics,
    notes=metrics.notes,
    untrusted=metrics.untrusted,
    extra_tables=metrics.extra_tables,
    coverage="head_to_head_judged",
    samples=samples.samples,
)
