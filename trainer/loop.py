"""The self-rewarding loop, readable top to bottom like Figure 1 of Yuan et al. 2024 (arXiv 2401.10020).

    M0  --IFT-->        SFT     the baseline that the paper compares with
    M0  --IFT + EFT-->  M1      answers and judges (with seeds.eft false it is the baseline: the paper's M'1)
    M1  --its own pairs-->  M2  --its own pairs-->  M3 ...

Each stage is a file in the run directory; an ended stage is read, not computed again. Run it with `srlm train`.
"""

from dataclasses import dataclass
from pathlib import Path

from srlm.config import TrainConfig
from srlm.console import Progress
from srlm.engines.budget import Budget
from srlm.iteration_metrics import Health, PositivesHealth
from srlm.model_card import write_card
from srlm.model_hub import model_folder
from srlm.puzzle.task import PUZZLE
from srlm.runs import Run
from srlm.seeding import derive
from srlm.types import Answer, Demonstration, Dropped, PreferencePair, Prompt
from trainer.data.seed_data import eft_judgements, kept_seeds, of_seeds
from trainer.data.sft_examples import Example, ift_examples
from trainer.finetune.early_stopping import take_best
from trainer.finetune.job import Preference, Supervision
from trainer.finetune.launch import carry_out
from trainer.finetune.trackers import report_health
from trainer.generation.candidates import whole, write_candidates
from trainer.generation.puzzles import made_prompts
from trainer.generation.self_instruct import write_prompts
from trainer.monitor.alerts import alarms, stop
from trainer.monitor.degenerate_answers import canaries
from trainer.monitor.metrics import Iteration, health
from trainer.monitor.table import health_line
from trainer.preferences.best_of_n import choose_positives, least_positive, shown
from trainer.preferences.consistency import agreeing, implicit_rewards, rank_agreement
from trainer.preferences.errors import no_pair, no_positive
from trainer.preferences.pairs import choose_pairs
from trainer.preferences.scoring import Judged, judged
from trainer.preflight import require_space
from trainer.session import Session


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
    ift, eft = kept_seeds(session)
    require_space(config, run)
    judgements: list[Example] = []
    if config.seeds.eft:
        if config.sft.baseline:
            _tune(session, "SFT", ift_examples(ift))
        judgements = run.stage("M1/judgements", Example, lambda: eft_judgements(session, eft))
        _tune(session, "M1", of_seeds(config, ift, judgements))
    else:
        _tune(session, "M1", of_seeds(config, ift, judgements), like="SFT")
    iterations: list[Health] = []
    for number in range(1, config.iterations + 1):
        before = iterations[-1] if iterations else None
        iterations.append(_improve(session, number, ift, judgements, before, strict))
    return Trained(run.models(), iterations)


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
            report_to=config.report_to,
            thoughts=config.thoughts,
        )
        carry_out(job, config.launcher, session.progress)
        write_card(session.run, model, folder)

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
        lambda: canaries(prompts, config.monitor.degenerate_answer_prompts, session.judge().rubric.scale),
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
    found = Iteration(following, prompts, refused, candidates, own, pairs, dropped, low, frozen, positives)
    (figures,) = run.stage(
        f"{following}/health",
        Health if positives is None else PositivesHealth,
        lambda: [health(found, session.judge().rubric.scale, before)],
    )
    if following not in run.models():
        report_health(run, number, figures)
    _report(session, figures, strict)
    if positives is None:
        if not pairs:
            raise no_pair(figures, len(own.verdicts))
        _prefer(session, number, found, judgements)
    else:
        if not positives:
            raise no_positive(session, figures, deciding)
        _tune(session, following, [*of_seeds(config, seeds, judgements), *_shown(session, number)])
    return figures


def _prefer(session: Session, number: int, iteration: Iteration, judgements: list[Example]) -> Path:
    """Preference tuning of M_t on its pairs, with M_t as the reference, and with judgements to replay beside them."""
    config, run, pairs = session.config, session.run, iteration.pairs
    current, following = f"M{number}", f"M{number + 1}"
    consistency = 1.0
    if config.dpo.label_smoothing == "agreement" and number > 1:
        alike = rank_agreement(session, number, iteration.prompts, iteration.candidates)
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
            report_to=config.report_to,
            thoughts=config.thoughts,
            written=_written(session, iteration) if config.thoughts == "keep" else {},
        )
        carry_out(job, config.launcher, session.progress)
        if config.dpo.stopping.judge is not None:
            take_best(session, following, folder, job.steps)
        write_card(run, following, folder)

    return run.checkpoint(following, produce)


def _written(session: Session, iteration: Iteration) -> dict[str, str]:
    """All that was written for the answers that pairs are made of, by their ids."""
    answers = list(iteration.candidates)
    if session.config.pairs.rejected_from != "current" and session.run.path(f"{iteration.model}/anchors").exists():
        answers += session.run.stage(f"{iteration.model}/anchors", Answer, list)
    return {one.id: whole(one) for one in answers}


def _shown(session: Session, number: int) -> list[Example]:
    """The positives of this iteration and of those before it, as often as a pass shows them."""
    config, run, following = session.config, session.run, f"M{number + 1}"
    every = [one for past in range(2, number + 2) for one in run.stage(f"M{past}/positives", Example, list)]
    return shown(every, config.positives.weight, derive(config.seed, following))


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
    positives, dropped = choose_positives(prompts, candidates, scored.rewards, least, session.config.thoughts)
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
