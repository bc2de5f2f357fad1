"""MT-Bench: two-turn questions, graded from 1 to 10."""

from evals.suite import Suite
from evals.suites.mt_bench import importer, metrics, run, samples
from evals.suites.mt_bench.result import MtBenchResult

SUITE = Suite(
    name="mt-bench",
    title="Two-turn questions",
    summary="grades of answers to two-turn questions",
    result=MtBenchResult,
    options=run.OPTIONS,
    prepare=run.prepare,
    outside_judge=True,
    metrics=metrics.metrics,
    notes=metrics.notes,
    untrusted=metrics.untrusted,
    coverage="mt_bench_graded",
    ranked_by=("mt_bench",),
    importer=importer.IMPORTER,
    samples=samples.samples,
)
