"""Validation of the seed data and the prompts of a file before a run starts: a part of `trainer/preflight.py`.

Two questions: has the data the records that the settings need, and can the model read them, by its chat template and in
its context? Each source is read once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srlm.checkpoint_files import read_config
from srlm.config import TrainConfig
from srlm.config.rewards import JUDGE
from srlm.engines.architectures import context_length
from srlm.engines.chat_template import ChatTokenizer
from srlm.engines.conversation_trial import require_contexts
from srlm.errors import UsageError
from srlm.judges.pointwise import PointwiseJudge
from srlm.judges.rubric import POINTS, load_rubric
from srlm.seed_data import Seeds, load_seeds
from srlm.types import Prompt
from trainer.data.seed_data import ift_seeds
from trainer.generation.prompt_lengths import require_room
from trainer.generation.self_instruct import without_context
from trainer.generation.user_prompts import select_prompts


@dataclass(frozen=True)
class RunData:
    """The seed data of a run, None without any, and the prompts of all iterations that a file has."""

    seeds: Seeds | None
    prompts: tuple[Prompt, ...]


def check_records(config: TrainConfig) -> RunData:
    """Read the seed data and the prompts of a file, and check that they have the records that the settings need.

    Raises:
        SrlmError: they cannot be read, or lack some.
    """
    settings, seeds = config.seeds, None
    if settings.source is not None:
        seeds = load_seeds(settings.source)
        _check_demonstrations(config, seeds)
        other = settings.eft_source or settings.source
        _check_ranked(config, seeds, other, seeds if other == settings.source else load_seeds(other))
    if not config.instructions.from_file:
        return RunData(seeds, ())
    return RunData(seeds, select_prompts(config, ift_seeds(config, seeds) if seeds else ()).chosen)


def _check_demonstrations(config: TrainConfig, seeds: Seeds) -> None:
    """Check that the seeds have demonstrations for IFT, or for the few-shot examples of written instructions.

    Raises:
        UsageError: they have none.
    """
    if seeds.ift or not (config.start == "base" or config.writes_instructions):
        return
    purpose = "instruction fine-tuning (IFT) needs" if config.start == "base" else "few-shot examples are"
    keep = f", and keep the ranked ones for EFT: seeds.eft_source={config.seeds.source}" * (config.start != "instruct")
    count = len(seeds.eft) + len(seeds.validation)
    raise UsageError(
        f"The seeds {config.seeds.source} have no demonstration (a prompt with a good answer), which "
        f"{purpose}, but {count} ranked instruction{'' if count == 1 else 's'}. Give demonstrations as seeds.source, a "
        f"file or embedded{keep}."
    )


def _check_ranked(config: TrainConfig, seeds: Seeds, source: str, ranked: Seeds) -> None:
    """Check that there are ranked instructions for EFT, and held-out ones for early stopping.

    Args:
        config: the settings of the run.
        seeds: those of `seeds.source`.
        source: of the ranked instructions for EFT.
        ranked: the seeds of that source.

    Raises:
        UsageError: there are none.
    """
    if config.dpo.stopping.judge is not None and not (seeds.validation or ranked.validation):
        raise UsageError(
            f"dpo.stopping.judge compares answers to held-out instructions, and the seeds {config.seeds.source} have "
            "none. Give some ranked instructions split=validation."
        )
    if config.start != "instruct" and config.seeds.eft and not ranked.eft:
        raise UsageError(
            f"The seeds {source} have no ranked instruction to train the judge on; {len(ranked.validation)} are held "
            "out. Name a file of them (prompt, chosen and rejected) or the packaged ones as seeds.eft_source "
            "(seeds.eft_source=embedded), or train without EFT: seeds.eft=false."
        )
    if config.start != "instruct" and config.seeds.eft and config.seeds.eft_targets == "judgements":
        _check_scale(config, source, ranked)


def _check_scale(config: TrainConfig, source: str, ranked: Seeds) -> None:
    """Check that judgements of another scale than 0-5 fit the rubric; those of 0-5 are sampled anew where they do not.

    Raises:
        UsageError: they do not fit.
    """
    scale = str(load_rubric(config.judge.rubric).scale)
    found = next((one.scale for one in ranked.eft if one.scale not in (scale, str(POINTS))), None)
    if found is not None:
        raise UsageError(
            f"The seeds {source} have judgements on the scale {found}, and the rubric {config.judge.rubric} scores "
            f"{scale}. Set a rubric of that scale: judge.rubric=correct is the one for problems with right and wrong "
            "answers (0-1)."
        )


def check_contexts(config: TrainConfig, data: RunData, tokenizer: Any) -> None:
    """Check that the chat template writes the system messages and earlier turns of the seeds, and of prompts of a file.

    Raises:
        ModelError: it does not.
        UsageError: no demonstration stands alone, and the model that writes new instructions is shown such ones.
    """
    if config.instructions.from_file:
        contexts = [one.context for one in data.prompts]
        require_contexts(tokenizer, config.model, contexts, f"the prompts {config.instructions.source}")
    if data.seeds is None:
        return
    contexts = [one.context for one in data.seeds.ift] if config.start == "base" else []
    if config.dpo.stopping.judge is not None:
        contexts += [one.context for one in data.seeds.validation]
    require_contexts(tokenizer, config.model, contexts, f"the seeds {config.seeds.source}")
    if config.iterations and config.writes_instructions and not without_context(data.seeds.ift):
        raise UsageError(
            f"All {len(data.seeds.ift)} demonstrations of the seeds {config.seeds.source} have a context, and the "
            "model that writes new instructions is shown demonstrations that stand alone. Add some without a context."
        )


def check_prompt_lengths(
    config: TrainConfig, tokenizer: Any, folder: Path, judge: PointwiseJudge, prompts: Sequence[Prompt]
) -> None:
    """Check that the prompts of a file fit into the model's context.

    Raises:
        UsageError: they do not.
    """
    limit = context_length(read_config(folder))
    if config.engine == "vllm" or config.model.startswith("vllm:"):
        limit = min(limit, config.vllm.max_model_len or limit)
    require_room(
        ChatTokenizer(tokenizer, name=config.model),
        config.model,
        limit,
        prompts,
        config.instructions.source,
        judge if any(part.source == JUDGE for part in config.reward) else None,
        config.candidate_sampling.max_tokens,
    )
