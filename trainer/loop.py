"""The self-rewarding loop, in the order of Figure 1 of Yuan et al. 2024 (arXiv 2401.10020).

    M0  --SFT on IFT-->            SFT    the baseline of the paper
    M0  --SFT on IFT + EFT-->      M1     answers and judges (with seeds.eft=false it is the baseline, the paper's M'1)
    M1  --DPO on its own pairs-->  M2     --DPO on its own pairs-->  M3 ...

With start=judge M1 is trained on EFT alone; with start=instruct M1 is M0, which is not trained.
An iteration generates prompts and candidates with M_t, scores them with M_t, selects pairs or best answers, and trains
M_t+1 on these. With learn_from=rollouts GRPO trains it on answers that it writes and judges as it learns (RLSR, arXiv
2505.08827). Each stage is a file in the run directory; a stage that has ended is read and not computed again. Run it
with `srlm train`.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from srlm.config import TrainConfig
from srlm.console import Progress
from srlm.engines.budget import Budget
from srlm.engines.client_config import ClientConfig
from srlm.iteration_metrics import IterationMetrics, PositivesMetrics
from srlm.model_card import write_card
from srlm.rollout_metrics import RolloutMetrics
from srlm.runs import Run
from srlm.seeding import derive_seed
from srlm.tasks.open import open_task
from srlm.tasks.task import Problem
from srlm.types import Answer, Demonstration, Dropped, PreferencePair, Prompt, RankedPrompt, SFTExample
from trainer.data.seed_data import make_eft_examples, sft_dataset, snapshot_seed_data
from trainer.data.sft_examples import ift_examples
from trainer.disk_space import require_space
from trainer.duration.estimate import announce_duration
from trainer.finetune.early_stopping import select_snapshot
from trainer.finetune.job import DPOJob, GRPOJob, SFTJob
from trainer.finetune.launch import run_job
from trainer.generation.candidates import sample_candidates
from trainer.generation.new_prompts import new_prompts
from trainer.generation.user_prompts import snapshot_prompts
from trainer.given_model import use_given_model
from trainer.monitor.alerts import find_alerts, raise_on_alerts
from trainer.monitor.degenerate_answers import STAGE as DEGENERATE
from trainer.monitor.degenerate_answers import degenerate_answers
from trainer.monitor.metrics import IterationRecords, compute_metrics
from trainer.monitor.rollouts import monitor_rollouts
from trainer.monitor.table import metrics_line
from trainer.monitor.trackers import report_metrics
from trainer.preferences.consistency import rank_agreement
from trainer.preferences.errors import no_best_answers_error, no_pairs_error
from trainer.preferences.scoring import Scores, ScoreSource, score_answers
from trainer.preferences.selection import select_pairs, select_positives
from trainer.reward_versions import write_versions
from trainer.rollouts.problems import draw_problems
from trainer.rollouts.reward_settings import charged, reward_settings
from trainer.rollouts.rollout_file import unfinished_file
from trainer.session import Session
from trainer.training_data import best_answers, full_texts


@dataclass(frozen=True)
class TrainingResult:
    """The models of a run in order, and the metrics of each iteration: of pairs and best answers, or of rollouts."""

    models: list[str]
    iterations: list[IterationMetrics]
    rollouts: list[RolloutMetrics] = field(default_factory=list)


def train(
    config: TrainConfig,
    run: Run,
    progress: Progress,
    strict: bool = False,
    budget: Budget | None = None,
    client: ClientConfig | None = None,
) -> TrainingResult:
    """Run the loop, or resume it.

    Args:
        config: the settings of the run.
        run: its directory.
        progress: output for the user.
        strict: stop if a metric of an iteration is beyond its threshold.
        budget: limit on the cost of all API calls from now on; None for no limit.
        client: connections and timeouts of calls to servers; the usual ones, if None.

    Raises:
        SrlmError: with the next step for the user; all finished stages stay in the run.
    """
    session = Session(config, run, progress, budget, client)
    ift, eft = snapshot_seed_data(session)
    snapshot_prompts(session, ift)
    require_space(session, ift, eft)
    announce_duration(session, ift, eft)
    judgements = _make_m1(session, ift, eft)
    iterations: list[IterationMetrics] = []
    if config.learn_from == "rollouts":
        rollouts = [_train_grpo(session, number, strict) for number in range(1, config.iterations + 1)]
        return TrainingResult(run.models(), [], rollouts)
    for number in range(1, config.iterations + 1):
        before = iterations[-1] if iterations else None
        iterations.append(_run_iteration(session, number, ift, judgements, before, strict))
    return TrainingResult(run.models(), iterations)


def _train_grpo(session: Session, number: int, strict: bool) -> RolloutMetrics:
    """Run iteration t with rollouts: M_t is trained by GRPO on answers that it writes to problems of the task."""
    config, run = session.config, session.run
    current, following = f"M{number}", f"M{number + 1}"
    task = open_task(config.rollouts)
    versions = session.require_sources() if following not in run.models() else []
    drawn = f"{following}/problems"
    with charged(session, drawn):
        problems = run.stage(
            drawn, Problem, lambda: draw_problems(session, number, reward_settings(session, number, strict))
        )

    def produce(folder: Path) -> None:
        session.release()
        job = GRPOJob(
            start=session.folder(current),
            folder=folder,
            problems=tuple(problems),
            config=config.grpo,
            rewards=reward_settings(session, number, strict),
            device=config.device,
            dtype=config.dtype,
            seed=derive_seed(config.seed, following),
            label=f"{following}: GRPO of {current} on {len(problems)} problems",
            report_to=config.report_to,
            thoughts=config.thoughts,
        )
        with charged(session, f"{following}/rollouts"):
            run_job(job, config.launcher, session.progress)
        write_versions(run, versions)
        run.path(f"{following}/health").unlink(missing_ok=True)  # of an attempt that was killed here
        measured.append(monitor_rollouts(session, number, task.label, len(problems)))
        write_card(run, following, folder)

    measured: list[RolloutMetrics] = []
    run.checkpoint(following, produce)
    unfinished_file(run.folder / following).unlink(missing_ok=True)
    return measured[0] if measured else monitor_rollouts(session, number, task.label, len(problems))


def _make_m1(session: Session, ift: list[Demonstration], eft: list[RankedPrompt]) -> list[SFTExample]:
    """Train the SFT baseline and M1 from M0, as far as the start asks for it; return the EFT examples."""
    config, run = session.config, session.run
    if config.start == "instruct":
        use_given_model(session)
        return []
    if not config.seeds.eft:
        # M1 is the baseline, so it has the baseline's seed.
        _train_sft(session, "M1", sft_dataset(config, ift, []), seed_name="SFT")
        return []
    if config.trains_baseline:
        _train_sft(session, "SFT", ift_examples(ift))
    judgements = run.stage("M1/judgements", SFTExample, lambda: make_eft_examples(session, eft))
    _train_sft(session, "M1", sft_dataset(config, ift, judgements))
    return judgements


def _run_iteration(
    session: Session,
    number: int,
    ift: list[Demonstration],
    judgements: list[SFTExample],
    before: IterationMetrics | None,
    strict: bool,
) -> IterationMetrics:
    """Run iteration t: M_t generates and judges; M_t+1 is trained on its pairs, or on its best answers."""
    records = _generate_and_score(session, number, ift)
    records = _select_training_data(session, number, records)
    metrics = _monitor(session, number, records, before, strict)
    if records.positives is None:
        if not records.pairs:
            raise no_pairs_error(metrics, len(records.own.verdicts))
        _train_dpo(session, number, records, judgements)
    else:
        if not records.positives:
            raise no_best_answers_error(session, metrics, _deciding_scores(session, records))
        examples = [*sft_dataset(session.config, ift, judgements), *best_answers(session.run, records.model)]
        _train_sft(session, records.model, examples)
    return metrics


def _generate_and_score(session: Session, number: int, ift: list[Demonstration]) -> IterationRecords:
    """Generate new prompts and candidates with M_t, and score them with M_t and the frozen judge."""
    config, run = session.config, session.run
    current, following = f"M{number}", f"M{number + 1}"
    if not run.path(f"{following}/verdicts").exists():
        session.require_sources()
    prompts = run.stage(f"{following}/instructions", Prompt, lambda: new_prompts(session, number, ift))
    candidates = run.stage(
        f"{following}/candidates", Answer, lambda: sample_candidates(session, following, current, prompts)
    )
    own = score_answers(session, following, ScoreSource.SELF, current, prompts, candidates)
    controls = run.stage(
        f"{following}/{DEGENERATE}",
        Answer,
        lambda: degenerate_answers(prompts, config.monitor.degenerate_answer_prompts, session.judge().rubric.scale),
    )
    degenerate = score_answers(session, following, ScoreSource.DEGENERATE, current, prompts, controls)
    frozen = score_answers(session, following, ScoreSource.FROZEN, config.judge.frozen, prompts, candidates)
    return IterationRecords(
        following, prompts=prompts, candidates=candidates, own=own, degenerate=degenerate, frozen=frozen
    )


def _select_training_data(session: Session, number: int, records: IterationRecords) -> IterationRecords:
    """Select preference pairs or best answers by the scores, and add them to the records."""
    run, following = session.run, records.model
    prompts, candidates, scores = records.prompts, records.candidates, _deciding_scores(session, records)
    if session.config.learn_from == "positives":
        positives = run.stage(
            f"{following}/positives",
            SFTExample,
            lambda: select_positives(session, number, prompts, candidates, scores),
        )
        records = replace(records, positives=positives)
    else:
        pairs = run.stage(
            f"{following}/pairs",
            PreferencePair,
            lambda: select_pairs(session, number, prompts, candidates, scores),
        )
        records = replace(records, pairs=pairs)
    return replace(
        records,
        refused=run.stage(f"{following}/refused", Dropped, list),
        dropped=run.stage(f"{following}/dropped", Dropped, list),
    )


def _deciding_scores(session: Session, records: IterationRecords) -> Scores:
    """Return the scores by which training data is selected."""
    return records.frozen if session.config.pairs.scored_by == "frozen" else records.own


def _monitor(
    session: Session, number: int, records: IterationRecords, before: IterationMetrics | None, strict: bool
) -> IterationMetrics:
    """Compute the metrics of the iteration, report them, and print one line for each alert.

    Raises:
        StoppedByStrict: there is an alert and `strict` is set.
    """
    config, run, following = session.config, session.run, records.model
    (metrics,) = run.stage(
        f"{following}/health",
        IterationMetrics if records.positives is None else PositivesMetrics,
        lambda: [compute_metrics(records, session.scale(), before)],
    )
    if following not in run.models():
        report_metrics(run, number, metrics)
    session.progress.say(metrics_line(metrics))
    alerts = find_alerts(metrics, config.monitor)
    for alert in alerts:
        session.progress.say(str(alert))
    if strict:
        raise_on_alerts(alerts)
    return metrics


def _train_sft(session: Session, model: str, examples: list[SFTExample], seed_name: str | None = None) -> Path:
    """Fine-tune M0 on the examples. The random seed is derived from `seed_name`, by default the model's name."""
    config = session.config

    def produce(folder: Path) -> None:
        session.release()
        job = SFTJob(
            start=session.folder("M0"),
            folder=folder,
            examples=tuple(examples),
            config=config.sft,
            device=config.device,
            dtype=config.dtype,
            seed=derive_seed(config.seed, seed_name or model),
            label=f"{model}: SFT of M0 on {len(examples)} examples",
            report_to=config.report_to,
            thoughts=config.thoughts,
        )
        run_job(job, config.launcher, session.progress)
        write_card(session.run, model, folder)

    return session.run.checkpoint(model, produce)


def _train_dpo(session: Session, number: int, records: IterationRecords, judgements: list[SFTExample]) -> Path:
    """Train M_t on its pairs by DPO, with M_t as the reference model and the EFT examples for replay."""
    config, run, pairs = session.config, session.run, records.pairs
    current, following = f"M{number}", records.model
    consistency = 1.0
    # The rankings of two models by their rewards against M0. With start=instruct M1 is M0 and has no reward.
    first = 3 if config.start == "instruct" else 2
    if config.dpo.label_smoothing == "agreement" and number >= first:
        agreement = rank_agreement(session, number, records.prompts, records.candidates)
        session.progress.say(str(agreement))
        consistency = agreement.consistency

    def produce(folder: Path) -> None:
        session.release()
        job = DPOJob(
            start=session.folder(current),
            folder=folder,
            pairs=tuple(pairs),
            replay=tuple(judgements),
            config=config.dpo,
            device=config.device,
            dtype=config.dtype,
            seed=derive_seed(config.seed, following),
            label=f"{following}: DPO of {current} on {len(pairs)} pairs",
            consistency=consistency,
            report_to=config.report_to,
            thoughts=config.thoughts,
            written=full_texts(run, following) if config.thoughts == "keep" else {},
        )
        run_job(job, config.launcher, session.progress)
        if config.dpo.stopping.judge is not None:
            select_snapshot(session, following, folder, job.steps)
        write_card(run, following, folder)

    return run.checkpoint(following, produce)
