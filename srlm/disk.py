"""Check of the free disk space before work that writes much."""

import shutil
from pathlib import Path

from srlm.errors import NoDiskSpace


def require_disk(folder: Path, needed: float, purpose: str) -> None:
    """Refuse work that would fill the disk; `needed` is in bytes.

    Raises:
        NoDiskSpace: less is free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoDiskSpace(
            f"{purpose} needs about {needed / 1e9:.1f} GB in {folder}, and {free / 1e9:.1f} GB are free. "
            "Free some space, or choose another folder with --runs or $SRLM_CACHE."
        )
