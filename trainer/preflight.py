"""What can be wrong with a run is found before it is started: nothing is written for a command that cannot work."""

from pathlib import Path

from srlm.checkpoint_files import read_config
from srlm.config import TrainConfig
from srlm.disk import require_disk
from srlm.engines.architectures import require_architecture
from srlm.engines.budget import Budget
from srlm.engines.device import pick_device
from srlm.engines.load import load_tokenizer
from srlm.engines.open import is_remote, open_engine
from srlm.engines.remote import RemoteEngine
from srlm.engines.vllm_arguments import require_safe
from srlm.errors import UnknownName, UsageError
from srlm.judges.pairwise import CHOICES
from srlm.judges.pointwise import configured_judge
from srlm.model_hub import is_model_name, model_folder
from srlm.optional_deps import require
from srlm.puzzle.task import PUZZLE
from srlm.runs import Run
from srlm.seed_data import load_seeds
from srlm.types import Message, Request
from trainer.finetune.launch import require_launcher
from trainer.finetune.tokenize import Rows
from trainer.finetune.trl_common import dropouts, load_for_training, optimiser_steps, require_libraries
from trainer.generation.puzzles import made_prompts
from trainer.preferences.best_of_n import least_positive


def preflight(config: TrainConfig) -> None:
    """Look at everything that can be wrong before a run is started: rubric, seeds, model, libraries.

    Raises:
        SrlmError: with what to do.
    """
    judge = configured_judge(config.judge)
    scale = judge.rubric.scale
    if config.pairs.min_gap > scale.highest - scale.lowest:
        raise UsageError(
            f"pairs.min_gap is {config.pairs.min_gap:g}, and rewards on the scale {scale} of the rubric "
            f"{config.judge.rubric} differ by {scale.highest - scale.lowest} at the most: no pair could be made."
        )
    if config.learn_from == "positives":
        least = least_positive(config, scale)
        if not scale.lowest < least <= scale.highest:
            raise UsageError(
                f"positives.min_reward is {least:g}, and the rubric {config.judge.rubric} scores on the scale {scale}: "
                f"choose one above {scale.lowest} and up to {scale.highest}."
            )
        if config.judge.scoring == "expected" and least == scale.highest:
            raise UsageError(
                f"learn_from=positives keeps answers with a reward of {least:g}, and with judge.scoring=expected a "
                f"reward is a mean over all scores, which never comes to {scale.highest}. Set positives.min_reward, "
                "or judge.scoring=sampled."
            )
    source = config.seeds.eft_source or config.seeds.source
    seeds = load_seeds(config.seeds.source)
    if config.dpo.stopping.judge is not None and not seeds.validation:
        raise UsageError(
            f"dpo.stopping.judge compares answers to held-out instructions, and the seeds {config.seeds.source} hold "
            "none out. Give some ranked instructions split=validation."
        )
    ranked = load_seeds(source)
    if config.seeds.eft and not ranked.eft:
        raise UsageError(
            f"The seeds {source} have no ranked instruction to train the judge on; {len(ranked.validation)} are held "
            "out. Add some with split=train, or set seeds.eft_source=embedded, or go on without: seeds.eft=false."
        )
    require_launcher(config.launcher)
    require_safe(config.vllm.arguments())
    require_libraries()
    if config.sft.lora.rank or config.dpo.lora.rank:
        require("peft", "LoRA", "train")
    pick_device(config.device)
    folder = _readable(config.model, config.engine)
    Rows(load_tokenizer(folder), config.thoughts)
    dropouts(folder, max(config.sft.dropout, config.dpo.dropout))
    if config.instructions.source == PUZZLE:
        made_prompts("The run", config.instructions.count * config.iterations, config.seed, [])
    begun = Request((Message("user", "Write."),), prefill="1.")  # as instructions are written
    choice = Request((Message("user", "A?"),), choices=CHOICES)
    frozen = judge.requests("Write.", "Text.", 0)[0]
    _look_at("instructions.writer", config.instructions.writer, ("base", "current"), begun, config.engine)
    _look_at("dpo.stopping.judge", config.dpo.stopping.judge, (), choice, config.engine)
    _look_at("judge.frozen", config.judge.frozen, ("M0", "SFT", "M1"), frozen, config.engine)
    load_for_training(folder, "cpu")  # last, because it takes longest: weights that are missing, or not finite


def require_prices(config: TrainConfig, budget: Budget) -> None:
    """Refuse a budget that could not be kept, also where a run that has begun goes on.

    Raises:
        UsageError: a model behind a server has no known price.
    """
    for name in (config.instructions.writer, config.judge.frozen, config.dpo.stopping.judge):
        if name is not None and is_remote(name):
            open_engine(name, budget=budget).close()


def require_space(config: TrainConfig, run: Run) -> None:
    """Refuse to start what would fill the disk half-way: one float32 checkpoint a model, and what one trains with.

    A training's own checkpoint holds the weights and AdamW's two moments, and is written before the last one goes.
    """
    planned = [
        *(["SFT"] if config.sft.baseline and config.seeds.eft else []),
        *(f"M{number}" for number in range(1, config.iterations + 2)),
    ]
    missing = [model for model in planned if model not in run.models()]
    if missing:
        weights = sum(file.stat().st_size for file in model_folder(config.model).glob("*.safetensors"))
        least = optimiser_steps(config.seeds.ift_limit or 1, config.sft)
        learning = config.sft if config.learn_from == "positives" else config.dpo
        most = optimiser_steps(config.instructions.count, learning)
        while_training = 6 * any(
            0 < section.save_steps < steps for section, steps in ((config.sft, least), (learning, most))
        )
        kept_along = most // config.dpo.stopping.every if config.dpo.stopping.judge is not None else 0
        require_disk(
            run.folder,
            1.1 * weights * (len(missing) + while_training + kept_along),
            f"The run {run.name}, {len(missing)} checkpoints,",
        )


def _readable(model: str, engine: str) -> Path:
    """The folder of a local model, which what generates can run.

    Raises:
        UnknownName, ModelError: there is none, or it cannot.
    """
    folder = model_folder(model.removeprefix("vllm:"))
    if engine == "hf" and not model.startswith("vllm:"):
        require_architecture(read_config(folder), folder)
    return folder


def _look_at(setting: str, name: str | None, inside: tuple[str, ...], request: Request, engine: str) -> None:
    """Refuse a model from outside the run that cannot answer such a request, before anything waits for it."""
    if name is None or name in inside:
        return
    if is_remote(name):
        opened = open_engine(name)
        opened.plan([request])
        if isinstance(opened, RemoteEngine):
            opened.key  # noqa: B018 -- it is looked for here
    elif is_model_name(name):
        load_tokenizer(_readable(name, engine))
    else:
        raise UnknownName(f"For {setting}, the model", name, [*inside, "hf:OWNER/NAME", "a folder with config.json"])
