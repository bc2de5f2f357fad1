"""A folder that appears under its name only when it is complete."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srlm.errors import DataError, UsageError


def require_new(folder: Path) -> None:
    """Refuse a place that is taken.

    Raises:
        DataError: it is a file, or lies below one.
        UsageError: it is a folder that is not empty.
    """
    place = next(one for one in (folder, *folder.absolute().parents) if one.exists() or one.is_symlink())
    if not place.is_dir():
        raise DataError(place, "is not a folder. Name another one.")
    if place == folder and any(folder.iterdir()):
        raise UsageError(f"{folder} exists and is not empty. Name another folder, or move that one away.")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an unfinished folder next to `folder`, which gets its name at the end.

    Raises:
        DataError, UsageError: the place is taken.
    """
    require_new(folder)
    target = folder.absolute()
    unfinished = target.parent / f".{target.name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)  # of an export that was killed
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        unfinished.replace(target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
