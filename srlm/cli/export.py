"""`srlm export`: training data as TRL reads them, and checkpoints for the Hugging Face Hub."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, RunName, Runs, command
from srlm.console import say


class Format(StrEnum):
    """File formats of training data."""

    jsonl = "jsonl"
    parquet = "parquet"


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="SFT, M1, M2, ...")],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="A new folder.")],
    checkpoint: Annotated[
        bool,
        typer.Option("--checkpoint", help="Export the model itself, with its card, in place of its training data."),
    ] = False,
    format: Annotated[
        Format | None, typer.Option("--format", help="Format of the training data; jsonl, if not given.")
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(
            "--license", metavar="ID", help="Licence for the card, such as apache-2.0; unknown, if not given."
        ),
    ] = None,
    base_model: Annotated[
        str | None,
        typer.Option(
            "--base-model",
            metavar="OWNER/NAME",
            help="For the model card: the model on the Hub that the run started from, where it was a local folder.",
        ),
    ] = None,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Write the training data of a model as TRL reads them, or with --checkpoint the model itself for the Hub.

    Supervised data have the columns prompt and completion, preference pairs prompt, chosen and rejected; all are
    lists of messages. The folder has a card too. Nothing is uploaded: the command for that is printed.
    """
    from srlm import api

    done = api.export(
        model,
        to,
        checkpoint=checkpoint,
        format=None if format is None else format.value,
        license=license,
        base_model=base_model,
        run=run,
        runs=runs,
    )
    say(f"Wrote {done.what} and a card to {done.folder}.")
    if license is None:
        say("The card says license: unknown. State one before you publish (--license, or in its README.md).")
    kind = ["--repo-type", "dataset"] if done.repository == "dataset" else []
    say(f"Nothing was uploaded. To publish it: {command('hf', 'upload', 'OWNER/NAME', done.folder, '.', *kind)}")
