"""Generation of one answer per prompt for each model, through the ledger."""

from collections.abc import Iterable, Sequence

from evals.model import EvalModel, load
from evals.results import Endings
from srlm.console import Progress
from srlm.inference import Caller
from srlm.ledger import Ledger
from srlm.seeding import derive_seed
from srlm.strip_reasoning import answer_of, strip_reasoning
from srlm.types import Answer, Completion, Message, Prompt, Request, Sampling


def choose_prompts(prompts: Sequence[Prompt], limit: int | None) -> list[Prompt]:
    """Return the first `limit` prompts of an order that depends on their ids alone.

    A larger limit contains a smaller one.
    """
    return sorted(prompts, key=lambda prompt: derive_seed("evaluation", prompt.id))[:limit]


def generate_answers(
    models: Sequence[EvalModel],
    prompts: Sequence[Prompt],
    sampling: Sampling,
    ledger: Ledger,
    *,
    stage: str,
    progress: Progress,
) -> tuple[dict[str, str], dict[str, dict[str, Answer]]]:
    """Return the identity of each model in the ledger, and its answers by prompt id; both by model."""
    identities: dict[str, str] = {}
    answers: dict[str, dict[str, Answer]] = {}
    for model in models:
        with load(model) as engine:
            identities[model.name] = engine.identity
            answers[model.name] = answer_prompts(Caller(engine, ledger, stage, progress), prompts, sampling)
    return identities, answers


def answer_prompts(
    caller: Caller,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    *,
    as_written: bool = False,
) -> dict[str, Answer]:
    """Return one answer per prompt, by prompt id; a prompt whose call failed has none.

    Reasoning is not part of an answer. Surrounding white space is removed, unless the answer is wanted `as_written`.
    """
    requests = [
        Request((*prompt.context, Message("user", prompt.instruction)), sampling, seed=derive_seed("answer", prompt.id))
        for prompt in prompts
    ]
    model = caller.engine.name
    replies = caller.ask(requests, f"{model} answers {len(prompts)} prompts")
    return {
        prompt.id: make_answer(f"{model}:{prompt.id}", prompt.id, model, key, reply, as_written=as_written)
        for prompt, (key, reply) in zip(prompts, replies, strict=True)
        if isinstance(reply, Completion)
    }


def make_answer(
    id: str, prompt_id: str, model: str, key: str, reply: Completion, *, as_written: bool = False
) -> Answer:
    """Turn a reply into the answer to a prompt, with its reasoning apart and without surrounding white space."""
    return answer_of(id, prompt_id, model, key, strip_reasoning(reply), as_written=as_written)


def count_endings(answers: Iterable[Answer]) -> Endings:
    """Count the answers that hold no word, and those that the server cut."""
    found = list(answers)
    empty = [one for one in found if not one.text.strip()]
    spent = sum(bool(one.thoughts) for one in empty)
    return Endings(len(found), len(empty), spent, sum(one.finish == "cut" for one in found))
