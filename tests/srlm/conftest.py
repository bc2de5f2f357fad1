"""What the tests of checkpoints share."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a tiny model, to be read only."""
    from helpers.tiny_models import checkpoint

    return checkpoint(tmp_path_factory.mktemp("whole"), "chatml")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoint, for a test to change."""
    return Path(shutil.copytree(whole, tmp_path / "model"))
