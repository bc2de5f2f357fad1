"""Settings of the two trainings: supervised fine-tuning (SFT) and direct preference optimisation (DPO).

Names are those of transformers' TrainingArguments and of TRL where these have the setting.
"""

from math import nan
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, field_validator, model_validator

from srlm.config.section import Section

Decay = Annotated[float, Field(ge=0, lt=1)]
"""Decay rate of a moving average in AdamW."""


class LoraConfig(Section):
    """Low-rank adapters of all linear layers in place of full fine-tuning (Hu et al., arXiv 2106.09685)."""

    rank: int = Field(0, ge=0, description="0: full fine-tuning, as in the paper")
    alpha: int = Field(
        32, gt=0, description="adapters are scaled by alpha / rank; they are merged when the training ends"
    )


class TuningConfig(Section):
    """Settings that SFT and DPO share. The optimiser is AdamW; gradients are clipped at norm 1."""

    gradient_checkpointing: bool = Field(
        True, description="recompute activations in the backward pass: less memory, and a third more time"
    )
    fixed_micro_batch: ClassVar[int] = 8
    """Value of `per_device_train_batch_size: auto` on devices other than CUDA."""

    per_device_train_batch_size: int | Literal["auto"] = Field(
        "auto",
        description=(
            "maximum number of examples in memory at once, per process; the rest of a batch is accumulated. auto: on "
            "CUDA as many as fit into the GPU's memory, and half as many after an out-of-memory error, else 8"
        ),
    )
    warmup_ratio: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of the steps with a rising learning rate (not in the paper; AdamW's first steps are noisy)",
    )
    dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description=(
            "the paper's 0.1, applied wherever the architecture has dropout (the paper does not say where); in Llama "
            "and similar models, on the attention weights; 0 in generation and in the reference model"
        ),
    )
    weight_decay: float = Field(
        0, ge=0, description="of AdamW (not in the paper; negligible at such learning rates and step counts)"
    )
    betas: tuple[Decay, Decay] = Field((0.9, 0.999), description="of AdamW (not in the paper; the default of TRL)")
    lora: LoraConfig = LoraConfig()
    save_steps: int = Field(
        200,
        ge=0,
        description=(
            "optimiser steps between two checkpoints to resume from; the paper's 200. One is kept, and none after the "
            "training; 0: none"
        ),
    )

    @field_validator("per_device_train_batch_size", mode="plain")
    @classmethod
    def _number_or_auto(cls, value: Any) -> int | Literal["auto"]:
        if value == "auto":
            return "auto"
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError("a number from 1 up, or auto, is expected")
        return value


class SFTConfig(TuningConfig):
    """Supervised fine-tuning of M0: on IFT alone (the SFT baseline), and on IFT + EFT (M1)."""

    learning_rate: float = Field(5.5e-6, gt=0, description="peak of the cosine schedule; the paper's 5.5e-6")
    min_lr_rate: float = Field(
        0.2, ge=0, le=1, description="last learning rate over the peak; the paper's 1.1e-6 / 5.5e-6"
    )
    batch_size: int = Field(16, ge=1, description="examples per optimiser step, over all processes; the paper's 16")
    epochs: float = Field(1, gt=0, description="passes over the data (not in the paper)")
    max_length: int = Field(
        2048, ge=16, description="tokens of instruction and answer; longer examples are dropped and counted"
    )
    group_by_length: bool = Field(
        True,
        description=(
            "batches of examples of similar length, which saves a third of the tokens (padding); false: batches mix "
            "IFT and EFT examples, which differ in length"
        ),
    )
    baseline: bool = Field(True, description="also train the SFT baseline, on IFT alone")


class StoppingConfig(Section):
    """Early stopping of DPO by an external judge, as in the paper; off unless a judge is given."""

    judge: str | None = Field(
        None,
        description=(
            "judge that compares the answers of successive checkpoints, in both orders: smollm2, a path, hf:NAME, or "
            "a model behind a server (the paper: Claude 2); null: no early stopping"
        ),
    )
    every: int = Field(200, ge=1, description="optimiser steps between two such checkpoints; the paper's 200")
    prompts: int = Field(
        253,
        ge=1,
        description="maximum number of held-out ranked instructions to answer; the paper has 253 of its own",
    )


Loss = Literal[
    "sigmoid",
    "sigmoid_norm",
    "hinge",
    "ipo",
    "robust",
    "exo_pair",
    "nca_pair",
    "bco_pair",
    "sppo_hard",
    "apo_zero",
    "apo_down",
    "discopop",
]
"""A loss of a preference pair, by TRL's name for it (`loss_type` of its DPOConfig)."""

BATCH_DEPENDENT = {
    "aot": "it sorts the pairs that are in memory at once",
    "aot_unpaired": "it sorts the answers that are in memory at once",
    "sft": "it is a mean over the tokens in memory at once; dpo.nll_coef adds the same term without that, and "
    "learn_from=positives trains on best answers alone",
}
"""TRL's losses whose value depends on the micro-batch, with the reason."""

SMOOTHED = ("sigmoid", "robust", "exo_pair")
"""Losses with a label smoothing; each has its own meaning of it."""


class DPOConfig(TuningConfig):
    """Direct preference optimisation from M_t to M_t+1, with M_t as the reference model."""

    loss: Loss = Field(
        "sigmoid",
        description=(
            "loss of a pair, by TRL's name: sigmoid is DPO (the paper), sigmoid_norm its mean over tokens; hinge "
            "(SLiC, 2305.10425), ipo (2310.12036), robust (2403.00409), exo_pair (2402.00856), nca_pair (2402.05369), "
            "bco_pair (2404.04656), sppo_hard (2405.00675), apo_zero and apo_down (2408.06266), discopop (2406.08414)"
        ),
    )
    beta: float = Field(
        0.1,
        gt=0,
        description=(
            "strength of the KL penalty to the reference model; the paper's 0.1. With the loss ipo it is that paper's "
            "tau, with sppo_hard 1 / eta"
        ),
    )
    learning_rate: float = Field(1e-6, gt=0, description="peak of the cosine schedule; the paper's 1e-6")
    min_lr_rate: float = Field(0.1, ge=0, le=1, description="last learning rate over the peak; the paper's 1e-7 / 1e-6")
    batch_size: int = Field(16, ge=1, description="pairs per optimiser step, over all processes; the paper's 16")
    fixed_micro_batch: ClassVar[int] = 4
    per_device_train_batch_size: int | Literal["auto"] = Field(
        "auto",
        description=(
            "maximum number of pairs in memory at once, per process; the rest of a batch is accumulated. auto: on CUDA "
            "as many as fit into the GPU's memory, and half as many after an out-of-memory error, else 4"
        ),
    )
    epochs: float = Field(
        1, gt=0, description="passes over the pairs (not in the paper, which has early stopping by an external judge)"
    )
    max_length: int = Field(2048, ge=16, description="tokens of instruction and answer; TRL truncates longer pairs")
    nll_coef: float = Field(
        0,
        ge=0,
        description=(
            "weight of the chosen answer's negative log-likelihood, added to the DPO loss: the mean over its tokens, "
            "then over the pairs (Iterative RPO, 2404.19733, takes 1; the paper has none)"
        ),
    )
    replay: int = Field(
        0,
        ge=0,
        description=(
            "EFT judgements of M1's training to add to the pairs of each optimiser step, with the SFT loss, the mean "
            "over their tokens (not in the paper)"
        ),
    )
    label_smoothing: int | float | Literal["agreement"] = Field(
        0,
        description=(
            "weight of the flipped pair, taken from the pair's own: a number below 0.5 (conservative DPO), or "
            "agreement: from the second iteration on, computed per iteration from how similarly M_t and the model "
            "before it rank the candidates by their likelihood against M0 (CREAM, 2410.12735; not in the paper). The "
            "loss robust takes the share of wrong labels here (its paper: 0.1), exo_pair its epsilon (1e-3); both need "
            "one, and other losses than these and sigmoid have none"
        ),
    )
    stopping: StoppingConfig = StoppingConfig()

    @field_validator("label_smoothing", mode="plain")
    @classmethod
    def _number_or_agreement(cls, value: Any) -> float | Literal["agreement"]:
        if value == "agreement":
            return "agreement"
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = nan
        if not 0 <= number < 0.5:
            raise ValueError("a number from 0 up to below 0.5, or agreement, is expected")
        return number

    @field_validator("loss", mode="before")
    @classmethod
    def _does_not_depend_on_the_micro_batch(cls, value: Any) -> Any:
        if value in get_args(Loss):
            return value
        why = ""
        if isinstance(value, str) and value in BATCH_DEPENDENT:
            why = (
                f"{value} would give another model for another dpo.per_device_train_batch_size, because "
                f"{BATCH_DEPENDENT[value]}. "
            )
        raise ValueError(f"{why}One of TRL's losses of a pair is expected: {', '.join(get_args(Loss))}")

    @model_validator(mode="after")
    def _smoothing_has_a_meaning(self) -> "DPOConfig":
        smoothing, loss = self.label_smoothing, self.loss
        if smoothing and loss not in SMOOTHED:
            raise ValueError(
                f"label_smoothing has no effect on the loss {loss}; leave it out, or set one of the losses that have "
                f"it: {', '.join(SMOOTHED)}"
            )
        if loss != "sigmoid" and smoothing == "agreement":
            raise ValueError(
                f"label_smoothing=agreement (CREAM) is defined for the loss sigmoid; give a number with {loss}"
            )
        if loss == "robust" and not smoothing:
            raise ValueError(
                "the loss robust needs label_smoothing, the share of wrong labels that it corrects for, such as 0.1; "
                "with 0 it is sigmoid"
            )
        if loss == "exo_pair" and not smoothing:
            raise ValueError("the loss exo_pair needs a label_smoothing above 0; its paper (2402.00856) has 1e-3")
        return self
