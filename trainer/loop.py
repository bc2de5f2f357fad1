"""The self-rewarding loop, readable top to bottom like Figure 1 of Yuan et al. 2024 (arXiv 2401.10020).

    M0  --IFT-->        SFT     the baseline that the paper compares with
    M0  --IFT + EFT-->  M1      answers and judges
    M1  --its own pairs-->  M2  --its own pairs-->  M3 ...

Each stage is a file in the run directory; an ended stage is read, not computed again. Run it with `srlm train`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from srlm.assets import model_folder, require_disk
from srlm.config import TrainConfig
from srlm.display import Progress
from srlm.engines.checkpoint import load_tokenizer, pick_device
from srlm.errors import NothingToTrain
from srlm.judges.pointwise import configured_judge, score
from srlm.judges.pointwise import rewards as mean_rewards
from srlm.optional import require
from srlm.randomness import derive
from srlm.runs import Run
from srlm.seeds import load_seeds
from srlm.types import Answer, Demonstration, Dropped, PreferencePair, Prompt, RankedPrompt, Reward, Verdict
from trainer.candidates import write_candidates
from trainer.dpo import prefer
from trainer.examples import Example, eft_examples, ift_examples, spread, thin, written_eft_examples
from trainer.monitor import Health, health
from trainer.pairs import choose_pairs
from trainer.prompts import write_prompts
from trainer.session import Session
from trainer.sft import supervised
from trainer.tuning import dropouts, optimiser_steps, require_libraries


@dataclass(frozen=True)
class Trained:
    """What a run has at its end: its models in order, and the health of each iteration."""

    models: list[str]
    iterations: list[Health]


def train(config: TrainConfig, run: Run, progress: Progress) -> Trained:
    """Run the loop, or go on with it.

    Raises:
        SrlmError: with what to do; everything computed so far stays in the run.
    """
    session = Session(config, run, progress)
    ift, eft, _ = _seeds(session)
    _check_disk(session)
    demonstrations = ift_examples(ift)
    if config.sft.baseline:
        _tune(session, "SFT", demonstrations)
    judgements = run.stage("M1/judgements", Example, lambda: _judgements(session, eft))
    _tune(session, "M1", [*demonstrations, *judgements])
    iterations = [_improve(session, number, ift, judgements) for number in range(1, config.iterations + 1)]
    return Trained(run.models(), iterations)


def preflight(config: TrainConfig) -> None:
    """Look at everything that can be wrong before a run is started: rubric, seeds, model, libraries.

    Raises:
        SrlmError: with what to do.
    """
    configured_judge(config.judge)
    for source in {config.seeds.source, config.seeds.eft_source or config.seeds.source}:
        load_seeds(source)
    require_libraries()
    if config.sft.lora.rank or config.dpo.lora.rank:
        require("peft", "LoRA", "train")
    pick_device(config.device)
    folder = model_folder(config.model)
    load_tokenizer(folder)
    dropouts(folder, max(config.sft.dropout, config.dpo.dropout))


def _seeds(session: Session) -> tuple[list[Demonstration], list[RankedPrompt], list[RankedPrompt]]:
    """The seeds as this run uses them: copied into it, so that it does not change when their file does."""
    config, run = session.config.seeds, session.run

    def limited_ift() -> list[Demonstration]:
        return _over_kinds(load_seeds(config.source).ift, config.ift_limit, session.config.seed)

    def eft_seeds() -> Iterable[RankedPrompt]:
        return load_seeds(config.eft_source or config.source).eft[: config.ranked_limit]

    def held_out() -> Iterable[RankedPrompt]:
        return load_seeds(config.source).validation[: config.validation_limit]

    ift = run.stage("seeds/ift", Demonstration, limited_ift)
    eft = run.stage("seeds/eft", RankedPrompt, eft_seeds)
    held = run.stage("seeds/validation", RankedPrompt, held_out)
    return ift, eft, held


def _over_kinds(seeds: tuple[Demonstration, ...], limit: int | None, seed: int) -> list[Demonstration]:
    """At most `limit` seeds, as even over their kinds as they allow."""
    if limit is None or limit >= len(seeds):
        return list(seeds)
    of_kind: dict[str | None, list[Demonstration]] = {}
    for one in sorted(seeds, key=lambda one: derive(seed, "ift", one.id)):
        of_kind.setdefault(one.kind, []).append(one)
    turns = [(number, one) for group in of_kind.values() for number, one in enumerate(group)]
    return [one for _, one in sorted(turns, key=lambda turn: turn[0])[:limit]]


def _judgements(session: Session, ranked: list[RankedPrompt]) -> list[Example]:
    """EFT: judgements by people where the seeds have them, else those of the SFT baseline that agree with them."""
    config = session.config
    examples = eft_examples(ranked, session.judge().rubric)
    if not examples:
        examples = thin(written_eft_examples(session, "SFT" if config.sft.baseline else "M0", ranked), config.seed)
    if not examples:
        raise NothingToTrain(
            f"No EFT example: of {len(ranked)} ranked instructions none got judgements in the order of their ranks "
            f"(the judge's words are in {session.run.path('M1/verdicts')}). Give seeds with scores and rationales, "
            "or take the embedded ones for EFT: --set seeds.eft_source=embedded"
        )
    return spread(examples, config.seeds.eft_limit, config.seed)


def _check_disk(session: Session) -> None:
    """Refuse to start what would fill the disk half-way: one float32 checkpoint a model, and what one trains with.

    A training's own checkpoint holds the weights and AdamW's two moments, and is written before the last one goes.
    """
    config, run = session.config, session.run
    planned = [*(["SFT"] if config.sft.baseline else []), *(f"M{number}" for number in range(1, config.iterations + 2))]
    missing = [model for model in planned if model not in run.models()]
    if missing:
        weights = sum(file.stat().st_size for file in model_folder(config.model).glob("*.safetensors"))
        least = optimiser_steps(config.seeds.ift_limit or 1, config.sft)
        most = optimiser_steps(config.instructions.count, config.dpo)
        while_training = 6 * any(
            0 < section.save_steps < steps for section, steps in ((config.sft, least), (config.dpo, most))
        )
        require_disk(
            run.folder,
            1.1 * weights * (len(missing) + while_training),
            f"The run {run.name}, {len(missing)} checkpoints,",
        )


def _tune(session: Session, model: str, examples: list[Example]) -> Path:
    """Supervised tuning of M0."""
    config = session.config

    def produce(folder: Path) -> None:
        session.release()
        supervised(
            model_folder(session.run.model("M0")),
            examples,
            config.sft,
            folder,
            device=config.device,
            dtype=config.dtype,
            seed=derive(config.seed, model),
            progress=session.progress,
            label=f"{model}: supervised tuning of M0 on {len(examples)} examples",
        )

    return session.run.checkpoint(model, produce)


def _improve(session: Session, number: int, seeds: list[Demonstration], judgements: list[Example]) -> Health:
    """One iteration: M_t writes, judges, and learns from its own pairs to become M_t+1."""
    config, run = session.config, session.run
    current, following = f"M{number}", f"M{number + 1}"
    prompts = run.stage(f"{following}/instructions", Prompt, lambda: _new_instructions(session, number, seeds))
    candidates = run.stage(
        f"{following}/candidates", Answer, lambda: write_candidates(session, following, current, prompts)
    )
    verdicts = run.stage(f"{following}/verdicts", Verdict, lambda: _self_judged(session, number, prompts, candidates))
    rewards = run.stage(f"{following}/rewards", Reward, lambda: mean_rewards(candidates, verdicts))
    pairs = run.stage(
        f"{following}/pairs", PreferencePair, lambda: _chosen_pairs(session, following, prompts, candidates, rewards)
    )
    refused = run.stage(f"{following}/refused", Dropped, list)
    dropped = run.stage(f"{following}/dropped", Dropped, list)
    (figures,) = run.stage(
        f"{following}/health",
        Health,
        lambda: [health(following, prompts, refused, candidates, verdicts, rewards, pairs, dropped)],
    )
    if not pairs:
        raise NothingToTrain(
            f"{following}: no preference pair. {len(prompts)} instructions, {len(candidates)} candidates, "
            f"{figures.parse_rate:.0%} of {len(verdicts)} verdicts readable; dropped: {figures.dropped}. "
            "A judge that cannot be read has not learned to judge: give it more EFT examples, "
            "or a higher learning rate."
        )

    def produce(folder: Path) -> None:
        session.release()
        prefer(
            Path(run.model(current)),
            pairs,
            config.dpo,
            folder,
            replay=judgements,
            device=config.device,
            dtype=config.dtype,
            seed=derive(config.seed, following),
            progress=session.progress,
            label=f"{following}: DPO of {current} on {len(pairs)} pairs",
        )

    run.checkpoint(following, produce)
    return figures


def _new_instructions(session: Session, number: int, seeds: list[Demonstration]) -> list[Prompt]:
    """The instructions on the way from M_t to M_t+1; the refused ones are written beside them."""
    run, following = session.run, f"M{number + 1}"
    writer = "M0" if session.config.instructions.writer == "base" else f"M{number}"
    earlier = [prompt for past in range(2, number + 1) for prompt in run.stage(f"M{past}/instructions", Prompt, list)]
    accepted, refused = write_prompts(session, following, writer, seeds, earlier)
    run.write(f"{following}/refused", refused)
    return accepted


def _self_judged(session: Session, number: int, prompts: list[Prompt], candidates: list[Answer]) -> list[Verdict]:
    """M_t's verdicts on its own answers."""
    current, following = f"M{number}", f"M{number + 1}"
    instructions = {prompt.id: prompt.instruction for prompt in prompts}
    return score(
        session.judge(),
        session.engine(current),
        [(instructions[answer.prompt_id], answer) for answer in candidates],
        session.run.ledger,
        seed=session.config.seed,
        stage=f"{following}/verdicts",
        progress=session.progress,
        label=f"{following}: {current} judges its {len(candidates)} answers",
    )


def _chosen_pairs(
    session: Session, following: str, prompts: list[Prompt], candidates: list[Answer], rewards: list[Reward]
) -> list[PreferencePair]:
    """The pairs; the instructions that gave none are written beside them."""
    pairs, dropped = choose_pairs(prompts, candidates, rewards, session.config.seed)
    session.run.write(f"{following}/dropped", dropped)
    return pairs
