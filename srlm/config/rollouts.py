"""Settings of reinforcement learning from self reward (RLSR, arXiv 2505.08827), with learn_from=rollouts.

`grpo`: the optimisation, group-relative policy optimisation (GRPO, arXiv 2402.03300) under the names of TRL's
GRPOConfig. `rollouts`: the task, who judges its answers and how.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from srlm.config.finetune import TuningConfig
from srlm.config.section import Section

GRPOLoss = Literal["grpo", "dapo", "dr_grpo", "bnpo"]
"""Values of TRL's `loss_type`: how the losses of tokens are averaged."""


class GRPOConfig(TuningConfig):
    """Group-relative policy optimisation of M_t by TRL's GRPOTrainer."""

    steps: int = Field(200, ge=1, description="optimiser steps of an iteration (TRL's max_steps)")
    learning_rate: float = Field(1e-6, gt=0, description="peak; constant after the warm-up")
    min_lr_rate: ClassVar[float] = 1.0
    """Last learning rate over the peak, a setting of the other trainings."""
    batch_size: int = Field(64, ge=2, description="answers per optimiser step, over all processes: whole groups")
    fixed_micro_batch: ClassVar[int] = 16
    num_generations: int = Field(8, ge=2, description="answers to one problem, whose rewards are compared: the group")
    max_completion_length: int = Field(256, ge=1, description="maximum number of tokens per answer")
    temperature: float = Field(1.0, gt=0, description="of the answers")
    top_p: float = Field(1.0, gt=0, le=1, description="of the answers: probability mass of nucleus sampling")
    num_iterations: int = Field(1, ge=1, description="optimiser steps on the same answers")
    epsilon: float = Field(0.2, gt=0, lt=1, description="clip of the probability ratio")
    beta: float = Field(
        0.0,
        ge=0,
        description="weight of the KL divergence from M_t, times the ratio (2512.02556); 0: no reference model",
    )
    loss_type: GRPOLoss = Field(
        "dapo", description="average of the tokens' losses: dapo, grpo, dr_grpo or bnpo (TRL's documentation)"
    )
    scale_rewards: Literal["group", "batch", "none"] = Field(
        "group", description="standard deviation by which advantages are divided: of the group, of the batch, or none"
    )
    mask_truncated_completions: bool = Field(
        False, description="leave answers that were cut at their length out of the loss"
    )
    warmup_ratio: float = Field(0.05, ge=0, lt=1, description="share of the steps with a rising learning rate")
    dropout: float = Field(0, ge=0, lt=1, description="0, because dropout changes the ratio of probabilities")
    use_vllm: Literal["colocate", "server"] | None = Field(
        None, description="vLLM writes the answers, in TRL's process (colocate) or on its server; null: transformers"
    )
    save_steps: int = Field(20, ge=0, description="optimiser steps between two checkpoints to resume from; 0: none")

    @model_validator(mode="after")
    def _whole_groups(self) -> "GRPOConfig":
        if self.batch_size % self.num_generations:
            raise ValueError(
                f"batch_size, {self.batch_size}, must be a multiple of num_generations, {self.num_generations}, so "
                "that every group is whole"
            )
        return self


def _bounds(value: tuple[float, float]) -> tuple[float, float]:
    if not value[0] < value[1]:
        raise ValueError(f"the lower bound, {value[0]}, must be below the upper one, {value[1]}")
    return value


Bounds = Annotated[tuple[float, float], AfterValidator(_bounds)]


class RolloutsConfig(Section):
    """The task of the rollouts, and the judge that rewards them. The rubric and its votes are those of `judge`."""

    task: str = Field(
        "puzzle",
        description=(
            "puzzle, countdown, integration, arithmetic, or a Python file with problems(), prompt(), extract() and "
            "optionally check() (docs/howto/own_task.md)"
        ),
    )
    problems: int = Field(1000, ge=1, description="problems that an iteration draws from; each may come several times")
    numbers: Literal["exactly once", "at most once"] = Field(
        "exactly once",
        description="countdown: how often a number may be used; TinyZero and reasoning-gym: exactly once",
    )
    sizes: tuple[Annotated[int, Field(ge=2, le=6)], ...] = Field(
        (3, 4), min_length=1, description="countdown: how many numbers the problems have, in turn; TinyZero: 3 and 4"
    )
    judged_by: str = Field(
        "current",
        description=(
            "who rewards the answers, where reward has judge. current: the policy with its weights of that step; M_t: "
            "the model that the iteration started from; else a model of the run, a path, hf:NAME or one behind a server"
        ),
    )
    shows: Literal["answer", "work"] = Field(
        "work", description="what the judge sees: the extracted answer alone, or the whole work"
    )
    vote: Literal["mean", "majority"] = Field(
        "mean", description="reward of judge.samples verdicts: their mean, or the most frequent score"
    )
    max_unread: float = Field(
        0.5, ge=0, le=1, description="share of answers without a reward at which a step ends the training"
    )
    right_from: float | None = Field(
        None,
        description=(
            "reward, in points, from which an answer counts as judged right in the audit; null: half a point below "
            "the highest score of the rubric, or none where reward has another source with a weight"
        ),
    )
    difficulty: Bounds | None = Field(
        None,
        description=(
            "keep the problems for which the mean reward of M_t's answers lies strictly between these two, in points; "
            "null: all"
        ),
    )
