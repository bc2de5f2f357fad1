"""Samples of human annotation: the answers that annotators were shown, with each vote."""

from evals.model_order import sort_models
from evals.sample import Judgement, OutcomeTag, Reply, Sample
from evals.sample_source import SampleSource, joined_reply
from evals.suites.human.metrics import decisions
from evals.suites.human.result import HumanResult
from evals.suites.human.votes import Vote
from srlm.types import Prompt


def samples(source: SampleSource) -> list[Sample]:
    """Return the prompts of all annotation sets; one without a vote has no outcome."""
    results = source.results.of(HumanResult)
    found = source.prompts("human", (one.annotation_set.prompts for one in results.values()))
    replies: dict[str, dict[str, list[Reply]]] = {}
    for result in results.values():
        for side in (result, result.swapped()):
            decided = decisions(side)
            first = side.annotation_set.model == side.model
            for pair in side.annotation_set.pairs:
                votes = [vote for vote in side.votes if vote.prompt_id == pair.prompt_id]
                text = pair.answer if first else pair.opponent_answer
                judgements = tuple(
                    Judgement(vote.annotator, f"against {side.opponent}, {_position(vote)}", vote.verdict, "")
                    for vote in votes
                )
                tags = (OutcomeTag(side.model, decided.get(pair.prompt_id, "no vote"), side.opponent),)
                reply = Reply(side.model, text, f"{len(text):,} characters", tags, judgements)
                replies.setdefault(pair.prompt_id, {}).setdefault(side.model, []).append(reply)
                found.prompts.setdefault(pair.prompt_id, Prompt(pair.prompt_id, pair.instruction, "evaluation"))
    for prompt, by_model in replies.items():
        found.replies[prompt] = [joined_reply(by_model[model]) for model in sort_models(source.run, {*by_model})]
    return found.samples()


def _position(vote: Vote) -> str:
    return "this answer left" if vote.left == "model" else "this answer right"
