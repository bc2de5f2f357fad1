"""The specification of a training as data, serialisable to JSON, so that it runs here or in processes of its own."""

from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from srlm.config import Tracker
from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.config.rollouts import GRPOConfig
from srlm.tasks.task import Problem
from srlm.types import PreferencePair, SFTExample
from trainer.finetune.tokenize import ThoughtsSetting
from trainer.rollouts.settings import RewardSettings


def optimiser_steps(examples: int, config: SFTConfig | DPOConfig) -> int:
    """Return the number of optimiser steps of a training on so many examples or pairs."""
    return max(1, ceil(ceil(examples / config.batch_size) * config.epochs))


@dataclass(frozen=True)
class SFTJob:
    """Supervised fine-tuning of the checkpoint `start` on examples; the result is written to `folder`."""

    start: Path
    folder: Path
    examples: tuple[SFTExample, ...]
    config: SFTConfig
    device: str
    dtype: str
    seed: int
    label: str
    report_to: tuple[Tracker, ...] = field(default=(), kw_only=True)
    thoughts: ThoughtsSetting = field(default="drop", kw_only=True)
    kind: Literal["sft"] = field(default="sft", kw_only=True)

    @property
    def steps(self) -> int:
        """Return the number of optimiser steps, provided that no example exceeds `max_length`."""
        return optimiser_steps(len(self.examples), self.config)


@dataclass(frozen=True)
class DPOJob:
    """DPO of the checkpoint `start` on preference pairs; the result is written to `folder`.

    Attributes:
        replay: supervised examples that are mixed into the optimiser steps.
        consistency: weight of the unflipped pairs, where `label_smoothing` is "agreement".
        written: full generated text of an answer by its id, where its reasoning is trained on too.
    """

    start: Path
    folder: Path
    pairs: tuple[PreferencePair, ...]
    replay: tuple[SFTExample, ...]
    config: DPOConfig
    device: str
    dtype: str
    seed: int
    label: str
    consistency: float = field(default=1, kw_only=True)
    report_to: tuple[Tracker, ...] = field(default=(), kw_only=True)
    thoughts: ThoughtsSetting = field(default="drop", kw_only=True)
    written: dict[str, str] = field(default_factory=dict, kw_only=True)
    kind: Literal["dpo"] = field(default="dpo", kw_only=True)

    @property
    def steps(self) -> int:
        """Return the number of optimiser steps, provided that every pair fits into `max_length`."""
        return optimiser_steps(len(self.pairs), self.config)


@dataclass(frozen=True)
class GRPOJob:
    """GRPO of the checkpoint `start` on answers that it writes to problems; the result is written to `folder`."""

    start: Path
    folder: Path
    problems: tuple[Problem, ...]
    config: GRPOConfig
    rewards: RewardSettings
    device: str
    dtype: str
    seed: int
    label: str
    report_to: tuple[Tracker, ...] = field(default=(), kw_only=True)
    thoughts: ThoughtsSetting = field(default="drop", kw_only=True)
    kind: Literal["grpo"] = field(default="grpo", kw_only=True)

    @property
    def steps(self) -> int:
        """Return the number of optimiser steps."""
        return self.config.steps


Job: TypeAlias = SFTJob | DPOJob | GRPOJob
JOB: TypeAdapter[Job] = TypeAdapter(Annotated[Job, Field(discriminator="kind")])
