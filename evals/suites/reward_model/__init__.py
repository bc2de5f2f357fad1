"""Reward-model metrics: a model as a judge of answers that people have ranked."""

from evals.suite import Suite
from evals.suites.reward_model import baselines, metrics, run, samples
from evals.suites.reward_model.result import RewardResult

SUITE = Suite(
    name="reward",
    title="Reward-model metrics",
    summary="the model as a judge of ranked answers",
    result=RewardResult,
    options=run.OPTIONS,
    prepare=run.prepare,
    metrics=metrics.metrics,
    notes=metrics.notes,
    extra_tables=baselines.extra_tables,
    coverage="parse_rate",
    ranked_by=("rm_pairwise_half",),
    samples=samples.samples,
)
