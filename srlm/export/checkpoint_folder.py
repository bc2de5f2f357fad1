"""A copy of a trained checkpoint for the Hugging Face Hub: weights, tokenizer, settings and a model card.

The card is that of the run, with a licence and the base model in its metadata. Copies of the settings lack what
training and this machine left in them: a cache that is turned off, and names of local folders. Left out: the upload.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from srlm.atomic_files import write_text
from srlm.checkpoint_files import read_object, require_checkpoint, require_weights
from srlm.config import TrainConfig
from srlm.disk import require_disk
from srlm.errors import UsageError
from srlm.export.new_folder import new_folder, require_new
from srlm.jsonl import write_json
from srlm.model_card import NAME, model_card, without_paths
from srlm.optional_deps import require
from srlm.runs import Run

COPIED = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
"""Files of a checkpoint that a loader reads; no pickles."""

SETTINGS = frozenset({"config.json", "generation_config.json", "tokenizer_config.json"})
"""Files that are written anew; all others are copied."""

_LOCAL = frozenset({"_name_or_path", "name_or_path", "is_local", "local_files_only", "tokenizer_file"})
"""Fields that name the folder from which transformers loaded a model."""

LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def write_checkpoint_folder(
    run: Run, model: str, folder: Path, *, license_id: str | None = None, base_model: str | None = None
) -> None:
    """Copy the checkpoint of a model into a new folder, with its card.

    Args:
        run: the run that trained it.
        model: M1, M2, ...
        folder: the new folder; it appears when it is complete.
        license_id: identifier of a licence on the Hub, such as apache-2.0; None: unknown.
        base_model: OWNER/NAME of the model that the run started from; None: that of the run, if it is of the Hub.

    Raises:
        UnknownName: the run has no such model.
        DataError, UsageError: the folder is taken.
        ModelError: the checkpoint is damaged.
        NoDiskSpace: the disk has too little room.
    """
    require("huggingface_hub", "A model card", "local")
    source = Path(run.model(model))
    if run.is_given(model):
        raise UsageError(
            f"{model} is {run.config.model} itself, which the run did not train. Export M2 or a later one."
        )
    require_checkpoint(source)
    require_weights(source)
    require_new(folder)
    files = sorted({file for pattern in COPIED for file in source.glob(pattern)})
    parent = next(one for one in folder.absolute().parents if one.is_dir())
    require_disk(parent, 1.01 * sum(file.stat().st_size for file in files), f"The copy of {model}")
    with new_folder(folder) as unfinished:
        for file in files:
            if file.name in SETTINGS:
                write_json(unfinished / file.name, _portable(file.name, read_object(file)))
            else:
                shutil.copyfile(file, unfinished / file.name)
        write_text(unfinished / NAME, card_for_the_hub(run, model, license_id=license_id, base_model=base_model))


def require_identifiers(license_id: str | None, base_model: str | None) -> None:
    """Check that the metadata can be that of a card.

    Raises:
        UsageError: the licence is no identifier of the Hub, or the base model no OWNER/NAME.
    """
    if license_id is not None and not LICENSE.fullmatch(license_id):
        raise UsageError(
            f"{license_id!r} is no licence identifier of the Hub: small letters, digits, '.' and '-', such as "
            "apache-2.0, mit or other (https://huggingface.co/docs/hub/repositories-licenses)."
        )
    if base_model is not None and not REPOSITORY.fullmatch(base_model):
        raise UsageError(f"{base_model!r} is no name on the Hub. Give the base model as OWNER/NAME.")


def card_for_the_hub(run: Run, model: str, *, license_id: str | None = None, base_model: str | None = None) -> str:
    """Return the model's card, with its evaluations, completed for the Hub."""
    from huggingface_hub import ModelCard

    stored = Path(run.model(model)) / NAME
    text = without_paths(stored.read_text(encoding="utf-8")) if stored.is_file() else model_card(run, model)
    card: Any = ModelCard(text)
    card.data.license = license_id or "unknown"
    if base_model is not None:
        card.data.base_model = base_model
    if card.data.base_model is not None:
        card.data.base_model_relation = "finetune"
    if names := [*dict.fromkeys(_data_sets(run.config))]:
        card.data.datasets = names
    return str(card).rstrip() + "\n"


def _data_sets(config: TrainConfig) -> Iterator[str]:
    """Yield the data sets on the Hub from which the training data come."""
    seeds = [] if config.start == "instruct" else [config.seeds.source, config.seeds.eft_source]
    for source in (*seeds, config.instructions.source):
        for prefix in ("oasst:", "hf:"):
            name = (source or "").removeprefix(prefix).partition(":")[0]
            if (source or "").startswith(prefix) and REPOSITORY.fullmatch(name) and not Path(name).exists():
                yield name


def _portable(name: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return a settings file of the checkpoint without traces of the training and of this machine."""
    kept = {key: value for key, value in content.items() if key not in _LOCAL}
    if name == "config.json" and kept.get("use_cache") is False:
        kept["use_cache"] = True  # training turns it off, where it would only take memory
    return kept
