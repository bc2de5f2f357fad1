"""The self-rewarding loop, readable top to bottom like Figure 1 of Yuan et al. 2024 (arXiv 2401.10020).

    M0  --IFT-->        SFT     the baseline that the paper compares with
    M0  --IFT + EFT-->  M1      answers and judges (with seeds.eft false it is the baseline: the paper's M'1)
    M1  --its own pairs-->  M2  --its own pairs-->  M3 ...

Each stage is a file in the run directory; an ended stage is read, not computed again. Run it with `srlm train`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from srlm.assets import model_folder, require_disk
from srlm.config import TrainConfig
from srlm.display import Progress
from srlm.engines.budget import Budget
from srlm.errors import NothingToTrain
from srlm.puzzle.world import PUZZLE
from srlm.randomness import derive
from srlm.runs import Run
from srlm.seeds import load_seeds
from srlm.types import Answer, Demonstration, Dropped, PreferencePair, Prompt, RankedPrompt
from trainer.agreement import DISAGREED, agreeing, implicit_rewards, rank_agreement
from trainer.alarms import alarms, stop
from trainer.canaries import canaries
from trainer.candidates import write_candidates
from trainer.checkpoint import take_best
from trainer.examples import Example, bare_eft_examples, eft_examples, ift_examples, spread, thin, written_eft_examples
from trainer.job import Preference, Supervision
from trainer.launch import carry_out
from trainer.monitor import Health, Iteration, PositivesHealth, health
from trainer.pairs import UNREAD, choose_pairs
from trainer.positives import choose_positives, least_positive, shown
from trainer.prompts import write_prompts
from trainer.puzzles import made_prompts
from trainer.rendering import health_line
from trainer.rewards import Judged, judged
from trainer.session import Session
from trainer.tuning import optimiser_steps


@dataclass(frozen=True)
class Trained:
    """What a run has at its end: its models in order, and the health of each iteration."""

    models: list[str]
    iterations: list[Health]


def train(
    config: TrainConfig, run: Run, progress: Progress, strict: bool = False, budget: Budget | None = None
) -> Trained:
    """Run the loop, or go on with it.

    Args:
        config: the settings of the run.
        run: its directory.
        progress: what the user sees.
        strict: stop where an iteration's figures pass a threshold of the monitor.
        budget: what all calls of models behind a server may cost together, from now on; without one, anything.

    Raises:
        SrlmError: with what to do; everything computed so far stays in the run.
    """
    session = Session(config, run, progress, budget)
    ift, eft, _ = _seeds(session)
    _check_disk(session)
    judgements: list[Example] = []
    if config.seeds.eft:
        if config.sft.baseline:
            _tune(session, "SFT", ift_examples(ift))
        judgements = run.stage("M1/judgements", Example, lambda: _judgements(session, eft))
        _tune(session, "M1", _of_seeds(config, ift, judgements))
    else:
        _tune(session, "M1", _of_seeds(config, ift, judgements), like="SFT")
    iterations: list[Health] = []
    for number in range(1, config.iterations + 1):
        before = iterations[-1] if iterations else None
        iterations.append(_improve(session, number, ift, judgements, before, strict))
    return Trained(run.models(), iterations)


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
    if config.seeds.eft_targets == "ranks":
        examples = bare_eft_examples(ranked, session.judge().rubric)
    else:
        examples = eft_examples(ranked, session.judge().rubric)
    if not examples:
        examples = thin(written_eft_examples(session, "SFT" if config.sft.baseline else "M0", ranked), config.seed)
    if not examples:
        raise NothingToTrain(
            f"No EFT example: of {len(ranked)} ranked instructions none got judgements in the order of their ranks "
            f"(the judge's words are in {session.run.path('M1/verdicts')}). Give seeds with scores and rationales, "
            "take the embedded ones for EFT (--set seeds.eft_source=embedded), or let M1 learn bare scores from ranks "
            "(--set seeds.eft_targets=ranks)."
        )
    return spread(examples, config.seeds.eft_limit, config.seed)


def _of_seeds(config: TrainConfig, ift: list[Demonstration], judgements: list[Example]) -> list[Example]:
    """What M1 learns from. Without judgements there is nothing that demonstrations would be too few beside."""
    return [*ift_examples(ift) * (config.seeds.ift_repeats if config.seeds.eft else 1), *judgements]


def _check_disk(session: Session) -> None:
    """Refuse to start what would fill the disk half-way: one float32 checkpoint a model, and what one trains with.

    A training's own checkpoint holds the weights and AdamW's two moments, and is written before the last one goes.
    """
    config, run = session.config, session.run
    planned = [
        *(["SFT"] if config.sft.baseline and config.seeds.eft else []),
        *(f"M{number}" for number in range(1, config.iterations + 2)),
    ]
    missing = [model for model in planned if model not in run.models()]
    if missing:
        weights = sum(file.stat().st_size for file in model_folder(config.model).glob("*.safetensors"))
        least = optimiser_steps(config.seeds.ift_limit or 1, config.sft)
        learning = config.sft if config.learn_from == "positives" else config.dpo
        most = optimiser_steps(config.instructions.count, learning)
        while_training = 6 * any(
            0 < section.save_steps < steps for section, steps in ((config.sft, least), (learning, most))
        )
        kept_along = most // config.dpo.stopping.every if config.dpo.stopping.judge is not None else 0
        require_disk(
            run.folder,
            1.1 * weights * (len(missing) + while_training + kept_along),
            f"The run {run.name}, {len(missing)} checkpoints,",
        )


def _tune(session: Session, model: str, examples: list[Example], like: str | None = None) -> Path:
    """Supervised tuning of M0. `like` another model: by the same chance, so that the same examples give it again."""
    config = session.config

    def produce(folder: Path) -> None:
        session.release()
        job = Supervision(
            start=model_folder(session.run.model("M0")),
            folder=folder,
            examples=tuple(examples),
            config=config.sft,
            device=config.device,
            dtype=config.dtype,
            seed=derive(config.seed, like or model),
            label=f"{model}: supervised tuning of M0 on {len(examples)} examples",
        )
        carry_out(job, config.launcher, session.progress)

    return session.run.checkpoint(model, produce)


def _improve(
    session: Session,
    number: int,
    seeds: list[Demonstration],
    judgements: list[Example],
    before: Health | None,
    strict: bool,
) -> Health:
    """One iteration: M_t writes and judges; from its own pairs, or its own best answers, comes M_t+1."""
    config, run = session.config, session.run
    current, following = f"M{number}", f"M{number + 1}"
    prompts = run.stage(f"{following}/instructions", Prompt, lambda: _new_instructions(session, number, seeds))
    candidates = run.stage(
        f"{following}/candidates", Answer, lambda: write_candidates(session, following, current, prompts)
    )
    own = judged(session, following, "", current, prompts, candidates)
    worthless = run.stage(
        f"{following}/canaries",
        Answer,
        lambda: canaries(prompts, config.monitor.canary_prompts, session.judge().rubric.scale),
    )
    low = judged(session, following, "canary_", current, prompts, worthless)
    frozen = judged(session, following, "frozen_", config.judge.frozen, prompts, candidates)
    deciding = frozen if config.pairs.scored_by == "frozen" else own
    pairs: list[PreferencePair] = []
    positives: list[Example] | None = None
    if config.learn_from == "positives":
        positives = run.stage(
            f"{following}/positives",
            Example,
            lambda: _chosen_positives(session, following, prompts, candidates, deciding),
        )
    else:
        pairs = run.stage(
            f"{following}/pairs",
            PreferencePair,
            lambda: _chosen_pairs(session, number, prompts, candidates, deciding),
        )
    refused = run.stage(f"{following}/refused", Dropped, list)
    dropped = run.stage(f"{following}/dropped", Dropped, list)
    (figures,) = run.stage(
        f"{following}/health",
        Health if positives is None else PositivesHealth,
        lambda: [
            health(
                Iteration(following, prompts, refused, candidates, own, pairs, dropped, low, frozen, positives),
                session.judge().rubric.scale,
                before,
            )
        ],
    )
    _report(session, figures, strict)
    if positives is None:
        if not pairs:
            raise _no_pair(figures, len(own.verdicts))
        _prefer(session, number, prompts, candidates, pairs, judgements)
    else:
        if not positives:
            raise _no_positive(session, figures, deciding)
        earlier = [one for past in range(2, number + 1) for one in run.stage(f"M{past}/positives", Example, list)]
        again = shown([*earlier, *positives], config.positives.weight, derive(config.seed, following))
        _tune(session, following, [*_of_seeds(config, seeds, judgements), *again])
    return figures


def _prefer(
    session: Session,
    number: int,
    prompts: list[Prompt],
    candidates: list[Answer],
    pairs: list[PreferencePair],
    judgements: list[Example],
) -> Path:
    """Preference tuning of M_t on its pairs, with M_t as the reference, and with judgements to replay beside them."""
    config, run = session.config, session.run
    current, following = f"M{number}", f"M{number + 1}"
    consistency = 1.0
    if config.dpo.label_smoothing == "agreement" and number > 1:
        alike = rank_agreement(session, number, prompts, candidates)
        session.progress.say(str(alike))
        consistency = alike.consistency

    def produce(folder: Path) -> None:
        session.release()
        job = Preference(
            start=Path(run.model(current)),
            folder=folder,
            pairs=tuple(pairs),
            replay=tuple(judgements),
            config=config.dpo,
            device=config.device,
            dtype=config.dtype,
            seed=derive(config.seed, following),
            label=f"{following}: DPO of {current} on {len(pairs)} pairs",
            consistency=consistency,
        )
        carry_out(job, config.launcher, session.progress)
        if config.dpo.stopping.judge is not None:
            take_best(session, following, folder, job.steps)

    return run.checkpoint(following, produce)


def _no_positive(session: Session, figures: Health, scored: Judged) -> NothingToTrain:
    """How far the candidates of an iteration are from being learned from, and what to try."""
    values = [reward.value for reward in scored.rewards if reward.value is not None]
    least = least_positive(session.config, session.judge().rubric.scale)
    best = f"the best has {max(values):.2f}" if values else "none has a reward"
    return NothingToTrain(
        f"{figures.model}: no answer has a reward of {least:g}, {best}. {figures.instructions} instructions, "
        f"{figures.candidates} candidates, {len(values)} of them with a reward, {figures.parse_rate:.0%} of the "
        "verdicts readable. More candidates, or a lower positives.min_reward, would leave some."
    )


def _no_pair(figures: Health, verdicts: int) -> NothingToTrain:
    """Where the candidates of an iteration went, and what to try."""
    unread = figures.dropped.get(UNREAD, 0)
    advice = (
        "A judge that cannot be read has not learned to judge: give it more EFT examples, or a higher learning rate."
        if 2 * unread >= figures.instructions
        else "The judge and the implicit reward contradict each other; without pairs.agreement the judge decides alone."
        if 2 * figures.dropped.get(DISAGREED, 0) >= figures.instructions
        else "Rewards that hardly differ become different with more verdicts per candidate (judge.samples), with "
        "judge.scoring=expected, with more candidates, or with a smaller pairs.min_gap."
    )
    dropped = ", ".join(f"{reason}: {count}" for reason, count in figures.dropped.items())
    return NothingToTrain(
        f"{figures.model}: no preference pair. {figures.instructions} instructions, {figures.candidates} candidates, "
        f"{figures.parse_rate:.0%} of {verdicts} verdicts readable; dropped: {dropped or 'nothing'}. {advice}"
    )


def _new_instructions(session: Session, number: int, seeds: list[Demonstration]) -> list[Prompt]:
    """The instructions on the way from M_t to M_t+1; the refused ones are written beside them."""
    run, following = session.run, f"M{number + 1}"
    chosen = session.config.instructions.writer
    writer = {"base": "M0", "current": f"M{number}"}.get(chosen, chosen)
    earlier = [prompt for past in range(2, number + 1) for prompt in run.stage(f"M{past}/instructions", Prompt, list)]
    if session.config.instructions.source == PUZZLE:
        run.write(f"{following}/refused", [])
        return made_prompts(following, session.config.instructions.count, session.config.seed, earlier)
    accepted, refused = write_prompts(session, following, writer, seeds, earlier)
    run.write(f"{following}/refused", refused)
    return accepted


def _chosen_pairs(
    session: Session, number: int, prompts: list[Prompt], candidates: list[Answer], scored: Judged
) -> list[PreferencePair]:
    """The pairs; the instructions that gave none are written beside them.

    Where an earlier model's answers may be the rejected ones, it writes them here, and who scored the candidates
    scores them too.
    """
    config, run = session.config, session.run
    current, following = f"M{number}", f"M{number + 1}"
    earlier = {"current": current, "base": "M0", "M1": "M1"}[config.pairs.rejected_from]
    anchors: list[Answer] = []
    if earlier != current:
        anchors = run.stage(
            f"{following}/anchors",
            Answer,
            lambda: write_candidates(session, following, earlier, prompts, "anchors"),
        )
    judge = config.judge.frozen if config.pairs.scored_by == "frozen" else current
    rewards = [*scored.rewards, *judged(session, following, "anchor_", judge, prompts, anchors).rewards]
    pairs, dropped = choose_pairs(prompts, candidates, rewards, config.seed, config.pairs, anchors)
    if config.pairs.agreement and number > 1:
        answers = [*candidates, *anchors]
        pairs, disagreed = agreeing(pairs, implicit_rewards(session, number, prompts, answers))
        dropped += disagreed
    run.write(f"{following}/dropped", dropped)
    return pairs


def _chosen_positives(
    session: Session, following: str, prompts: list[Prompt], candidates: list[Answer], scored: Judged
) -> list[Example]:
    """The answers that are learned from; the instructions that gave none are written beside them."""
    least = least_positive(session.config, session.judge().rubric.scale)
    positives, dropped = choose_positives(prompts, candidates, scored.rewards, least)
    session.run.write(f"{following}/dropped", dropped)
    return positives


def _report(session: Session, figures: Health, strict: bool) -> None:
    """Say in one line what the iteration looks like, and in one each what is wrong with it."""
    session.progress.say(health_line(figures))
    found = alarms(figures, session.config.monitor)
    for one in found:
        session.progress.say(str(one))
    if strict:
        stop(found)
