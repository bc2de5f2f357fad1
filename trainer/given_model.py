"""M1 with `start: instruct`: the given model itself, named in the run without a copy of its weights.

The stage `M1/given` holds its name and fingerprint. Wherever a model of the run is opened, M1 is then M0.
"""

from dataclasses import dataclass

from srlm.engines.fingerprint import fingerprint
from srlm.errors import ModelError
from srlm.runs import GIVEN
from srlm.types import SCHEMA
from trainer.session import Session


@dataclass(frozen=True)
class GivenModel:
    """A model of the run that is the model of the configuration. `fingerprint` is that of its files."""

    model: str
    fingerprint: str
    schema: int = SCHEMA


def use_given_model(session: Session) -> None:
    """Make the given model M1 of the run, or check that it is still the model that became M1.

    Raises:
        ModelError: its files have changed since, and there is a model left to train.
    """
    config, run = session.config, session.run
    if run.path(GIVEN).exists() and not session.missing_models():
        return
    current = fingerprint(session.folder("M0"))
    (found,) = run.stage(GIVEN, GivenModel, lambda: [GivenModel(config.model, current)])
    if current != found.fingerprint:
        raise ModelError(
            f"{config.model} is not the model that this run started from: its fingerprint is {current}, and that of M1 "
            f"is {found.fingerprint} ({run.path(GIVEN)}). Restore the model's files, or start a new run with another "
            "--name."
        )
    session.progress.say(f"M1: the given model, {config.model}; it is not trained, because start is instruct.")
