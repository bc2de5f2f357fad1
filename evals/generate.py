"""Models' answers to evaluation prompts, one each, through the ledger."""

from collections.abc import Iterable, Sequence

from evals.model import Contestant, opened
from evals.results import Endings
from srlm.console import Progress
from srlm.inference import Caller
from srlm.ledger import Ledger
from srlm.seeding import derive_seed
from srlm.strip_reasoning import answer_of, strip_reasoning
from srlm.types import Answer, Completion, Message, Prompt, Request, Sampling


def choose_prompts(prompts: Sequence[Prompt], limit: int | None) -> list[Prompt]:
    """The first `limit` prompts of an order that depends on their ids alone: a larger limit contains a smaller one."""
    return sorted(prompts, key=lambda prompt: derive_seed("evaluation", prompt.id))[:limit]


def answer_prompts(
    caller: Caller,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    *,
    as_written: bool = False,
) -> dict[str, Answer]:
    """One answer a prompt, by prompt id. A call that failed leaves its prompt out.

    Thoughts are no part of it. White space around an answer is taken off, unless it is wanted `as_written`.
    """
    requests = [
        Request((Message("user", prompt.instruction),), sampling, seed=derive_seed("answer", prompt.id))
        for prompt in prompts
    ]
    model = caller.engine.name
    replies = caller.ask(requests, f"{model} answers {len(prompts)} prompts")
    return {
        prompt.id: answer_in(f"{model}:{prompt.id}", prompt.id, model, key, reply, as_written=as_written)
        for prompt, (key, reply) in zip(prompts, replies, strict=True)
        if isinstance(reply, Completion)
    }


def answer_in(id: str, prompt_id: str, model: str, key: str, reply: Completion, *, as_written: bool = False) -> Answer:
    """A reply as the answer to a prompt: its thoughts apart, and without white space around it."""
    return answer_of(id, prompt_id, model, key, strip_reasoning(reply), as_written=as_written)


def endings_of(answers: Iterable[Answer]) -> Endings:
    """How many answers hold no word, and how many the server cut."""
    found = list(answers)
    empty = [one for one in found if not one.text.strip()]
    spent = sum(bool(one.thoughts) for one in empty)
    return Endings(len(found), len(empty), spent, sum(one.finish == "cut" for one in found))


def answers_of(
    contestants: Sequence[Contestant],
    prompts: Sequence[Prompt],
    sampling: Sampling,
    ledger: Ledger,
    *,
    stage: str,
    progress: Progress,
) -> tuple[dict[str, str], dict[str, dict[str, Answer]]]:
    """By model: what it is, as the ledger knows it, and its answers by prompt id."""
    identities: dict[str, str] = {}
    answers: dict[str, dict[str, Answer]] = {}
    for contestant in contestants:
        with opened(contestant) as engine:
            identities[contestant.name] = engine.identity
            answers[contestant.name] = answer_prompts(Caller(engine, ledger, stage, progress), prompts, sampling)
    return identities, answers
