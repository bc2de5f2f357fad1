"""Export of a run for other tools as a function: training data for TRL, checkpoints for the Hugging Face Hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from srlm.api.models import find_run

if TYPE_CHECKING:
    from srlm.runs import Run


@dataclass(frozen=True)
class Exported:
    """An exported folder. `what` describes its content; `repository` is the kind of Hub repository that it is for."""

    folder: Path
    what: str
    repository: Literal["model", "dataset"]


def export(
    model: str,
    to: str | Path,
    *,
    checkpoint: bool = False,
    format: Literal["jsonl", "parquet"] | None = None,
    license: str | None = None,
    base_model: str | None = None,
    run: "Run | str | None" = None,
    runs: str | Path | None = None,
) -> Exported:
    """Write the training data of a model as TRL reads them, or its checkpoint with a card for the Hugging Face Hub.

    Supervised data have the columns prompt and completion, preference pairs prompt, chosen and rejected; all are lists
    of messages. Nothing is uploaded.

    Args:
        model: SFT, M1, M2, ... of the run.
        to: a new folder, which appears when it is complete.
        checkpoint: export the model itself: weights, tokenizer, settings and model card.
        format: of training data: "jsonl", also if None, or "parquet".
        license: identifier for the card, such as apache-2.0; unknown, if None.
        base_model: OWNER/NAME of the model that the run started from, for the model card; known for hf:OWNER/NAME.
        run: an open run or a name; the one that was changed last, if None.
        runs: folder of the runs; $SRLM_RUNS or results/runs, if None.

    Raises:
        UnknownName: the run does not have the model.
        UsageError: the folder is not empty, or the run did not train the model.

    Example:
        >>> srlm.export("M2", "pairs", run="quickstart").what  # doctest: +SKIP
        '16 preference pairs'
    """
    from srlm.errors import UsageError
    from srlm.export.checkpoint_folder import require_identifiers, write_checkpoint_folder
    from srlm.export.data_folder import describe_rows, write_data_folder
    from srlm.export.rows import preference_row, sft_row
    from trainer.training_data import (
        preference_pairs,
        require_training_data,
        supervised_examples,
        trained_by_dpo,
    )

    folder, home = Path(to).expanduser(), find_run(run, runs)
    require_identifiers(license, base_model)
    if checkpoint:
        if format is not None:
            raise UsageError("--format is of training data; a checkpoint has one format, safetensors. Leave it out.")
        write_checkpoint_folder(home, model, folder, license_id=license, base_model=base_model)
        return Exported(folder, f"the checkpoint of {model}", "model")
    if base_model is not None:
        raise UsageError("--base-model is of a model card; give --checkpoint too, or leave it out.")
    require_training_data(home, model)
    kind: Literal["sft", "preference"] = "preference" if trained_by_dpo(home, model) else "sft"
    if kind == "preference":
        pairs, written = preference_pairs(home, model)
        rows = [preference_row(one, written) for one in pairs]
    else:
        rows = [sft_row(one) for one in supervised_examples(home, model)]
    if not rows:
        raise UsageError(f"{model} was trained on nothing by this run, so there is nothing to export.")
    write_data_folder(folder, rows, kind, model=model, file_format=format or "jsonl", license_id=license)
    return Exported(folder, describe_rows(kind, len(rows)), "dataset")
