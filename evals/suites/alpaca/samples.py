"""Samples of AlpacaEval: each prompt with the reference, all models' answers and the verdicts on them."""

from evals.pairwise import REFERENCE
from evals.sample import Reply, Sample
from evals.sample_source import SampleSource, pairwise_reply
from evals.suites.alpaca.result import AlpacaResult
from srlm.jsonl import by_id


def samples(source: SampleSource) -> list[Sample]:
    """Return the prompts that models were asked."""
    results = source.results.of(AlpacaResult)
    found = source.prompts("alpaca", (one.provenance.prompts for one in results.values()))
    for model, result in results.items():
        answers, verdicts = source.answers("alpaca", model), by_id(source.verdicts("alpaca", model))
        for outcome in result.outcomes:
            prompt = found.prompts.get(outcome.prompt_id)
            first = outcome.prompt_id not in found.replies
            if first and prompt is not None and prompt.reference is not None:
                found.add(prompt.id, Reply(REFERENCE, prompt.reference))
            found.add(outcome.prompt_id, pairwise_reply(outcome, answers.get(outcome.prompt_id), verdicts))
    return found.samples()
