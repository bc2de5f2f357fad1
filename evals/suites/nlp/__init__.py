"""NLP tasks of lm-evaluation-harness: multiple choice and short answers, without a judge."""

from evals.suite import Suite
from evals.suites.nlp import importer, metrics, run, samples
from evals.suites.nlp.result import NlpResult

SUITE = Suite(
    name="nlp",
    title="NLP tasks: what was kept",
    summary="lm-eval's tasks: what training on preferences costs elsewhere",
    result=NlpResult,
    options=run.OPTIONS,
    prepare=run.prepare,
    metrics=metrics.metrics,
    notes=metrics.notes,
    comparable_groups=metrics.comparable_groups,
    sentences=metrics.regression_sentences,
    importer=importer.IMPORTER,
    samples=samples.samples,
)
