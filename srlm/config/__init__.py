"""Configuration of a run: one module per section, with one line of doc per setting; unknown keys are refused.

    start.py        start, and what it excludes  finetune.py     sft, dpo, and their lora, stopping
    data.py         seeds                        monitor.py      thresholds of the training monitor
    generation.py   instructions                 rewards.py      reward
    preferences.py  judge, pairs, positives      vllm.py         the vLLM engine
    rollouts.py     rollouts, grpo

Defaults are the paper's (arXiv 2401.10020, sections 2 and 3.1) where it has the setting; else the doc says so. Presets,
files and `--set` are read by `srlm/config_file.py`; docs/reference/settings.md is made from the descriptions.
"""

import shlex
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from srlm.config.data import SeedsConfig
from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.config.generation import InstructionsConfig
from srlm.config.monitor import MonitorConfig
from srlm.config.preferences import JudgeConfig, PairsConfig, PositivesConfig
from srlm.config.rewards import JUDGE_ALONE, Rewards
from srlm.config.rollouts import GRPOConfig, RolloutsConfig
from srlm.config.section import OneOrSeveral, SamplingConfig, Section
from srlm.config.start import Start, require_effect, require_seeds, without_default_seeds
from srlm.config.vllm import VLLMConfig
from srlm.countdown.task import COUNTDOWN
from srlm.seeding import seed_in_name
from srlm.task_seed import with_task_seed

Tracker = Literal["tensorboard", "wandb"]
"""An experiment tracker, by transformers' name for it (`report_to`)."""


class TrainConfig(Section):
    """Configuration of a run of the self-rewarding loop."""

    model: str = Field(description="M0: a path, hf:NAME, smollm2 (the packaged one), or puzzle (random weights)")
    start: Start = Field(
        "base",
        description=(
            "how M0 becomes M1. base: by SFT on demonstrations and judgements, IFT + EFT (the paper); instruct: M1 is "
            "the given model, an instruct model, and nothing is trained before the first iteration; judge: by SFT on "
            "EFT alone, as Meta-Rewarding (2407.19594) starts from an instruct model (docs/howto/own_model.md)"
        ),
    )
    iterations: int = Field(2, ge=0, description="iterations of DPO after M1; the paper's 2 give M3")
    seed: int = Field(0, ge=0, description="all random numbers of the run derive from it")
    engine: Literal["auto", "hf", "vllm"] = Field(
        "auto",
        description=(
            "inference backend of generation and judging: hf (transformers), vllm (for GPUs), or auto: vllm where CUDA "
            "and vLLM are there, else hf. A run keeps the one it began with (docs/howto/engines.md); TRL trains"
        ),
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1 or mps")
    launcher: str | None = Field(
        None,
        description=(
            "how the processes of a training are started (docs/explain/scale.md). null: on CUDA one for each visible "
            "GPU (DDP), else training runs in this process; ddp, fsdp or deepspeed: a recipe for accelerate, with "
            "options of accelerate launch after it; anything else: a command such as torchrun --nproc-per-node 4"
        ),
    )
    report_to: Annotated[tuple[Tracker, ...], OneOrSeveral] = Field(
        (),
        description=(
            "experiment trackers to log trainings, monitor and evaluations to: tensorboard, wandb, or both as "
            "[tensorboard, wandb] (docs/howto/trackers.md)"
        ),
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="precision of generation and of the passes of a training, whose master weights are float32",
    )
    batch_tokens: int | None = Field(
        None,
        ge=256,
        description="tokens of prompts and answers in a batch of generation; null: as many as the memory allows",
    )
    thoughts: Literal["drop", "keep"] = Field(
        "drop",
        description=(
            "reasoning before an answer. drop: the run's models answer without reasoning and learn answers alone; "
            "keep: they reason, and learn reasoning and answer; no effect where the chat template has no reasoning "
            "(not in the paper)"
        ),
    )
    candidates: int = Field(4, ge=2, description="answers per new instruction; the paper's N = 4")
    candidate_sampling: SamplingConfig = Field(SamplingConfig(), description="the paper's 0.7 and 0.9")
    seeds: SeedsConfig = SeedsConfig()
    sft: SFTConfig = SFTConfig()
    instructions: InstructionsConfig = InstructionsConfig()
    reward: Rewards = Field(
        "judge",
        validate_default=True,
        description=(
            "source of the rewards that select the training data. judge: the model itself, by judge.* (the paper); "
            "FILE.py:FUNCTION: a program; hf:OWNER/NAME or a folder: a reward model; a list with source, weight, "
            "veto_below: several (docs/howto/own_reward.md)"
        ),
    )
    judge: JudgeConfig = JudgeConfig()
    learn_from: Literal["pairs", "positives", "rollouts"] = Field(
        "pairs",
        description=(
            "how an iteration learns. pairs: DPO of M_t on preference pairs (the paper); positives: SFT of M0 on M1's "
            "training data and the best answers (the paper's A.4, which found no gain in it); rollouts: GRPO of M_t on "
            "answers that it writes and judges as it learns (RLSR, arXiv 2505.08827; docs/explain/rlsr.md)"
        ),
    )
    pairs: PairsConfig = PairsConfig()
    positives: PositivesConfig = PositivesConfig()
    dpo: DPOConfig = DPOConfig()
    rollouts: RolloutsConfig = RolloutsConfig()
    grpo: GRPOConfig = GRPOConfig()
    monitor: MonitorConfig = MonitorConfig()
    vllm: VLLMConfig = VLLMConfig()

    @property
    def trains_baseline(self) -> bool:
        """Return true if the SFT baseline, M0 trained on IFT alone, is a model of its own."""
        return self.start == "base" and self.sft.baseline and self.seeds.eft

    @property
    def writes_instructions(self) -> bool:
        """Return true if a model writes the instructions, from few-shot examples of the seed data."""
        return self.learn_from != "rollouts" and self.instructions.source == "written"

    @property
    def trained_models(self) -> list[str]:
        """Return the names of the models that the run trains, in that order."""
        baseline, first = ["SFT"] * self.trains_baseline, ["M1"] * (self.start != "instruct")
        return [*baseline, *first, *(f"M{number}" for number in range(2, self.iterations + 2))]

    @field_validator("launcher")
    @classmethod
    def _is_a_command(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise ValueError(f"is not a shell command ({str(error).lower()})") from None
        if not words or not words[0]:
            raise ValueError("is empty; leave it out to train in this process")
        if "\0" in value:
            raise ValueError("contains a NUL character")
        return value

    @model_validator(mode="before")
    @classmethod
    def _task_of_the_seed(cls, data: Any) -> Any:
        return with_task_seed(data) if isinstance(data, dict) else data  # anything else is refused next

    @model_validator(mode="before")
    @classmethod
    def _seeds_of_the_start(cls, data: Any) -> Any:
        return without_default_seeds(data) if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _start_fits(self) -> "TrainConfig":
        require_seeds(self)
        require_effect(self)
        return self

    @model_validator(mode="after")
    def _word_limits_fit(self) -> "TrainConfig":
        if self.instructions.min_words > self.instructions.max_words:
            raise ValueError("instructions.min_words is above instructions.max_words, so no instruction could pass")
        return self

    @model_validator(mode="after")
    def _agreement_has_an_effect(self) -> "TrainConfig":
        wanted = {
            "pairs.agreement=implicit": self.pairs.agreement == "implicit",
            "dpo.label_smoothing=agreement": self.dpo.label_smoothing == "agreement",
        }
        for setting in (name for name, given in wanted.items() if given and self.iterations < 2):
            raise ValueError(
                f"{setting} begins with the second iteration, but iterations is {self.iterations}: it would have no "
                "effect"
            )
        if self.dpo.label_smoothing == "agreement" and self.start == "instruct" and self.iterations < 3:
            raise ValueError(
                "dpo.label_smoothing=agreement compares models that were trained, and with start=instruct M1 was not: "
                f"it begins with the third iteration, but iterations is {self.iterations}"
            )
        return self

    @model_validator(mode="after")
    def _judges_exist(self) -> "TrainConfig":
        if self.pairs.scored_by == "frozen" and self.judge.frozen is None:
            raise ValueError("pairs.scored_by is frozen, but judge.frozen is not set")
        if self.pairs.scored_by == "frozen" and self.reward != JUDGE_ALONE:
            raise ValueError(
                "pairs.scored_by is frozen, so the pairs are selected by judge.frozen and reward would have no effect; "
                "leave out one of the two"
            )
        if self.judge.frozen == "SFT" and not self.trains_baseline:
            raise ValueError(
                "judge.frozen is SFT, but no model SFT is trained: that needs start=base, sft.baseline and seeds.eft "
                "(without EFT, M1 is the SFT baseline)"
            )
        return self

    @model_validator(mode="after")
    def _pairs_are_used(self) -> "TrainConfig":
        choice = self.pairs.model_copy(update={"scored_by": "current"})
        changed = [name for name, value in choice if value != getattr(PairsConfig(), name)]
        if self.learn_from != "pairs" and changed:
            raise ValueError(
                f"learn_from is {self.learn_from}, so there are no pairs and pairs.{changed[0]} has no effect; leave "
                "it out"
            )
        return self

    @model_validator(mode="after")
    def _rollouts_are_rewarded(self) -> "TrainConfig":
        if self.learn_from == "rollouts" and self.judge.frozen is not None:
            raise ValueError(
                "judge.frozen scores candidates, and learn_from=rollouts has none: name the judge of the rollouts in "
                "rollouts.judged_by, and leave out judge.frozen"
            )
        return self

    @model_validator(mode="after")
    def _seeds_have_the_rule(self) -> "TrainConfig":
        rule, wanted = self.rollouts.numbers, self.learn_from == "rollouts" and self.rollouts.task == COUNTDOWN
        sources = (self.seeds.source, self.seeds.eft_source)
        taught = any(seed_in_name(COUNTDOWN, one or "") is not None for one in sources)
        if wanted and taught and rule != "exactly once":
            raise ValueError(
                f"rollouts.numbers is {rule}, and the seed data countdown teaches the rule exactly once: the judge "
                "would refuse right answers. Set rollouts.numbers to exactly once, or take other seed data"
            )
        return self

    @model_validator(mode="after")
    def _checkpoints_can_be_compared(self) -> "TrainConfig":
        if self.dpo.stopping.judge is not None and self.learn_from != "pairs":
            raise ValueError(f"dpo.stopping.judge compares checkpoints of DPO, but learn_from is {self.learn_from}")
        if self.dpo.stopping.judge is not None and self.dpo.lora.rank:
            raise ValueError(
                "dpo.stopping.judge compares whole models, but dpo.lora.rank trains adapters, which are merged only "
                "at the end; leave out one of the two"
            )
        return self
