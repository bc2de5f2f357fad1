"""A run in which two models met head-to-head, made of records alone, for tests of what people say of their answers."""

from collections.abc import Sequence
from pathlib import Path

from evals.prompt_sets import prompts_digest, save_prompts
from evals.results import Provenance, save, stage_name
from evals.suites.head_to_head.result import HeadToHeadResult
from srlm.config_file import load_config
from srlm.judges.judge_card import JudgeCard
from srlm.runs import Run, start_run
from srlm.stats.intervals import Estimate
from srlm.types import Answer, Outcome, Prompt

CARD = JudgeCard("judge", "pairwise:0", *[Estimate(0.8, 0.7, 0.9, 40, 20)] * 4, 1.0)
WIN, TIE, LOSS = (0.9, 0.8), (0.9, 0.1), (0.1, 0.2)


def prompts(count: int) -> list[Prompt]:
    return [Prompt(f"e{n:03d}", f"Question {n}?", "evaluation", reference=f"Reference {n}.") for n in range(count)]


def run_of(
    runs: Path,
    model: str,
    opponent: str,
    asked: Sequence[Prompt],
    texts: Sequence[tuple[str, str]] | None = None,
    judged: Sequence[tuple[float, float]] | None = None,
) -> Run:
    """`texts` are both answers to each prompt, `judged` what both orders of the judge gave to the first one."""
    texts = texts or [(f"The first text on {one.id}.", f"The second text on {one.id}.") for one in asked]
    run = start_run(runs, "r", load_config("quickstart", []))
    meet(run, model, opponent, asked, texts, judged or [TIE] * len(asked))
    return run


def meet(
    run: Run,
    model: str,
    opponent: str,
    asked: Sequence[Prompt],
    texts: Sequence[tuple[str, str]],
    judged: Sequence[tuple[float, float]],
) -> None:
    """Store a head-to-head with what it came from."""
    digest = prompts_digest(asked)
    for place, name in enumerate((model, opponent)):
        answers = [
            Answer(f"{name}:{one.id}", one.id, name, text[place], "stop")
            for one, text in zip(asked, texts, strict=True)
        ]
        run.write(stage_name(run, "head-to-head", name, "answers"), answers)
    save_prompts(run, digest, asked)
    outcomes = [
        Outcome(one.id, model, opponent, sum(orders) / 2, orders, len(text[0]), len(text[1]), ("v0", "v1"))
        for one, text, orders in zip(asked, texts, judged, strict=True)
    ]
    provenance = Provenance("judge id", "pairwise:0", digest, "T=0.7 top-p=0.9 max_tokens=256")
    save(run, HeadToHeadResult(model, opponent, ("a", "b"), provenance, CARD, tuple(outcomes)))
