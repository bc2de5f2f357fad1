"""Verifiable instructions: a program checks the answers, so that no judge is needed."""

from evals.suite import Suite
from evals.suites.verifiable import metrics, run, samples
from evals.suites.verifiable.result import VerifiableResult

SUITE = Suite(
    name="verifiable",
    title="Instructions that a program checks",
    summary="answers that a program checks",
    result=VerifiableResult,
    options=run.OPTIONS,
    prepare=run.prepare,
    metrics=metrics.metrics,
    notes=metrics.notes,
    coverage="verifiable_answered",
    ranked_by=("prompt_strict",),
    samples=samples.samples,
)
