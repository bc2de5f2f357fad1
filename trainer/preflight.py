"""Validation of a run before it starts, so that nothing is written for a command that cannot succeed."""

from pathlib import Path

from srlm.checkpoint_files import read_config
from srlm.config import TrainConfig
from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.config.rewards import JUDGE, only_judge
from srlm.config.rollouts import GRPOConfig
from srlm.engines.architectures import require_architecture
from srlm.engines.budget import Budget
from srlm.engines.device import pick_device
from srlm.engines.load import load_tokenizer
from srlm.engines.open import is_remote, open_engine
from srlm.engines.remote import RemoteEngine
from srlm.engines.vllm_arguments import require_safe
from srlm.errors import UnknownName, UsageError
from srlm.judges.pairwise import CHOICES
from srlm.judges.pointwise import PointwiseJudge, configured_judge
from srlm.judges.rubric import Scale
from srlm.model_hub import is_model_name, model_folder
from srlm.optional_deps import require
from srlm.puzzle.task import PUZZLE
from srlm.rewards.reward_model import RewardModel, is_classifier
from srlm.rewards.source import open_source
from srlm.types import Message, Request
from trainer.finetune.launcher import require_launcher
from trainer.finetune.libraries import require_libraries
from trainer.finetune.load_model import dropout_settings, require_loadable
from trainer.finetune.tokenize import ExampleTokenizer
from trainer.finetune.zero3 import refuse_lora_with_zero3
from trainer.generation.puzzles import puzzle_prompts
from trainer.preferences.best_of_n import min_positive_reward
from trainer.preflight_data import check_contexts, check_prompt_lengths, check_records
from trainer.preflight_rollouts import check_rollouts
from trainer.rollouts.settings import CURRENT, START


def preflight(config: TrainConfig) -> None:
    """Check everything that can be wrong before a run starts: rubric, seeds, prompts, launcher, libraries, models.

    Raises:
        SrlmError: with the next step for the user.
    """
    judge = configured_judge(config.judge)
    scale = judge.rubric.scale if only_judge(config.reward) else None
    _check_rewards(config, scale)
    data = check_records(config)
    require_safe(config.vllm.arguments())
    require_libraries()
    if any(one.lora.rank for one in _trainings(config)):
        require("peft", "LoRA", "train")
    for one in _trainings(config):
        refuse_lora_with_zero3(one, config.launcher or "")
    pick_device(config.device)
    for one in _trainings(config):
        require_launcher(config.launcher, config.device, one.batch_size)
    folder = _local_model(config.model, config.engine)
    tokenizer = load_tokenizer(folder)
    ExampleTokenizer(tokenizer, config.thoughts)
    check_contexts(config, data, tokenizer)
    if config.learn_from == "rollouts":
        check_rollouts(config, tokenizer, folder, judge, scale)
    if data.prompts:
        check_prompt_lengths(config, tokenizer, folder, judge, data.prompts)
    dropout_settings(folder, max(one.dropout for one in _trainings(config)))
    if config.instructions.source == PUZZLE:
        puzzle_prompts("The run", config.instructions.made_count * config.iterations, config.seed, [])
    _check_external_models(config, judge)
    _check_reward_sources(config)
    require_loadable(folder)  # last, because it takes longest


def _trainings(config: TrainConfig) -> list[SFTConfig | DPOConfig | GRPOConfig]:
    """Return the settings of the kinds of training that the run has."""
    sft = [config.sft] if config.start != "instruct" or config.learn_from == "positives" else []
    later: dict[str, list[DPOConfig | GRPOConfig]] = {
        "pairs": [config.dpo],
        "positives": [],
        "rollouts": [config.grpo],
    }
    return [*sft, *later[config.learn_from]]


def _check_rewards(config: TrainConfig, scale: Scale | None) -> None:
    """Check that the scale of the rewards allows a pair, or a positive; None for rewards without a scale.

    Raises:
        UsageError: it does not.
    """
    rubric = config.judge.rubric
    if scale is None:
        if config.learn_from == "positives":
            min_positive_reward(config, scale)
        return
    if config.learn_from == "pairs" and config.pairs.min_gap > scale.highest - scale.lowest:
        raise UsageError(
            f"pairs.min_gap is {config.pairs.min_gap:g}, and rewards on the scale {scale} of the rubric {rubric} "
            f"differ by at most {scale.highest - scale.lowest}: no pair would be possible."
        )
    if config.learn_from != "positives":
        return
    least = min_positive_reward(config, scale)
    if not scale.lowest < least <= scale.highest:
        raise UsageError(
            f"positives.min_reward is {least:g}, and the rubric {rubric} scores on the scale {scale}: "
            f"set one above {scale.lowest} and up to {scale.highest}."
        )
    if config.judge.scoring == "expected" and least == scale.highest:
        raise UsageError(
            f"learn_from=positives keeps answers with a reward of {least:g}, and with judge.scoring=expected a "
            f"reward is a mean over all scores, which never reaches {scale.highest}. Set positives.min_reward, "
            "or judge.scoring=sampled."
        )


def _check_reward_sources(config: TrainConfig) -> None:
    """Open the programs and the reward models of `reward`; weights are loaded, which finds those that are missing.

    Raises:
        SrlmError: one cannot be used.
    """
    for part in config.reward:
        if part.source != JUDGE:
            source = open_source(part.source, device=config.device, dtype=config.dtype)
            if isinstance(source, RewardModel):
                source.load()
            source.close()


def _check_external_models(config: TrainConfig, judge: PointwiseJudge) -> None:
    """Check each model from outside the run with a request like those that it will get."""
    writing = Request((Message("user", "Write."),), prefill="1.")  # the form of `generation.self_instruct`
    choice = Request((Message("user", "A?"),), choices=CHOICES)
    scoring = judge.requests("Write.", "Text.", 0)[0]
    _check_model("instructions.writer", config.instructions.writer, ("base", "current"), writing, config.engine)
    _check_model("dpo.stopping.judge", config.dpo.stopping.judge, (), choice, config.engine)
    _check_model("rollouts.judged_by", config.rollouts.judged_by, _rollout_judges(config), scoring, config.engine)
    _check_model("judge.frozen", config.judge.frozen, ("M0", "SFT", "M1"), scoring, config.engine)


def _rollout_judges(config: TrainConfig) -> tuple[str, ...]:
    """Return the models of the run that can judge the rollouts of every iteration."""
    return CURRENT, START, "M0", *(["SFT"] if config.trains_baseline else []), "M1"


def _check_model(setting: str, name: str | None, internal: tuple[str, ...], request: Request, engine: str) -> None:
    """Check that an external model exists and can answer such a request. `internal`: names of models of the run.

    Raises:
        UnknownName: there is no such model.
        SrlmError: it cannot answer.
    """
    if name is None or name in internal:
        return
    if is_remote(name):
        opened = open_engine(name)
        opened.plan([request])
        if isinstance(opened, RemoteEngine):
            opened.key  # noqa: B018 -- raises if the API key is missing
    elif is_model_name(name):
        folder = _local_model(name, engine)
        if is_classifier(folder):
            raise UsageError(f"{setting} is {name}, a reward model, which writes no verdicts. Set reward: {name}")
        load_tokenizer(folder)
    else:
        raise UnknownName(f"For {setting}, the model", name, [*internal, "hf:OWNER/NAME", "a folder with config.json"])


def _local_model(model: str, engine: str) -> Path:
    """Return the folder of a local model that the engine supports.

    Raises:
        UnknownName, ModelError: there is none, or the engine does not support it.
    """
    folder = model_folder(model.removeprefix("vllm:"))
    if engine == "hf" and not model.startswith("vllm:"):
        require_architecture(read_config(folder), folder)
    return folder


def require_prices(config: TrainConfig, budget: Budget) -> None:
    """Check that a budget can be enforced: the price of every API model is known. Also for a run that is resumed.

    Raises:
        UsageError: a price is not known.
    """
    judges = (config.judge.frozen, config.rollouts.judged_by, config.dpo.stopping.judge)
    for name in (config.instructions.writer, *judges):
        if name is not None and is_remote(name):
            open_engine(name, budget=budget).close()
