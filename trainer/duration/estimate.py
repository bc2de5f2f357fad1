"""The estimate that `srlm train` prints before it starts: minutes for each model, from a speed measured here.

Work (`work.py`) and speed (`speed.py`) are of tokens; the passes of a training are counted in passes of reading.
"""

from collections.abc import Sequence

from srlm.config import TrainConfig
from srlm.config.finetune import DPOConfig, SFTConfig, TuningConfig
from srlm.config.rewards import JUDGE, source_name
from srlm.config.rollouts import GRPOConfig
from srlm.console import round_duration
from srlm.engines.device import pick_device
from srlm.engines.hf import max_rows
from srlm.engines.open import is_remote, public_name
from srlm.types import Demonstration, RankedPrompt
from trainer.duration.speed import Speed, measure_speed
from trainer.duration.work import Work, planned_work
from trainer.finetune.launcher import choose_launcher
from trainer.generation.user_prompts import prompts_of_an_iteration
from trainer.session import Session

PASSES = 2.6
"""Time of a training's forward and backward pass over a token, over that of reading it. Measured: 1.7 with the puzzle's
model, whose engine has more to do besides, and 3.2 with the 135M model."""
LORA_PASSES = 1.8
"""The same where the weights themselves get no gradient."""
CHECKPOINTING, DROPOUT = 1.2, 1.6
"""Times as long: activations computed again; dropout on a processor, whose attention then has no fast form."""
START_S = 3.0
"""Seconds for each model besides its tokens: loading, checks, writing files."""
PROMPT = "Write a short text about a place that you know well, and say what makes it worth a visit."
"""What is read where the run has no seed data."""


def announce_duration(session: Session, ift: Sequence[Demonstration], eft: Sequence[RankedPrompt]) -> None:
    """Print about how long the models that the run lacks will take; nothing if it has them all."""
    config = session.config
    if not session.missing_models():
        return  # before any library is imported
    launcher = choose_launcher(config.launcher, config.device, _learning(config).batch_size)
    several = launcher is not None and launcher.processes != 1
    if several or config.engine == "vllm" or config.model.startswith("vllm:"):
        reason = "through a launcher" if several else "with vLLM"
        session.progress.say(f"No estimate of the time: it is measured for runs in one process, not {reason}.")
        return
    work = planned_work(session, ift, eft)
    rows = max_rows(pick_device(config.device))
    texts = [f"{one.instruction} {one.response}" for one in ift[:rows]] or [PROMPT]
    rollouts = config.learn_from == "rollouts"
    answers = config.grpo.batch_size if rollouts else config.candidates * prompts_of_an_iteration(config, session.run)
    speed = measure_speed(session.engine("M0"), texts, min(rows, answers))
    session.release()
    session.progress.say(
        _sentence({model: _seconds(session, model, one, speed) for model, one in work.items()}, session)
    )


def _seconds(session: Session, model: str, work: Work, speed: Speed) -> float:
    config = session.config
    settings = config.sft if model in {"SFT", "M1"} else _learning(config)
    trained = work.trained * _passes(settings, pick_device(config.device))
    return START_S + (work.read + trained) / speed.read + work.written / speed.write


def _learning(config: TrainConfig) -> SFTConfig | DPOConfig | GRPOConfig:
    """Return the settings of an iteration's training."""
    by_kind: dict[str, SFTConfig | DPOConfig | GRPOConfig] = {
        "pairs": config.dpo,
        "positives": config.sft,
        "rollouts": config.grpo,
    }
    return by_kind[config.learn_from]


def _passes(config: TuningConfig, device: str) -> float:
    passes = LORA_PASSES if config.lora.rank else PASSES
    return (
        passes
        * (CHECKPOINTING if config.gradient_checkpointing else 1)
        * (DROPOUT if config.dropout and device == "cpu" else 1)
    )


def _sentence(seconds: dict[str, float], session: Session) -> str:
    parts = ", ".join(f"{model} {round_duration(one)}" for model, one in seconds.items())
    config = session.config
    others = [source_name(part.source) for part in config.reward if part.source != JUDGE]
    servers = (config.instructions.writer, config.judge.frozen, config.rollouts.judged_by, config.dpo.stopping.judge)
    others += [public_name(name) for name in servers if name is not None and is_remote(name)]
    without = f", without the time of {', '.join(dict.fromkeys(others))}" if others else ""
    expected = "those of the seed data" if config.seeds.source else "half of their token limits"
    whole = round_duration(sum(seconds.values()))
    return (
        f"This will take about {whole} on this machine ({parts}), by the speed of M0 just now{without}. "
        f"Other programs, and answers longer than {expected}, make it longer."
    )
