"""The model at which the loop starts, and the settings that have no effect there.

The paper (arXiv 2401.10020, section 2.4) starts at a base model, and makes M1 of it by supervised fine-tuning on
demonstrations (IFT) and judgements (EFT). An instruct model answers and judges already: it can be M1 as it is, or be
fine-tuned to judge alone, as Meta-Rewarding does with Llama 3 8B Instruct (arXiv 2407.19594).
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from srlm.config.data import SeedsConfig
from srlm.config.finetune import SFTConfig

if TYPE_CHECKING:
    from srlm.config import TrainConfig

Start = Literal["base", "instruct", "judge"]


def without_default_seeds(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run whose `seeds.source` is null if it starts at an instruct model and names none."""
    found, seeds = dict(settings), settings.get("seeds", {})
    if found.get("start") == "instruct" and isinstance(seeds, Mapping):
        found["seeds"] = {"source": None, **seeds}
    return found


def require_seeds(config: "TrainConfig") -> None:
    """Check that there is seed data for everything that reads it, and that something reads the seed data.

    Raises:
        ValueError: it is missing, or has no effect.
    """
    few_shot, held_out = config.writes_instructions, config.dpo.stopping.judge is not None
    read = few_shot or held_out or config.instructions.filters
    if config.start != "instruct":
        if config.seeds.source is None:
            raise ValueError(f"start is {config.start}, which needs seed data, and seeds.source is null")
    elif config.seeds.source is None and few_shot:
        raise ValueError(
            "start is instruct, so there is no seed data, and new instructions are written from few-shot examples, "
            "which are seed data. Name your prompts, a file or a data set, in instructions.source; or seed data for "
            "the examples in seeds.source (embedded, a folder, or oasst:OWNER/NAME)"
        )
    elif config.seeds.source is None and held_out:
        raise ValueError(
            "start is instruct, so there is no seed data, and dpo.stopping.judge compares answers to its held-out "
            "instructions: name seed data in seeds.source (embedded, a folder, or oasst:OWNER/NAME)"
        )
    elif config.seeds.source is not None and not read:
        raise ValueError(
            "start is instruct, so no model is trained on seed data, and seeds.source has no effect: leave it out. "
            "Ranked answers to measure a judge on are an option of the evaluation: srlm eval --suite reward --ranked"
        )


def require_effect(config: "TrainConfig") -> None:
    """Check that no setting is changed that has no effect where the loop starts.

    Raises:
        ValueError: one is; the message names it.
    """
    if config.start == "judge" and not config.seeds.eft:
        raise ValueError("start is judge, which trains M1 on EFT alone, and seeds.eft is false: one excludes the other")
    setting = next(_without_effect(config), None)
    if setting is not None:
        reason = {"instruct": "M1 is the given model", "judge": "M1 is trained on EFT alone"}[config.start]
        raise ValueError(
            f"start is {config.start}, so {reason}, and {setting} has no effect: leave it out, or build on preset: "
            "instruct if another preset sets it"
        )


def _without_effect(config: "TrainConfig") -> Iterator[str]:
    """Yield the settings that have no effect and differ from their defaults."""
    if config.start == "base":
        return
    demonstrations = config.writes_instructions or config.instructions.filters  # read, not trained on
    seeds = {"ift_repeats"} | (set() if demonstrations and config.seeds.source else {"ift_limit"})
    if config.start == "instruct":
        seeds |= {"eft_source", "eft", "eft_targets", "eft_limit", "ranked_limit"}
        seeds |= set() if config.seeds.source else {"validation_limit"}
        if config.learn_from != "positives":
            unset = SFTConfig(baseline=config.sft.baseline)
            yield from (f"sft.{name}" for name, value in config.sft if value != getattr(unset, name))
        if config.dpo.replay:
            yield "dpo.replay"
        if config.pairs.rejected_from != "current" and config.iterations < 2:
            yield f"pairs.rejected_from={config.pairs.rejected_from}"
    yield from (
        f"seeds.{name}" for name in sorted(seeds) if getattr(config.seeds, name) != getattr(SeedsConfig(), name)
    )
