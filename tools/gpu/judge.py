"""Judge: time of a verdict, expected and sampled, with tokenising apart."""

import statistics
from dataclasses import dataclass
from typing import Literal

from gpu.report import Report
from gpu.requests import TEMPERATURE, TOP_P, ask, warm_up
from gpu.setup import Setup

ANSWER = 700
"""Characters of an answer, about what the model writes in 150 tokens."""


@dataclass(frozen=True)
class Sizes:
    """Answers that are judged in each way, with the samples and tokens of a sampled verdict."""

    expected: int = 2048
    sampled: int = 256
    samples: int = 3
    max_tokens: int = 128
    rubric: str = "additive"
    answer: int = ANSWER


TINY = Sizes(expected=4, sampled=2, samples=2, max_tokens=4, rubric="brief", answer=80)


def measure(setup: Setup, sizes: Sizes, report: Report) -> None:
    """Judge answers in both ways."""
    _judge(setup, sizes, report, "expected", sizes.expected)
    _judge(setup, sizes, report, "sampled", sizes.sampled)


def _judge(setup: Setup, sizes: Sizes, report: Report, scoring: Literal["expected", "sampled"], count: int) -> None:
    from srlm.config.preferences import JudgeConfig
    from srlm.config.section import SamplingConfig
    from srlm.engines.hf import HFEngine
    from srlm.judges.pointwise import configured_judge

    sampling = SamplingConfig(temperature=TEMPERATURE, top_p=TOP_P, max_tokens=sizes.max_tokens)
    judge = configured_judge(
        JudgeConfig(rubric=sizes.rubric, scoring=scoring, samples=sizes.samples, sampling=sampling)
    )
    texts = setup.texts
    # Other instructions stand for answers: the time of a verdict depends on lengths alone.
    answers = [
        " ".join(texts[(number + step) % len(texts)] for step in (1, 2))[: sizes.answer] for number in range(count)
    ]
    requests = [
        request
        for number, answer in enumerate(answers)
        for request in judge.requests(texts[number % len(texts)], answer, number)
    ]
    engine = HFEngine(setup.folder, name="model", device=setup.device)
    warm_up(engine, requests)
    replies, timing = ask(engine, requests)
    engine.close()
    mass = [reply.mass for reply in replies if reply.mass is not None]
    report.add(
        scoring,
        verdicts=count,
        requests=len(requests),
        tokenising_s=timing.plan_s,
        seconds=timing.run_s,
        ms_per_verdict=timing.run_s / count * 1e3,
        prompt_tokens=statistics.mean(reply.prompt_tokens for reply in replies),
        completion_tokens=statistics.mean(reply.completion_tokens for reply in replies),
        share_on_scores=statistics.mean(mass) if mass else None,
        peak_gb=timing.peak_gb,
    )
