"""The model card of a checkpoint: README.md in the format of the Hugging Face Hub, written with huggingface_hub.

It describes the training and all evaluations of the model: training writes it into the checkpoint, and each evaluation
rewrites it atomically. Neither the ledger's fingerprint nor a loader reads it. It contains no path of this machine: of
a model or a judge that was given by its path, only the name remains.
Left out: the licence, which follows from the base model's and is the publisher's to state.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from pathlib import Path
from typing import Any

import yaml

from srlm.atomic_files import write_text
from srlm.config.rewards import JUDGE_ALONE, RewardPart, source_name
from srlm.engines.open import is_remote, public_name
from srlm.jsonl import parse_lines, read_json
from srlm.model_hub import PACKAGED
from srlm.optional_deps import require
from srlm.puzzle.task import PUZZLE, puzzle_seed
from srlm.rollout_metrics import RolloutMetrics
from srlm.runs import MACHINE, Run
from srlm.stats.intervals import Estimate

NAME = "README.md"

ALGORITHMS = {
    "SFT": "supervised fine-tuning",
    "DPO": "direct preference optimisation",
    "GRPO": "group-relative policy optimisation",
}

_PATH = re.compile(r"(?<![\w.:/~-])~?(?:/[\w.+@=,-]+){2,}/?")
"""An absolute path of two parts or more, and no address."""

LIBRARIES = ("srlm", "torch", "transformers", "trl")

MONITORED = {
    "instructions": "new instructions",
    "candidates": "answers to them",
    "mean_length": "mean length of an answer, characters",
    "length_drift": "relative change since the iteration before",
    "parse_rate": "share of parsed verdicts",
    "mean_reward": "mean reward of the answers",
    "canary_reward": "mean reward of degenerate answers",
    "frozen_reward": "mean reward of the answers, by the frozen judge",
    "length_gap": "chosen minus rejected, characters",
    "reward_gap": "chosen minus rejected, points",
}
"""Metrics of `health.jsonl` in the card, with their labels."""

ROLLOUTS = {
    "mean_reward": "mean reward of the answers",
    "judged_right_share": "share of the answers that the judge calls right",
    "right_share": "share of the answers that are right, by a program",
    "precision": "precision of the judge",
    "recall": "recall of the judge",
    "unread_share": "share of the answers without a reward",
    "mean_tokens": "mean length of an answer, tokens",
}
"""Values of the audits of a training on rollouts in the card, with their labels."""

BY_ITSELF = {"mean_reward": ", by the model that wrote them", "canary_reward": ", by the same"}
"""What the labels end with if the rewards are the model's own."""


@dataclass(frozen=True)
class Measured:
    """A metric of the model. `heading` is its label with the unit; `shown` is its value with its interval."""

    key: str
    label: str
    heading: str
    estimate: Estimate
    shown: str


@dataclass(frozen=True)
class Evaluation:
    """Results of a suite for a model; in head-to-head `against` another. The notes are captions of the metrics."""

    suite: str
    figures: tuple[Measured, ...]
    notes: tuple[str, ...]
    against: str | None = None

    @property
    def title(self) -> str:
        """The heading of the results."""
        return self.suite if self.against is None else f"{self.suite} against {self.against}"


def write_card(run: Run, model: str, folder: Path, evaluations: Sequence[Evaluation] = ()) -> None:
    """Write the card of a model of the run into the folder of its checkpoint, and replace an existing one."""
    write_text(folder / NAME, model_card(run, model, evaluations))


def model_card(run: Run, model: str, evaluations: Sequence[Evaluation] = ()) -> str:
    """Return the card: metadata with a model-index, and the text."""
    require("huggingface_hub", "A model card", "local")
    from huggingface_hub import EvalResult, ModelCardData

    name = f"{_base(run.config.model).rpartition('/')[2]}-{model}"
    learned = _learned(run, model)
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
    return without_paths(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(text) + "\n")


def without_paths(text: str) -> str:
    """Return a text in which the last part alone remains of each absolute path."""
    return _PATH.sub(lambda found: found[0].rstrip("/").rpartition("/")[2], text)


def _tuned_from_base(run: Run, model: str) -> bool:
    return model in {"SFT", "M1"} or run.config.learn_from == "positives"


def _learned(run: Run, model: str) -> str:
    """Return the algorithm that trained the model."""
    if _tuned_from_base(run, model):
        return "SFT"
    return "GRPO" if run.config.learn_from == "rollouts" else "DPO"


def _before(run: Run, model: str) -> str:
    """Return the name of the model that generated and judged this one's training data."""
    return f"M{int(model.removeprefix('M')) - 1}"


def _start(run: Run, model: str) -> str:
    """Return the name of the model that DPO or GRPO started from, with its own name if it is the given model."""
    before = _before(run, model)
    return f"{before}, which is {_base(run.config.model)} itself" if run.is_given(before) else before


def _on_the_hub(base: str) -> str | None:
    """Return the Hub's name of the base model, if it has one."""
    if base == PACKAGED:
        return "HuggingFaceTB/SmolLM2-135M-Instruct"
    return base.removeprefix("hf:") if base.startswith("hf:") else None


def _base(base: str) -> str:
    if puzzle_seed(base) is not None:
        return PUZZLE
    return _on_the_hub(base) or Path(base).name


def _origin(run: Run, model: str) -> str:
    """Describe the model in two sentences."""
    how = "was trained with srlm by the self-rewarding loop of Yuan et al. 2024 (arXiv 2401.10020)"
    if model == "SFT":
        what = "It is the SFT baseline: fine-tuned on demonstrations alone."
    elif model == "M1":
        alone = " It was fine-tuned on judgements alone." if run.config.start == "judge" else ""
        what = f"It is the first model of the loop: it answers new instructions and judges its own answers.{alone}"
    else:
        before = _before(run, model)
        what = (
            f"It was trained by reinforcement learning from {before}, on answers that it wrote during the training; "
            f"their rewards are by {_rewards(run, model)}."
            if run.config.learn_from == "rollouts"
            else f"It was trained on answers to new instructions that {before}, the model before it, generated and "
            "scored."
            if run.config.reward == JUDGE_ALONE
            else f"It was trained on answers to new instructions that {before}, the model before it, generated; their "
            f"rewards are by {_rewards(run, model)}."
        )
        if run.is_given(before):
            what += f" {before} is the base model itself: nothing was trained before the first iteration."
    return f"This model {how}, from {_base(run.config.model)}. {what}"


def _training(run: Run, model: str, learned: str) -> str:
    """Describe the training: start, number of examples, settings and versions."""
    config = run.config
    counted = {
        "demonstrations": "seeds/ift" if learned == "SFT" and config.start == "base" else None,
        "judgements": "M1/judgements" if learned == "SFT" and model != "SFT" else None,
        "best answers of the model before it": f"{model}/positives",
        "preference pairs": f"{model}/pairs",
        "problems": f"{model}/problems",
        "answers": f"{model}/rollouts",
    }
    counts = {
        what: len(parse_lines(run.path(at), dict)) for what, at in counted.items() if at and run.path(at).exists()
    }
    start = _base(config.model) if learned == "SFT" else _start(run, model)
    algorithm = ALGORITHMS[learned]
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
    # Left out: settings that may contain a path, and those that are not of this training.
    given: dict[str, Any] = getattr(config, section).model_dump(mode="json", exclude={"stopping", "baseline"})
    settings = {key: value for key, value in given.items() if f"{section}.{key}" not in MACHINE}
    return f"{_table(('', ''), rows)}\n\nSettings:\n\n```yaml\n{yaml.safe_dump(settings, sort_keys=False).strip()}\n```"


def _rewards(run: Run, model: str) -> str:
    """Describe the scoring of the answers; a user's rubric or judge is given without its path."""
    judge, parts = run.config.judge, run.config.reward
    if parts != JUDGE_ALONE:
        return ", ".join(_reward_part(part) for part in parts)
    if run.config.learn_from == "rollouts":
        named = run.config.rollouts.judged_by
        other = public_name(named) if is_remote(named) else source_name(named)
        by = {"current": "itself", "M_t": _before(run, model)}.get(named, other)
    else:
        by = "a frozen judge" if run.config.pairs.scored_by == "frozen" else _before(run, model)
    how = f"{judge.samples} verdicts per answer" if judge.scoring == "sampled" else "the expected score"
    return f"by {by}, rubric {Path(judge.rubric).stem}, {how}"


def _reward_part(part: RewardPart) -> str:
    """Describe one source of a combined reward."""
    veto = [] if part.veto_below is None else [f"veto below {part.veto_below:g}"]
    weight = [f"weight {part.share:g}"] if part.share else []
    return f"{source_name(part.source)} ({', '.join([*weight, *veto])})"


def _monitored(run: Run, model: str) -> list[str]:
    """Return the section with the monitor's metrics of the training data."""
    if not run.path(f"{model}/health").exists():
        return []
    if run.config.learn_from == "rollouts":
        return _rollouts(run, model)
    (health,) = parse_lines(run.path(f"{model}/health"), dict)
    by_itself = run.config.reward == JUDGE_ALONE
    rows = [
        (label + BY_ITSELF.get(key, "") * by_itself, f"{health[key]:g}")
        for key, label in MONITORED.items()
        if health.get(key) is not None
    ]
    unit = (
        f"in points of the rubric, up to {health['highest']}, and are the model's scores of its own answers: not a "
        "measure of quality"
        if by_itself
        else "those that it was trained for: not a measure of quality"
    )
    return [
        "## Training data",
        f"Metrics of the data that {_before(run, model)} generated for it. Rewards are {unit}.",
        _table(("metric", "value"), rows),
    ]


def _rollouts(run: Run, model: str) -> list[str]:
    """Return the section with the audits of a training on rollouts."""
    (health,) = parse_lines(run.path(f"{model}/health"), RolloutMetrics)
    values = {key: (getattr(health.first, key), getattr(health.last, key)) for key in ROLLOUTS}
    rows = [
        (label, *("-" if value is None else f"{value:g}" for value in values[key]))
        for key, label in ROLLOUTS.items()
        if set(values[key]) != {None}
    ]
    alarms = ", ".join(f"{kind} at step {step}" for kind, step in health.alarms.items())
    return [
        "## Training data",
        f"Audits of its answers to problems of the task {health.task}, over {health.steps} steps. A reward is what it "
        "was trained for: not a measure of quality." + (f" Alarms of the monitor: {alarms}." if alarms else ""),
        _table(("metric", f"first {health.audit_steps} steps", f"last {health.audit_steps} steps"), rows),
    ]


def _evaluated(evaluations: Sequence[Evaluation]) -> list[str]:
    found: list[str] = []
    for one in evaluations:
        rows = [
            (figure.heading, figure.shown, str(figure.estimate.n))
            for figure in one.figures
            if not isnan(figure.estimate.value)
        ]
        found += [f"### {one.title}", _table(("metric", "value [95 % interval]", "n"), rows), *one.notes]
    return found


def _limits(run: Run, model: str) -> list[str]:
    lines = [
        "- The intervals are over prompts. Another seed of the training would give another model; the intervals do not "
        "include that variance.",
        "- A metric from a judge is only as reliable as the judge, see its judge card. A judge's preference is not a "
        "person's.",
        "- The model was not tested for safety. It may have all faults of the base model.",
    ]
    if model not in {"SFT", "M1"}:
        lines.append(
            "- A model trained on its own scores may learn its own biases, such as length or style. Compare the mean "
            "lengths with every win rate."
        )
    return ["\n".join(lines)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
