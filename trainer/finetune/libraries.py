"""The training libraries: check that they are installed, and silence their output."""

import logging
import warnings

from srlm.optional_deps import require

LIBRARIES = ("torch", "transformers", "trl", "accelerate", "datasets")


def require_libraries() -> None:
    """Check that every library of the training is installed.

    Raises:
        MissingDependency: one is not; the message has the command that installs it.
    """
    for library in LIBRARIES:
        require(library, "Training", "train")


def silence_libraries() -> None:
    """Turn off the libraries' progress bars and advice: srlm prints its own progress, and errors are raised."""
    import datasets
    from transformers.utils import logging as transformers_logging

    # TRL sets arguments that transformers has renamed. Users cannot act on that warning.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    datasets.disable_progress_bars()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.getLogger("trl").setLevel(logging.ERROR)
