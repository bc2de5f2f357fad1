"""The model card beside a checkpoint: README.md as the Hugging Face Hub reads it, written by huggingface_hub.

It is a function of how the model came about and of what was measured of it: training writes it into the checkpoint, and
each evaluation writes it anew, whole or not at all. Neither the ledger's fingerprint nor a loader reads it. No path of
this machine stands in it, and no licence: that is the base model's, and for those who publish it to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from pathlib import Path
from typing import Any

import yaml

from srlm.atomic_files import write_text
from srlm.jsonl import parse_lines, read_json
from srlm.model_hub import PACKAGED
from srlm.optional_deps import require
from srlm.puzzle.task import PUZZLE, puzzle_seed
from srlm.runs import MACHINE, Run
from srlm.stats.intervals import Estimate

NAME = "README.md"

LIBRARIES = ("srlm", "torch", "transformers", "trl")

MONITORED = {
    "instructions": "new instructions",
    "candidates": "answers to them",
    "mean_length": "mean length of an answer, characters",
    "length_drift": "change of it against the iteration before",
    "parse_rate": "share of the verdicts that could be read",
    "mean_reward": "mean reward of the answers, by the model that wrote them",
    "canary_reward": "mean reward of worthless answers, by the same",
    "frozen_reward": "mean reward of the answers, by the frozen judge",
    "length_gap": "chosen less rejected, characters",
    "reward_gap": "chosen less rejected, points",
}
"""Figures of `health.jsonl` that the card shows."""


@dataclass(frozen=True)
class Measured:
    """A figure of the model. `heading` is its label with the unit of `shown`, which is its value with its interval."""

    key: str
    label: str
    heading: str
    estimate: Estimate
    shown: str


@dataclass(frozen=True)
class Evaluation:
    """What a suite measured of a model; in head-to-head, `against` another. The notes say what the figures are of."""

    suite: str
    figures: tuple[Measured, ...]
    notes: tuple[str, ...]
    against: str | None = None

    @property
    def title(self) -> str:
        """How it is called."""
        return self.suite if self.against is None else f"{self.suite} against {self.against}"


def write_card(run: Run, model: str, folder: Path, evaluations: Sequence[Evaluation] = ()) -> None:
    """Write the card of a model of the run into the folder of its checkpoint, in place of one that is there."""
    write_text(folder / NAME, model_card(run, model, evaluations))


def model_card(run: Run, model: str, evaluations: Sequence[Evaluation] = ()) -> str:
    """The card: metadata with a model-index, and the text."""
    require("huggingface_hub", "A model card", "local")
    from huggingface_hub import EvalResult, ModelCardData

    name = f"{_base(run.config.model).rpartition('/')[2]}-{model}"
    learned = "SFT" if _tuned_from_base(run, model) else "DPO"
    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type=one.suite,
            dataset_name=one.title,
            dataset_config=one.against,
            metric_type=figure.key,
            metric_name=figure.label,
            metric_value=round(float(figure.estimate.value), 6),
        )
        for one in evaluations
        for figure in one.figures
        if isfinite(figure.estimate.value)
    ]
    data = ModelCardData(
        base_model=_on_the_hub(run.config.model),
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["self-rewarding", "trl", learned.lower()],
        model_name=name if results else None,  # only a model-index needs it
        eval_results=results or None,
    )
    text = [
        f"# {name}",
        _origin(run, model),
        "## How it was trained",
        _training(run, model, learned),
        *_monitored(run, model),
        "## Evaluation",
        *(_evaluated(evaluations) or ["It has not been evaluated with srlm yet."]),
        "## Limits",
        *_limits(run, model),
    ]
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(text) + "\n"


def _tuned_from_base(run: Run, model: str) -> bool:
    return model in {"SFT", "M1"} or run.config.learn_from == "positives"


def _before(run: Run, model: str) -> str:
    """The model that wrote and judged what this one learned from."""
    return f"M{int(model.removeprefix('M')) - 1}"


def _on_the_hub(base: str) -> str | None:
    """The Hub's name of the base model, where it has one."""
    if base == PACKAGED:
        return "HuggingFaceTB/SmolLM2-135M-Instruct"
    return base.removeprefix("hf:") if base.startswith("hf:") else None


def _base(base: str) -> str:
    if puzzle_seed(base) is not None:
        return PUZZLE
    return _on_the_hub(base) or Path(base).name


def _origin(run: Run, model: str) -> str:
    """What the model is, in a sentence."""
    how = "was trained with srlm by the self-rewarding loop of Yuan et al. 2024 (arXiv 2401.10020)"
    if model == "SFT":
        what = "It is the baseline of the loop: tuned on demonstrations alone."
    elif model == "M1":
        what = "It is the loop's first model, the one that answers and judges its own answers from here on."
    else:
        before = _before(run, model)
        what = (
            f"It learned from answers to new instructions that {before}, the model before it, wrote and scored itself."
        )
    return f"This model {how}, from {_base(run.config.model)}. {what}"


def _training(run: Run, model: str, learned: str) -> str:
    """From what, on how many examples, with which settings and versions."""
    config = run.config
    counted = {
        "demonstrations": "seeds/ift" if learned == "SFT" else None,
        "judgements": "M1/judgements" if learned == "SFT" and model != "SFT" else None,
        "answers of its own that were rewarded best": f"{model}/positives",
        "preference pairs": f"{model}/pairs",
    }
    counts = {
        what: len(parse_lines(run.path(at), dict)) for what, at in counted.items() if at and run.path(at).exists()
    }
    start = _base(config.model) if learned == "SFT" else _before(run, model)
    algorithm = "supervised fine-tuning" if learned == "SFT" else "direct preference optimisation"
    versions = read_json(run.folder / "manifest.json")["versions"]
    rows = [
        ("algorithm", f"{algorithm} ({learned}), by TRL"),
        ("starts from", start),
        *((what, str(count)) for what, count in counts.items()),
        *([("rewards", _rewards(run, model))] if model not in {"SFT", "M1"} else []),
        ("seed", str(config.seed)),
        ("versions", ", ".join(f"{name} {versions[name]}" for name in LIBRARIES if versions.get(name))),
    ]
    section = learned.lower()
    # Left out is what can name a path, and what is no part of this training.
    given: dict[str, Any] = getattr(config, section).model_dump(mode="json", exclude={"stopping", "baseline"})
    settings = {key: value for key, value in given.items() if f"{section}.{key}" not in MACHINE}
    return f"{_table(('', ''), rows)}\n\nSettings:\n\n```yaml\n{yaml.safe_dump(settings, sort_keys=False).strip()}\n```"


def _rewards(run: Run, model: str) -> str:
    """Who scored the answers, and how; a rubric or a judge of the user's is not called by its path."""
    judge = run.config.judge
    by = "a frozen judge" if run.config.pairs.scored_by == "frozen" else _before(run, model)
    how = f"{judge.samples} verdicts an answer" if judge.scoring == "sampled" else "the mean over all scores"
    return f"by {by}, rubric {Path(judge.rubric).stem}, {how}"


def _monitored(run: Run, model: str) -> list[str]:
    """What the monitor measured on the way to this model."""
    if not run.path(f"{model}/health").exists():
        return []
    (health,) = parse_lines(run.path(f"{model}/health"), dict)
    rows = [(label, f"{health[key]:g}") for key, label in MONITORED.items() if health.get(key) is not None]
    return [
        "## What it learned from",
        f"Measured on the material that {_before(run, model)} made for it; rewards are in points of the rubric, up to "
        f"{health['highest']}, and are the model's opinion of itself: not a measure of quality.",
        _table(("figure", "value"), rows),
    ]


def _evaluated(evaluations: Sequence[Evaluation]) -> list[str]:
    found: list[str] = []
    for one in evaluations:
        rows = [
            (figure.heading, figure.shown, str(figure.estimate.n))
            for figure in one.figures
            if not isnan(figure.estimate.value)
        ]
        found += [f"### {one.title}", _table(("figure", "value [95 % interval]", "n"), rows), *one.notes]
    return found


def _limits(run: Run, model: str) -> list[str]:
    lines = [
        "- The intervals are over prompts. Another seed of the training would give another model, and no interval here "
        "covers that.",
        "- A judged figure is worth as much as its judge, whose card stands with it. A judge's preference is not a "
        "person's.",
        "- Nothing here was tested for safety. What the base model gets wrong, this one may as well.",
    ]
    if model not in {"SFT", "M1"}:
        lines.append(
            "- A model that learns from its own scores can learn what pleases it: length, or a manner. Read the mean "
            "lengths beside every win rate."
        )
    return ["\n".join(lines)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
