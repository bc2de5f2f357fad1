"""A checkpoint as a judge of ranked answers: the paper's five reward-model metrics.

Each model scores every answer of held-out ranked instructions with the rubric and in the way that its run uses, or in
several ways, which is the paper's ablation of the judge's prompt (arXiv 2401.10020, section 3.2.2, Tables 4 and 5).
What is stored are the rewards beside the ranks; `srlm.stats.reward_model` computes the metrics.
"""

from collections.abc import Mapping, Sequence

from evals.labels.store import keep_prompts
from evals.model import Contestant, opened
from evals.results import Provenance, RewardResult, part, store
from srlm.console import Progress
from srlm.digest import digest_of_set
from srlm.inference import Caller
from srlm.judges.pointwise import PointwiseJudge, rewards, score
from srlm.runs import Run
from srlm.stats.reward_model import Ranked
from srlm.types import Answer, Prompt, RankedPrompt, Scored, Unparsed, Verdict


def run_reward_model(
    contestants: Sequence[Contestant],
    ranked: Sequence[RankedPrompt],
    judges: Mapping[str, PointwiseJudge],
    run: Run,
    progress: Progress,
) -> list[RewardResult]:
    """Let every model score the ranked answers in every way; store one result a model and way.

    Args:
        contestants: the models.
        ranked: instructions with answers that people ranked.
        judges: the ways; each key is added to the model's name, and is empty for the way of the run.
        run: where verdicts and results are written.
        progress: what the user sees.
    """
    results: list[RewardResult] = []
    answers = [
        (prompt.instruction, Answer(f"{prompt.id}-a{index}", prompt.id, "people", answer.text, "stop"))
        for prompt in ranked
        for index, answer in enumerate(prompt.answers)
    ]
    keep_prompts(
        run, _digest(ranked), [Prompt(one.id, one.instruction, "evaluation", category=one.kind) for one in ranked]
    )
    for contestant in contestants:
        with opened(contestant) as engine:
            for way, judge in judges.items():
                name = f"{contestant.name} {way}".strip()
                verdicts = score(
                    judge,
                    Caller(engine, run.ledger, "evals/reward", progress),
                    answers,
                    seed=0,
                    label=f"{name} judges {len(answers)} ranked answers",
                )
                provenance = Provenance(
                    judge=f"{judge.scoring} x {judge.samples}" if judge.scoring == "sampled" else "expected",
                    rubric=judge.rubric.label,
                    prompts=_digest(ranked),
                    sampling=(
                        f"T={judge.sampling.temperature} top-p={judge.sampling.top_p} "
                        f"max_tokens={judge.sampling.max_tokens}"
                    ),
                )
                run.write(part(run, "reward", name, "verdicts"), verdicts)
                perfect = float(judge.rubric.scale.highest)
                results.append(_result(name, engine.identity, provenance, ranked, answers, verdicts, perfect))
                store(run, results[-1])
    return results


def _result(
    model: str,
    identity: str,
    provenance: Provenance,
    ranked: Sequence[RankedPrompt],
    answers: Sequence[tuple[str, Answer]],
    verdicts: Sequence[Verdict],
    perfect: float,
) -> RewardResult:
    values = {reward.answer_id: reward.value for reward in rewards([answer for _, answer in answers], verdicts)}
    groups = tuple(
        Ranked(
            ranks=tuple(answer.rank for answer in prompt.answers),
            scores=tuple(values[f"{prompt.id}-a{index}"] for index in range(len(prompt.answers))),
            lengths=tuple(len(answer.text) for answer in prompt.answers),
        )
        for prompt in ranked
    )
    scored = sum(isinstance(verdict.reading, Scored) for verdict in verdicts)
    unparsed = sum(isinstance(verdict.reading, Unparsed) for verdict in verdicts)
    return RewardResult(
        model=model,
        identity=identity,
        provenance=provenance,
        instruction_ids=tuple(prompt.id for prompt in ranked),
        groups=groups,
        scored=scored,
        unparsed=unparsed,
        failed=len(verdicts) - scored - unparsed,
        perfect=perfect,
    )


def _digest(ranked: Sequence[RankedPrompt]) -> str:
    return digest_of_set(len(ranked), ["\x1e".join(repr(prompt) for prompt in ranked)])
