"""Human annotation: people compare two models' answers without knowing which model wrote which."""

from evals.suite import Suite
from evals.suites.human import metrics, samples
from evals.suites.human.result import HumanResult, load_human_results

SUITE = Suite(
    name="human",
    title="People's votes",
    summary="people's votes on two models' answers",
    result=HumanResult,
    metrics=metrics.metrics,
    notes=metrics.notes,
    extra_tables=metrics.extra_tables,
    samples=samples.samples,
    load=load_human_results,
    command="srlm annotate MODEL OPPONENT",
)
