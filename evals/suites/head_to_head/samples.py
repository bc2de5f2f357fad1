"""Samples of the suite head-to-head: each answer once, with its outcome against each opponent."""

from evals.model_order import sort_models
from evals.sample import Reply, Sample
from evals.sample_source import SampleSource, joined_reply, pairwise_reply
from evals.suites.head_to_head.result import HeadToHeadResult
from srlm.jsonl import by_id


def samples(source: SampleSource) -> list[Sample]:
    """Return the prompts that pairs of models were asked."""
    results = source.results.of(HeadToHeadResult)
    found = source.prompts("head-to-head", (one.provenance.prompts for one in results.values()))
    models = sort_models(source.run, {model for pair in results for model in pair})
    answers = {model: source.answers("head-to-head", model) for model in models}
    replies: dict[str, dict[str, list[Reply]]] = {}
    for pair, result in results.items():
        verdicts = by_id(source.verdicts("head-to-head", pair))
        for side in (result, result.swapped()):
            for outcome in side.outcomes:
                reply = pairwise_reply(outcome, answers[side.model].get(outcome.prompt_id), verdicts)
                replies.setdefault(outcome.prompt_id, {}).setdefault(side.model, []).append(reply)
    for prompt, by_model in replies.items():
        found.replies[prompt] = [joined_reply(by_model[model]) for model in models if model in by_model]
    return found.samples()
