"""Writing: links stay, permissions stay, devices are never renamed over, and messages name the user's path."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import srlm
from srlm.atomic_files import is_stream, require_writable, write_pieces, write_text
from srlm.errors import DataError, UsageError

posix = pytest.mark.skipif(os.name != "posix", reason="this system has neither permissions nor devices of this kind")


@pytest.fixture
def umask():
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@posix
@pytest.mark.usefixtures("umask")
def test_a_new_file_has_what_the_umask_leaves_and_an_old_one_keeps_what_it_had(tmp_path):
    path = tmp_path / "file"
    write_text(path, "one")
    assert mode(path) == 0o600
    for kept in (0o600, 0o640, 0o664, 0o400):
        path.chmod(kept)
        write_text(path, "two")
        assert mode(path) == kept


@posix
def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    target, link, dangling = tmp_path / "there" / "target", tmp_path / "link", tmp_path / "dangling"
    target.write_text("old")
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "new" / "file")
    for one in (link, dangling):
        write_text(one, "new")
        assert one.is_symlink()
        assert one.resolve().read_text() == "new"
    assert [one.name for one in target.parent.iterdir()] == ["target"]


@posix
def test_what_is_no_file_is_refused_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        before = path.stat().st_mode
        for refuse in (lambda path=path: write_text(path, "x"), lambda path=path: require_writable(path, "x", bool)):
            with pytest.raises(DataError, match=str(path)):
                refuse()
        assert path.stat().st_mode == before
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]


@posix
def test_a_device_is_written_through(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    for path in (link, Path("/dev/null")):
        require_writable(path, "a report", lambda begins: False)
        write_text(path, "gone")
        assert stat.S_ISCHR(path.stat().st_mode)
    assert link.is_symlink()


@posix
@pytest.mark.parametrize("place", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("to_file", [False, True])
def test_standard_output_by_its_path_is_written_at_its_place(tmp_path, place, to_file):
    if not Path(place).exists():
        pytest.skip(f"there is no {place} here")
    words = (
        "from pathlib import Path; from srlm.atomic_files import write_text\n"
        f"print('before'); write_text(Path('{place}'), 'inside\\n'); print('after')"
    )
    command = [sys.executable, "-c", words]
    surroundings = {**os.environ, "PYTHONPATH": str(Path(srlm.__file__).parents[1])}
    if to_file:
        with (tmp_path / "out").open("wb") as out:
            subprocess.run(command, env=surroundings, stdout=out, check=True)
        found = (tmp_path / "out").read_text()
    else:
        found = subprocess.run(command, env=surroundings, capture_output=True, check=True, text=True).stdout
    assert found == "before\ninside\nafter\n"
    assert [one.name for one in tmp_path.iterdir()] == (["out"] if to_file else [])


def test_a_name_as_long_as_the_disk_allows(tmp_path):
    path = tmp_path / ("x" * 255)
    write_text(path, "text")
    assert path.read_text() == "text"


@pytest.fixture
def read_only(monkeypatch):
    """A disk on which no file can be made; as root, permissions alone would not do."""

    def refuse(*words, **more):
        raise OSError(errno.EROFS, "Read-only file system", str(words[0]))

    monkeypatch.setattr("srlm.atomic_files.os.open", refuse)


@pytest.mark.usefixtures("read_only")
def test_on_a_read_only_disk_the_same_text_is_no_error_and_another_names_the_users_path(tmp_path):
    path = tmp_path / "file"
    path.write_text("one\ntwo\n")
    write_pieces(path, iter(["one\n", "two\n"]))
    for pieces in (["one\n"], ["one\n", "two\n", "three\n"], ["one\n", "zwei\n"]):
        with pytest.raises(OSError, match="Read-only") as caught:
            write_pieces(path, iter(pieces))
        assert caught.value.filename == str(path)
    with pytest.raises(OSError, match="Read-only") as caught:
        write_text(tmp_path / "new", "x")
    assert caught.value.filename == str(tmp_path / "new")


def test_a_parent_that_is_a_file_is_named_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is not a folder"):
        require_writable(tmp_path / "file" / "x", "a report", bool)
    with pytest.raises(OSError, match=r"directory|exists") as caught:
        write_text(tmp_path / "file" / "x", "x")
    assert caught.value.filename == str(tmp_path / "file" / "x")


def test_a_place_where_nothing_may_be_written_is_named_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("srlm.atomic_files.os.access", lambda place, how: False)
    with pytest.raises(DataError, match="is not writable"):
        require_writable(tmp_path / "new" / "x", "a report", bool)


def test_only_a_file_of_the_same_kind_may_be_replaced(tmp_path):
    path = tmp_path / "x.html"

    def known(begins):
        return begins.startswith("mine")

    require_writable(path, "a report", known)
    for content in (b"", b" \n", b"mine, of yesterday"):
        path.write_bytes(content)
        require_writable(path, "a report", known)
    for content in (b"SQLite format 3\0\xff\xff", b"notes"):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"x\.html exists and is not a report"):
            require_writable(path, "a report", known)
    assert not is_stream(path)
