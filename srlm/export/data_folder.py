"""A folder with the training data of a model: one file, and a dataset card with which `datasets` loads it.

Left out: upload, and examples in the card, which may be private.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from srlm.atomic_files import write_text
from srlm.export.new_folder import new_folder
from srlm.export.rows import PREFERENCE_COLUMNS, SFT_COLUMNS, Row
from srlm.jsonl import write_records
from srlm.optional_deps import require

Format = Literal["jsonl", "parquet"]
Kind = Literal["sft", "preference"]

_KINDS: Mapping[Kind, tuple[str, str, Mapping[str, str]]] = {
    "sft": ("Supervised fine-tuning data", "SFTTrainer", SFT_COLUMNS),
    "preference": ("Preference pairs", "DPOTrainer", PREFERENCE_COLUMNS),
}


def write_data_folder(
    folder: Path, rows: Sequence[Row], kind: Kind, *, model: str, file_format: Format, license_id: str | None
) -> Path:
    """Write rows and their card into a new folder; return the file of the rows.

    Args:
        folder: the new folder; it appears when it is complete.
        rows: from `srlm.export.rows`, at least one.
        kind: the columns that they have.
        model: the model that was trained on them, such as M2.
        file_format: JSON Lines, or Parquet through `datasets`.
        license_id: identifier of a licence for the card; None: unknown.

    Raises:
        DataError, UsageError: the folder is taken.
        MissingDependency: `datasets` is not installed, and Parquet is asked for.
    """
    if file_format == "parquet":
        require("datasets", "Parquet", "train")
    require("huggingface_hub", "A dataset card", "local")
    with new_folder(folder) as unfinished:
        name = f"train.{file_format}"
        if file_format == "parquet":
            _write_parquet(unfinished / name, rows, kind)
        else:
            write_records(unfinished / name, rows)
        write_text(unfinished / "README.md", _card(name, len(rows), kind, model, license_id))
    return folder / name


def _write_parquet(path: Path, rows: Sequence[Row], kind: Kind) -> None:
    import datasets

    text, number = datasets.Value("string"), datasets.Value("float64")
    messages = datasets.List({"role": text, "content": text})
    numbers = {"score": datasets.Value("int64"), "chosen_reward": number, "rejected_reward": number}
    conversations = dict.fromkeys(("prompt", "completion", "chosen", "rejected"), messages)
    features = {name: {**conversations, **numbers}.get(name, text) for name in _KINDS[kind][2]}
    datasets.disable_progress_bars()  # it would be drawn over ours
    datasets.Dataset.from_list(list(rows), features=datasets.Features(features)).to_parquet(str(path))


def _card(file: str, count: int, kind: Kind, model: str, license_id: str | None) -> str:
    from huggingface_hub import DatasetCardData

    title, trainer, columns = _KINDS[kind]
    data = DatasetCardData(
        license=license_id or "unknown",
        task_categories=["text-generation"],
        tags=["self-rewarding", "trl", kind],
        configs=[{"config_name": "default", "data_files": [{"split": "train", "path": file}]}],
    )
    lines = [f"| `{name}` | {meaning} |" for name, meaning in columns.items()]
    text = [
        f"# {title} of {model}",
        f"The {describe_rows(kind, count)} on which srlm trained {model} in the self-rewarding loop of Yuan et al. "
        "2024 (arXiv 2401.10020), as often as the trainer was given each. Those longer than the training's max_length "
        "are among them.",
        f"TRL's {trainer} takes them as they are:",
        f'```python\nfrom datasets import load_dataset\n\ndata = load_dataset("OWNER/NAME", split="train")\n'
        f"trainer = {trainer}(model=model, args=arguments, train_dataset=data, processing_class=tokenizer)\n```",
        "\n".join(["| column | meaning |", "|---|---|", *lines]),
        _origin(kind),
    ]
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(text) + "\n"


def _origin(kind: Kind) -> str:
    if kind == "preference":
        return (
            "The answers are those of models, and so are the rewards: not a measure of quality, and no person's view."
        )
    return "Examples of IFT and EFT come from the seed data of the run; judgements may be a model's."


def describe_rows(kind: Kind, count: int) -> str:
    """Return the number of rows in words."""
    one, several = {"sft": ("SFT example", "SFT examples"), "preference": ("preference pair", "preference pairs")}[kind]
    return f"{count:,} {one if count == 1 else several}"
