"""Folders that tests read: the clone, and real data beside it, which may not be there."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED_DATA = ROOT.parent / "shared" / "data"
