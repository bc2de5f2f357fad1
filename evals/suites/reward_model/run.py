"""Run of the suite reward: a model as a judge of ranked answers, for the paper's five reward-model metrics.

Each model scores every answer of held-out ranked instructions with the rubric and the scoring of its run, or with
several, which is the paper's ablation of the judge's prompt (arXiv 2401.10020, section 3.2.2, Tables 4 and 5). The
result has the rewards with the human ranks; `srlm.stats.reward_model` computes the metrics.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.model import EvalModel, load
from evals.options import JUDGE_TOKENS, LEAST_MASS, LIMIT, Job, Option, Preparation, split_list
from evals.prompt_sets import save_prompts
from evals.results import Provenance, save, stage_name
from evals.suites.reward_model.result import NO_RUBRIC, RewardResult
from srlm.config.preferences import JudgeConfig
from srlm.console import Progress
from srlm.digest import digest_of_set
from srlm.errors import UnknownName, UsageError
from srlm.inference import Caller
from srlm.jsonl import read_records
from srlm.judges.pointwise import Method, PointwiseJudge, configured_judge, method_of, rewards, score
from srlm.rewards.combine import values_for_order
from srlm.rewards.source import RewardSource
from srlm.runs import Run
from srlm.seed_data import load_seeds
from srlm.stats.reward_model import Ranked
from srlm.types import Answer, Prompt, RankedPrompt, Scored, Unparsed, Verdict

RANKED = Option(
    "ranked",
    str,
    "Ranked answers, as seeds.source takes them, of which the part for validation is used; the run's own, if not "
    "given.",
    metavar="PLACE",
)
RUBRIC = Option("rubric", str, "In place of the run's rubric: additive, levels, a file; several: commas.")
SCORING = Option("scoring", str, "In place of the run's scoring: sampled, expected, or both with a comma.")
OPTIONS = (RANKED, RUBRIC, SCORING, LIMIT, JUDGE_TOKENS, LEAST_MASS)


def prepare(preparation: Preparation) -> Job:
    """Load the ranked answers, and the judge with each rubric and scoring.

    Raises:
        UsageError: there are no ranked answers for validation, or a scoring is unknown.
    """
    ranked, judge = _load_ranked(preparation), _judge_of(preparation)
    judges = {_suffix(judge, one): configured_judge(one) for one in _variants(judge, preparation)}
    return Job(lambda models, _, run, progress: run_reward_model(models, ranked, judges, run, progress))


def _load_ranked(preparation: Preparation) -> Sequence[RankedPrompt]:
    run, place = preparation.run, preparation.get(RANKED)
    stored = run.path("seeds/validation")
    if place is None and stored.exists():
        known: Sequence[RankedPrompt] = read_records(stored, RankedPrompt)
    else:
        source = place or run.config.seeds.source
        if source is None:
            raise UsageError(
                f"The run {run.name} has no seed data, because it started at an instruct model: name ranked answers "
                "with --ranked (embedded, a folder, or oasst:OWNER/NAME)."
            )
        seeds = load_seeds(source)
        known = seeds.validation
        given = len(seeds.eft) + len(known)
        if len(known) < given:
            preparation.progress.say(
                f"Of {given} instructions with ranked answers in {source}, {len(known)} are for validation and are "
                "judged; the others are for training."
            )
    chosen = known[: preparation.get(LIMIT)]
    if not chosen:
        raise UsageError(
            f"{place or stored} holds no ranked answers for validation: mark some with split: validation, or name "
            "others with --ranked."
        )
    return chosen


def _judge_of(preparation: Preparation) -> JudgeConfig:
    """Return the run's judge with the tokens and the mass of the options."""
    own, changes = preparation.run.config.judge, dict[str, Any]()
    tokens, mass = preparation.get(JUDGE_TOKENS), preparation.get(LEAST_MASS)
    if tokens is not None:
        changes["sampling"] = own.sampling.model_copy(update={"max_tokens": tokens})
    if mass is not None:
        changes["least_mass"] = mass
    return own.model_copy(update=changes)


def _variants(own: JudgeConfig, preparation: Preparation) -> list[JudgeConfig]:
    """Return the run's judge with every rubric and scoring of the options."""
    scorings = split_list(preparation.get(SCORING)) or [own.scoring]
    for one in scorings:
        if one not in ("sampled", "expected"):
            raise UnknownName("The scoring", one, ["sampled", "expected"])
    return [
        own.model_copy(update={"rubric": rubric, "scoring": scoring})
        for rubric in split_list(preparation.get(RUBRIC)) or [own.rubric]
        for scoring in scorings
    ]


def _suffix(own: JudgeConfig, other: JudgeConfig) -> str:
    """Return the addition to the name of a model that judges otherwise than in its run."""
    return "" if own == other else f"({Path(other.rubric).stem}, {other.scoring})"


def run_reward_model(
    models: Sequence[EvalModel],
    ranked: Sequence[RankedPrompt],
    judges: Mapping[str, PointwiseJudge],
    run: Run,
    progress: Progress,
) -> list[RewardResult]:
    """Score the ranked answers with each model and judge prompt, and store one result for each.

    Args:
        models: to evaluate.
        ranked: instructions with answers that people ranked.
        judges: the judge prompts; each key is added to the model's name, and is empty for that of the run.
        run: stores verdicts and results.
        progress: shows the progress.
    """
    results: list[RewardResult] = []
    answers = [
        (prompt, Answer(identifier, prompt.id, "people", answer.text, "stop"))
        for prompt in ranked
        for identifier, answer in zip(_answer_ids(prompt), prompt.answers, strict=True)
    ]
    digest = _digest(ranked)
    save_prompts(
        run,
        digest,
        [Prompt(one.id, one.instruction, "evaluation", category=one.kind, context=one.context) for one in ranked],
    )
    for model in models:
        with load(model) as engine:
            # A program, a reward model or a combination reads no rubric of the run: it scores once.
            ways = [("", next(iter(judges.values())))] if isinstance(engine, RewardSource) else judges.items()
            for suffix, judge in ways:
                method = method_of(judge, engine)
                name = f"{model.name} {suffix}".strip()
                verdicts = score(
                    judge,
                    Caller(engine, run.ledger, "evals/reward", progress),
                    answers,
                    seed=0,
                    label=f"{name} judges {len(answers)} ranked answers",
                )
                provenance = _provenance(judge, method, digest)
                run.write(stage_name(run, "reward", name, "verdicts"), verdicts)
                perfect = float(method.scale.highest) if method.scale else None
                results.append(_result(name, engine.identity, provenance, ranked, answers, verdicts, perfect))
                save(run, results[-1])
    return results


def _provenance(judge: PointwiseJudge, method: Method, prompts: str) -> Provenance:
    """Return the conditions of a result: the rubric and its scoring, or for a source that neither is used."""
    if method.scale is None:
        return Provenance(judge="scores of its own", rubric=NO_RUBRIC, prompts=prompts, sampling="none")
    one = judge.sampling
    sampling = f"T={one.temperature} top-p={one.top_p} max_tokens={one.max_tokens}"
    return Provenance(judge=method.scoring, rubric=method.rubric, prompts=prompts, sampling=sampling)


def _result(
    model: str,
    identity: str,
    provenance: Provenance,
    ranked: Sequence[RankedPrompt],
    answers: Sequence[tuple[RankedPrompt, Answer]],
    verdicts: Sequence[Verdict],
    perfect: float | None,
) -> RewardResult:
    rewarded = rewards([answer for _, answer in answers], verdicts)
    values, vetoed = values_for_order(rewarded), {one.answer_id for one in rewarded if one.vetoed_by}
    groups = tuple(
        Ranked(
            ranks=tuple(answer.rank for answer in prompt.answers),
            scores=tuple(values[identifier] for identifier in _answer_ids(prompt)),
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
        vetoed=tuple(
            (place, index)
            for place, prompt in enumerate(ranked)
            for index, identifier in enumerate(_answer_ids(prompt))
            if identifier in vetoed
        ),
    )


def _answer_ids(prompt: RankedPrompt) -> list[str]:
    return [f"{prompt.id}-a{index}" for index in range(len(prompt.answers))]


def _digest(ranked: Sequence[RankedPrompt]) -> str:
    return digest_of_set(len(ranked), ["\x1e".join(map(_fields, ranked))])


def _fields(prompt: RankedPrompt) -> str:
    """Return all fields of a ranked prompt as text; without the context if it has none, as in earlier digests."""
    fields = repr(prompt)
    return fields if prompt.context else fields.removesuffix(", context=())") + ")"
