"""A training as data: what `trainer/finetune/sft.py` and `trainer/finetune/dpo.py` are given, here or in processes of their own."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from srlm.config import Tracker
from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.types import PreferencePair
from trainer.data.sft_examples import Example
from trainer.finetune.tokenize import Learned
from trainer.finetune.trl_common import optimiser_steps


@dataclass(frozen=True)
class Supervision:
    """Supervised tuning of the checkpoint `start` on examples; the result goes to `folder`."""

    start: Path
    folder: Path
    examples: tuple[Example, ...]
    config: SFTConfig
    device: str
    dtype: str
    seed: int
    label: str
    report_to: tuple[Tracker, ...] = field(default=(), kw_only=True)
    thoughts: Learned = field(default="drop", kw_only=True)
    kind: Literal["sft"] = field(default="sft", kw_only=True)

    @property
    def steps(self) -> int:
        """Optimiser steps, if no example is too long."""
        return optimiser_steps(len(self.examples), self.config)


@dataclass(frozen=True)
class Preference:
    """Preference tuning of the checkpoint `start` on pairs, with examples to replay; the result goes to `folder`.

    `consistency` is the weight of the pairs as they are, where labels are smoothed by agreement. `written` holds
    all that was written for an answer, by its id, where thoughts are learned too.
    """

    start: Path
    folder: Path
    pairs: tuple[PreferencePair, ...]
    replay: tuple[Example, ...]
    config: DPOConfig
    device: str
    dtype: str
    seed: int
    label: str
    consistency: float = field(default=1, kw_only=True)
    report_to: tuple[Tracker, ...] = field(default=(), kw_only=True)
    thoughts: Learned = field(default="drop", kw_only=True)
    written: dict[str, str] = field(default_factory=dict, kw_only=True)
    kind: Literal["dpo"] = field(default="dpo", kw_only=True)

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        return optimiser_steps(len(self.pairs), self.config)


Job = Annotated[Supervision | Preference, Field(discriminator="kind")]
JOB: TypeAdapter[Supervision | Preference] = TypeAdapter(Job)
