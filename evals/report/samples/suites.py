"""Samples of the suites: each prompt once, with the answers of all models and the verdicts on them."""

from evals import suites
from evals.results import Results
from evals.sample import Sample
from evals.sample_source import SampleSource
from srlm.runs import Run


def suite_samples(run: Run, results: Results) -> list[Sample]:
    """Return all prompts that models of a run were evaluated on, suite by suite."""
    source = SampleSource(run, results)
    return [sample for suite in suites.SUITES if suite.samples is not None for sample in suite.samples(source)]
