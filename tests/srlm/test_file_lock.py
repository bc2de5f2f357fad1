"""File locks: the second process is refused, with a message."""

import os

import pytest

from srlm.errors import UsageError
from srlm.file_lock import acquire_lock


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
    first = acquire_lock(tmp_path / ".lock", "busy")
    with pytest.raises(UsageError, match=r"^another has it$"):
        acquire_lock(tmp_path / ".lock", "another has it")
    first.release()
    acquire_lock(tmp_path / ".lock", "busy").release()


@pytest.mark.skipif(os.name != "posix", reason="needs a file in place of a folder")
def test_a_place_where_no_lock_can_be_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not writable"):
        acquire_lock(tmp_path / "file" / ".lock", "busy")
