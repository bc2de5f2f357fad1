"""The disk space that a run takes: its models, and the checkpoints to resume from inside a training.

Weights are counted in the headers of M0's files, and written in float32 whatever precision M0 has: a model from the
Hub is usually in bfloat16, and each model of the run is twice as large. Left out: the run's texts and ledger, some
kilobytes an instruction, and M0 itself, which lies elsewhere.
"""

from collections.abc import Sequence

from srlm.checkpoint_files import weight_count
from srlm.config.finetune import TuningConfig
from srlm.disk import require_disk
from srlm.model_hub import model_folder
from srlm.types import Demonstration, RankedPrompt
from trainer.finetune.job import optimiser_steps
from trainer.generation.user_prompts import prompts_of_an_iteration
from trainer.session import Session

MODEL_BYTES = 4
"""Bytes per parameter of a model that a run writes: float32."""

RESUMABLE_BYTES = 12
"""Bytes per parameter of a checkpoint to resume from: float32 weights and AdamW's two moments."""

MARGIN = 1.1
"""Factor on the estimate, for what is left out."""


def disk_bytes(parameters: int, models: int, *, resumable: bool = True, snapshots: int = 0) -> float:
    """Return the bytes that a run writes at most.

    Args:
        parameters: of M0.
        models: the number of models to be trained.
        resumable: a training writes checkpoints to resume from. The new one is complete before the last one is removed.
        snapshots: models that early stopping chooses from.
    """
    trainings = 2 * RESUMABLE_BYTES if resumable else 0
    return MARGIN * parameters * (MODEL_BYTES * (models + snapshots) + trainings)


def require_space(session: Session, ift: Sequence[Demonstration], eft: Sequence[RankedPrompt]) -> None:
    """Check that the disk has room for what the run has still to write.

    Raises:
        NoDiskSpace: it has not.
    """
    config, run, missing = session.config, session.run, session.missing_models()
    if not missing:
        return
    prompts = prompts_of_an_iteration(config, run)
    judgements = sum(len(one.answers) for one in eft)
    seeds = len(ift) * (config.seeds.ift_repeats if config.seeds.eft else 1) + min(
        judgements, config.seeds.eft_limit or judgements
    )
    trainings: list[tuple[TuningConfig, int]] = []
    if config.start != "instruct":
        trainings.append((config.sft, optimiser_steps(seeds, config.sft)))
    if config.iterations:
        by_learning: dict[str, tuple[TuningConfig, int]] = {
            "pairs": (config.dpo, optimiser_steps(prompts, config.dpo)),
            "positives": (config.sft, optimiser_steps(seeds + prompts, config.sft)),
            "rollouts": (config.grpo, config.grpo.steps),
        }
        trainings.append(by_learning[config.learn_from])
    # The last step writes the model alone. Checkpoints of adapters hold the adapters alone, which take little.
    resumable = any(0 < section.save_steps < steps and not section.lora.rank for section, steps in trainings)
    stopping = config.dpo.stopping
    snapshots = optimiser_steps(prompts, config.dpo) // stopping.every if stopping.judge is not None else 0
    parameters = weight_count(model_folder(config.model.removeprefix("vllm:")))
    require_disk(
        run.folder,
        disk_bytes(parameters, len(missing), resumable=resumable, snapshots=snapshots),
        f"The run {run.name}, {len(missing)} checkpoints,",
    )
