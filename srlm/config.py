"""The configuration of a run: data with one line of doc per field; unknown keys are refused.

How a preset, a user's file and `--set` become one is in `srlm/config_file.py`. Defaults are the paper's (arXiv
2401.10020, sections 2 and 3.1) where it says; where it does not, the doc says so.
"""

import shlex
from math import nan
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from srlm.puzzle.task import PUZZLE
from srlm.types import Sampling


class Section(BaseModel):
    """A part of the configuration: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Tracker = Literal["tensorboard", "wandb"]
"""As transformers' `report_to` calls them."""

Decay = Annotated[float, Field(ge=0, lt=1)]


class SeedsConfig(Section):
    """Where the human seeds come from."""

    source: str = Field(
        "embedded", description="embedded, a folder with ift.jsonl and eft.jsonl, oasst:NAME_OR_PATH, or puzzle"
    )
    eft_source: str | None = Field(None, description="another source for the EFT training part; the same, if not given")
    eft: bool = Field(
        True,
        description="false: M1 learns from IFT alone and is the SFT baseline, where the paper's M'2 and M'3 start",
    )
    ift_limit: int | None = Field(
        None, ge=1, description="use at most so many IFT demonstrations, spread over their kinds"
    )
    ranked_limit: int | None = Field(
        None,
        ge=1,
        description="use at most so many ranked instructions for EFT; matters where M0 must judge them first",
    )
    ift_repeats: int = Field(
        1, ge=1, description="how often M1 sees each demonstration in a pass, where they are few beside the judgements"
    )
    eft_targets: Literal["judgements", "ranks"] = Field(
        "judgements",
        description=(
            "what M1 learns to write as a judge. judgements: reasons and a score, by people or else by the SFT "
            "baseline, the paper; ranks: a score alone, spread over the rubric's scale from the best rank to the "
            "last, where M0 is too small to write judgements (then judge with judge.scoring=expected)"
        ),
    )
    eft_limit: int | None = Field(None, ge=1, description="use at most so many EFT judgements, spread over the scores")
    validation_limit: int | None = Field(None, ge=1, description="use at most so many held-out ranked instructions")


class SamplingConfig(Section):
    """How text is drawn."""

    temperature: float = Field(0.7, ge=0, description="0 is greedy; the paper's candidates use 0.7")
    top_p: float = Field(0.9, gt=0, le=1, description="nucleus mass; the paper uses 0.9")
    max_tokens: int = Field(512, ge=1, description="tokens per answer at the most (not in the paper)")

    def resolved(self, stop: tuple[str, ...] = ()) -> Sampling:
        """The same, as a request carries it."""
        return Sampling(self.temperature, self.top_p, self.max_tokens, stop)


class LoraConfig(Section):
    """Low-rank adapters beside all linear layers instead of new weights for all (Hu et al., arXiv 2106.09685)."""

    rank: int = Field(0, ge=0, description="0 tunes all weights, as the paper does")
    alpha: int = Field(
        32, gt=0, description="an adapter is scaled by alpha over rank; it is merged when a training ends"
    )


class TuningConfig(Section):
    """What both trainings have: the optimiser is AdamW, with gradients clipped at the norm 1."""

    gradient_checkpointing: bool = Field(
        True, description="compute activations again in the backward pass: less memory, and a third more time"
    )
    per_device_train_batch_size: int = Field(
        8, ge=1, description="examples held in memory at once; the rest is accumulated"
    )
    warmup_ratio: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of steps with a rising rate (not in the paper; AdamW's first steps rest on few gradients)",
    )
    dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description=(
            "the paper's 0.1, which does not say where: wherever the architecture has dropout, in Llama and its "
            "relatives on the attention weights; 0 in generation and in the reference"
        ),
    )
    weight_decay: float = Field(
        0, ge=0, description="of AdamW (not in the paper; at such rates and step counts it would move next to nothing)"
    )
    betas: tuple[Decay, Decay] = Field(
        (0.9, 0.999), description="of AdamW (not in the paper; the optimiser's own, as in TRL)"
    )
    lora: LoraConfig = LoraConfig()
    save_steps: int = Field(
        200,
        ge=0,
        description=(
            "write a checkpoint to go on from after each so many optimiser steps, as the paper does; one is kept, and "
            "none after the training's end; 0 writes none"
        ),
    )


class SFTConfig(TuningConfig):
    """Supervised fine-tuning of M0: on IFT alone (the SFT baseline), and on IFT + EFT (M1)."""

    learning_rate: float = Field(5.5e-6, gt=0, description="peak; the paper's 5.5e-6")
    min_lr_rate: float = Field(
        0.2, ge=0, le=1, description="end rate over peak of the cosine; the paper's 1.1e-6 / 5.5e-6"
    )
    batch_size: int = Field(16, ge=1, description="examples an optimiser step; the paper's 16")
    epochs: float = Field(1, gt=0, description="passes over the data (not in the paper)")
    max_length: int = Field(
        2048, ge=16, description="tokens of instruction and answer; longer examples are dropped and counted"
    )
    group_by_length: bool = Field(
        True,
        description=(
            "batches of like length: a third of the tokens would be padding otherwise; "
            "false: batches that mix answering and judging, which differ in length"
        ),
    )
    baseline: bool = Field(True, description="also train the SFT baseline, from IFT alone")


class StoppingConfig(Section):
    """Early stopping of a preference tuning by a judge from outside, as in the paper; off without a judge."""

    judge: str | None = Field(
        None,
        description=(
            "who compares the answers of successive checkpoints, in both orders: smollm2, a path, hf:NAME, or one "
            "behind a server (the paper: Claude 2); the last step is the model, if not given"
        ),
    )
    every: int = Field(200, ge=1, description="optimiser steps from one such checkpoint to the next; the paper's 200")
    prompts: int = Field(
        253, ge=1, description="answer at most so many of the held-out ranked instructions; the paper's 253, of its own"
    )


class DPOConfig(TuningConfig):
    """Direct preference optimisation from M_t to M_t+1, with M_t as the reference."""

    beta: float = Field(0.1, gt=0, description="strength of the tie to the reference; the paper's 0.1")
    learning_rate: float = Field(1e-6, gt=0, description="peak; the paper's 1e-6")
    min_lr_rate: float = Field(0.1, ge=0, le=1, description="end rate over peak; the paper's 1e-7 / 1e-6")
    batch_size: int = Field(16, ge=1, description="pairs an optimiser step; the paper's 16")
    per_device_train_batch_size: int = Field(
        4, ge=1, description="pairs held in memory at once; the rest is accumulated"
    )
    epochs: float = Field(
        1, gt=0, description="passes over the pairs (not in the paper, which stops by an outside judge)"
    )
    max_length: int = Field(2048, ge=16, description="tokens of instruction and answer; TRL truncates longer pairs")
    nll_coef: float = Field(
        0,
        ge=0,
        description=(
            "weight of the chosen answer's negative log-likelihood beside the DPO loss: the mean over its tokens, "
            "then over the pairs (Iterative RPO, 2404.19733, takes 1; the paper has none)"
        ),
    )
    replay: int = Field(
        0,
        ge=0,
        description=(
            "EFT judgements of M1's training that go beside the pairs of each optimiser step, with the loss of "
            "supervised tuning, the mean over their tokens (not in the paper)"
        ),
    )
    label_smoothing: int | float | Literal["agreement"] = Field(
        0,
        description=(
            "weight of the flipped pair, whose complement the pair keeps: a number below 0.5 (conservative DPO), or "
            "agreement: from the second iteration on, found anew from how alike M_t and the model before it rank the "
            "candidates by their likelihood against M0 (CREAM, 2410.12735; not in the paper)"
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


class InstructionsConfig(Section):
    """Self-instruction creation: how many new instructions, by whom, from which shots, past which filters."""

    source: Literal["written", "puzzle"] = Field(
        "written", description="written: by a model, as the paper does; puzzle: made by code, for the learning test"
    )
    count: int = Field(
        4000, ge=1, description="instructions to accept per iteration (the paper's pairs: 3,964 and 6,942)"
    )
    writer: str = Field(
        "base",
        description=(
            "base: M0 writes them all, a fixed generator as in the paper; current: M_t does; "
            "or another fixed model: a path, hf:NAME, or one behind a server"
        ),
    )
    seed_shots: int = Field(6, ge=1, description="shots out of the IFT seeds; the paper's 6")
    generated_shots: int = Field(2, ge=0, description="shots out of instructions accepted before; the paper's 2")
    sampling: SamplingConfig = Field(
        SamplingConfig(temperature=0.6, max_tokens=160), description="the paper's 0.6 and 0.9"
    )
    rouge_limit: float = Field(
        0.7, gt=0, le=1, description="refuse above this ROUGE-L F against any seed or accepted instruction"
    )
    min_words: int = Field(4, ge=1, description="refuse shorter ones (Self-Instruct drops 3 words and fewer)")
    max_words: int = Field(150, ge=1, description="refuse longer ones")
    max_rounds: int = Field(20, ge=1, description="give up after so many rounds and go on with what there is")


class JudgeConfig(Section):
    """How M_t scores its own candidates."""

    rubric: str = Field(
        "additive", description="additive (0-5), levels (1-5), puzzle (0-5), or a Markdown file of your own"
    )
    scoring: Literal["sampled", "expected"] = Field(
        "sampled",
        description=(
            "sampled: words, then a score (the paper); "
            "expected: the mean over the digits' probabilities, one forward pass"
        ),
    )
    samples: int = Field(3, ge=1, description="verdicts per candidate, averaged; the paper's 3")
    sampling: SamplingConfig = Field(
        SamplingConfig(max_tokens=256), description="the paper's 0.7 and 0.9, as for candidates"
    )
    frozen: str | None = Field(
        None,
        description=(
            "a judge that stays the same, scoring the same candidates by the same rubric beside M_t: M0, SFT, M1, "
            "a path, hf:NAME, or one behind a server (not in the paper)"
        ),
    )
    least_mass: float = Field(
        0.001,
        ge=0,
        le=1,
        description=(
            "for expected: the share of its probability that the judge must give the digits; below it was about to say "
            "something else, and the verdict is not read"
        ),
    )


class PairsConfig(Section):
    """Which of the scored candidates become a preference pair. As in the paper unless changed."""

    scored_by: Literal["current", "frozen"] = Field(
        "current", description="whose rewards decide: current: M_t's own; frozen: those of judge.frozen"
    )
    min_gap: float = Field(
        0, ge=0, description="drop a pair whose rewards differ by less, in points (0: equal rewards alone, the paper)"
    )
    length_rho: float | None = Field(
        None,
        ge=0,
        le=0.49,
        description=(
            "take the shortest of those within this share of the reward range from the best, and the longest of those "
            "as near to the worst (Meta-Rewarding, 2407.19594: 0 to 0.4); best against worst, if not given"
        ),
    )
    rejected_from: Literal["current", "base", "M1"] = Field(
        "current",
        description=(
            "base or M1: that model answers too, and where its worst answer scores below M_t's worst it is the "
            "rejected one (Temporal Self-Rewarding, 2508.06026); current: M_t's answers alone, the paper"
        ),
    )
    agreement: Literal["implicit"] | None = Field(
        None,
        description=(
            "implicit: drop a pair whose rejected answer is the better one by M_t's implicit DPO reward, the change of "
            "its log-likelihood since the model before (SCIR, 2502.08922); from the second iteration on, for M1 does "
            "not come from DPO; pairs by the judge alone, if not given"
        ),
    )


class PositivesConfig(Section):
    """Which of the scored candidates are supervised examples, where learn_from is positives (the paper's A.4)."""

    min_reward: float | None = Field(
        None, description="the least reward of one, in points; the highest of the scale, the paper's 5, if not given"
    )
    weight: float = Field(
        1,
        gt=0,
        description=(
            "how often a pass shows each of them among the seeds' examples; below 1, that share of them (the paper "
            "tuned it and does not say to what)"
        ),
    )


class MonitorConfig(Section):
    """When an iteration's figures give a warning, or stop `srlm train --strict`. None of this is in the paper."""

    degenerate_answer_prompts: int = Field(
        4, ge=0, description="new instructions for which six worthless answers are judged too; 0: none"
    )
    min_degenerate_gap: float = Field(
        0.5, description="points by which the candidates' mean reward exceeds the worthless answers'"
    )
    min_parse_rate: float = Field(0.8, ge=0, le=1, description="share of the judge's answers that could be read")
    max_one_score: float = Field(0.9, ge=0, le=1, description="share of the most common score")
    max_top_scores: float = Field(0.8, ge=0, le=1, description="share of scores that are the highest of the scale")
    max_length_drift: float = Field(
        0.5, ge=0, description="change of the candidates' mean length against the iteration before, as a share of it"
    )
    max_length_gap: float = Field(
        0.5, ge=0, description="chosen minus rejected, as a share of the candidates' mean length"
    )
    min_pair_yield: float = Field(0.1, ge=0, le=1, description="pairs per new instruction")
    max_duplicates: float = Field(
        0.5, ge=0, le=1, description="share of written instructions refused as too similar to a known one"
    )
    min_diversity: float = Field(
        0.6, ge=0, le=1, description="mean distance between two new instructions, 1 less their ROUGE-L"
    )
    max_contaminated: float = Field(
        0, ge=0, le=1, description="share of new instructions that share 13 words in a row with an evaluation one"
    )
    max_self_excess: float = Field(
        1, ge=0, description="points by which M_t scores its own answers above the frozen judge, where there is one"
    )


class VLLMConfig(Section):
    """How vLLM uses the machine, where engine is vllm, or for a model that is named vllm:PATH."""

    tensor_parallel_size: int = Field(1, ge=1, description="GPUs that share every layer of one copy of the model")
    data_parallel_size: int = Field(1, ge=1, description="copies of the model, each on GPUs of its own")
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1, description="share of each GPU's memory that vLLM may fill")
    max_model_len: int | None = Field(
        None, ge=16, description="tokens of prompt and answer at the most; the model's own context, if not given"
    )
    enforce_eager: bool = Field(False, description="start sooner and answer more slowly: nothing is compiled")
    extra_args: dict[str, Any] = Field(
        {}, description="any other argument of vLLM's engine, by vLLM's name for it; none that names code to run"
    )

    def arguments(self) -> dict[str, Any]:
        """The same under vLLM's names."""
        return {
            "tensor_parallel_size": self.tensor_parallel_size,
            "data_parallel_size": self.data_parallel_size,
            "gpu_memory_utilization": self.gpu_memory_utilization,
            "enforce_eager": self.enforce_eager,
            **({"max_model_len": self.max_model_len} if self.max_model_len else {}),
            **self.extra_args,
        }


class TrainConfig(Section):
    """A whole run of the self-rewarding loop."""

    model: str = Field(description="M0: a path, hf:NAME, smollm2 (the packaged one), or puzzle (random weights)")
    iterations: int = Field(2, ge=0, description="DPO rounds after M1; the paper's 2 give M3")
    seed: int = Field(0, ge=0, description="every random choice of the run derives from it")
    engine: Literal["hf", "vllm"] = Field(
        "hf", description="what generates and judges: hf (transformers, anywhere) or vllm (for GPUs); TRL trains"
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1 or mps")
    launcher: str | None = Field(
        None,
        description=(
            "command that starts the processes of a training, such as: accelerate launch --num_processes 8 "
            "(docs/explain/scale.md); training is in this process, if not given"
        ),
    )
    report_to: tuple[Tracker, ...] = Field(
        (),
        description=(
            "trackers that trainings, monitor and evaluations report to: tensorboard, wandb, or both as "
            "[tensorboard, wandb] (docs/howto/trackers.md)"
        ),
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="precision of generation, and of a training's passes; its master weights are float32"
    )
    batch_tokens: int | None = Field(
        None,
        ge=256,
        description="tokens of prompt and answer that generation holds at once; found from the memory, if not given",
    )
    thoughts: Literal["drop", "keep"] = Field(
        "drop",
        description=(
            "what becomes of what a reasoning model thinks before it answers. drop: the run's models are asked with "
            "their thought closed, and learn answers alone; keep: they think, and learn what they wrote, thoughts and "
            "answer; without effect where the chat template knows of no thoughts (not in the paper)"
        ),
    )
    candidates: int = Field(4, ge=2, description="answers per new instruction; the paper's N = 4")
    candidate_sampling: SamplingConfig = Field(SamplingConfig(), description="the paper's 0.7 and 0.9")
    seeds: SeedsConfig = SeedsConfig()
    sft: SFTConfig = SFTConfig()
    instructions: InstructionsConfig = InstructionsConfig()
    judge: JudgeConfig = JudgeConfig()
    learn_from: Literal["pairs", "positives"] = Field(
        "pairs",
        description=(
            "what an iteration makes of the rewards. pairs: M_t learns by DPO (the paper); positives: M0 is tuned anew "
            "on the seeds and on the best answers alone (the paper's A.4, which found no gain in it)"
        ),
    )
    pairs: PairsConfig = PairsConfig()
    positives: PositivesConfig = PositivesConfig()
    dpo: DPOConfig = DPOConfig()
    monitor: MonitorConfig = MonitorConfig()
    vllm: VLLMConfig = VLLMConfig()

    @field_validator("report_to", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("launcher")
    @classmethod
    def _is_a_command(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise ValueError(f"is no command as a shell reads it ({str(error).lower()})") from None
        if not words or not words[0]:
            raise ValueError("is empty; leave it out to train in this process")
        if "\0" in value:
            raise ValueError("holds a NUL character, which no command can")
        return value

    @model_validator(mode="before")
    @classmethod
    def _puzzles_of_the_seed(cls, data: Any) -> Any:
        """Where model or seeds are those of the puzzle world, they are the ones of this run's seed."""
        if not isinstance(data, dict):
            return data  # refused next
        name = f"{PUZZLE}:{data.get('seed', 0)}"
        if data.get("model") == PUZZLE:
            data = {**data, "model": name}
        if isinstance(seeds := data.get("seeds"), dict):
            named = {key: name for key in ("source", "eft_source") if seeds.get(key) == PUZZLE}
            data = {**data, "seeds": {**seeds, **named}}
        return data

    @model_validator(mode="after")
    def _shots_fit(self) -> "TrainConfig":
        if self.instructions.min_words > self.instructions.max_words:
            raise ValueError("instructions.min_words is above instructions.max_words, no instruction could pass")
        return self

    @model_validator(mode="after")
    def _agreement_has_work(self) -> "TrainConfig":
        wanted = {
            "pairs.agreement=implicit": self.pairs.agreement == "implicit",
            "dpo.label_smoothing=agreement": self.dpo.label_smoothing == "agreement",
        }
        for setting in (name for name, given in wanted.items() if given and self.iterations < 2):
            raise ValueError(
                f"{setting} begins with the second iteration, and iterations is {self.iterations}: it would change "
                "nothing"
            )
        return self

    @model_validator(mode="after")
    def _judges_are_there(self) -> "TrainConfig":
        if self.pairs.scored_by == "frozen" and self.judge.frozen is None:
            raise ValueError("pairs.scored_by is frozen and judge.frozen names no judge")
        if self.judge.frozen == "SFT" and not (self.sft.baseline and self.seeds.eft):
            raise ValueError(
                "judge.frozen is SFT, and no model of that name is trained: it needs sft.baseline and seeds.eft "
                "(without EFT, M1 is the SFT baseline)"
            )
        return self

    @model_validator(mode="after")
    def _what_is_rejected_is_used(self) -> "TrainConfig":
        choice = self.pairs.model_copy(update={"scored_by": "current"})
        changed = [name for name, value in choice if value != getattr(PairsConfig(), name)]
        if self.learn_from == "positives" and changed:
            raise ValueError(
                f"learn_from is positives, so there is no pair, and pairs.{changed[0]} changes nothing; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _checkpoints_are_models(self) -> "TrainConfig":
        if self.dpo.stopping.judge is not None and self.learn_from == "positives":
            raise ValueError("dpo.stopping.judge chooses among the checkpoints of DPO, and learn_from is positives")
        if self.dpo.stopping.judge is not None and self.dpo.lora.rank:
            raise ValueError(
                "dpo.stopping.judge compares whole models, and dpo.lora.rank tunes adapters, which are merged at the "
                "end alone; leave one of the two out"
            )
        return self
