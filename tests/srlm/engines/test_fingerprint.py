"""The fingerprint of a checkpoint changes with every file that determines its answers, and with no other."""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import load_file, save_file

from helpers.checkpoint_changes import indexed, sharded
from srlm.engines import fingerprint as module
from srlm.engines.fingerprint import fingerprint


def test_the_fingerprint_of_a_usual_checkpoint_stays_what_it_was(folder: Path) -> None:
    """It is part of the keys of existing ledgers."""
    from hashlib import file_digest, sha256

    def before(folder: Path) -> str:
        digest = sha256()
        patterns = ("*.safetensors", "config.json", "generation_config.json", "tokenizer*.json", "*.jinja", "*.model")
        for file in sorted({file for pattern in (*patterns, "vocab*") for file in folder.glob(pattern)}):
            digest.update(file.name.encode())
            with file.open("rb") as stream:
                digest.update(file_digest(stream, "sha256").digest())
        return digest.hexdigest()[:16]

    assert fingerprint(folder) == before(folder)
    (folder / "README.md").write_text("New.")
    assert fingerprint(folder) == before(folder)
    sharded(missing=False)(folder)
    assert fingerprint(folder) == before(folder)
    (folder / "consolidated.safetensors").write_bytes(b"of the maker's own tools")
    assert fingerprint(folder) == before(folder)


@pytest.mark.parametrize("name", ["parts/w.safetensors", "w.safetensors"])
def test_weights_that_an_index_names_are_in_the_fingerprint(folder: Path, name: str) -> None:
    indexed(name)(folder)
    first = fingerprint(folder)
    file = folder / name
    save_file({key: weight + 1 for key, weight in load_file(file).items()}, file, {"format": "pt"})
    assert fingerprint(folder) != first


def test_which_of_two_files_an_index_names_is_too(folder: Path) -> None:
    indexed("a.safetensors")(folder)
    shutil.copy(folder / "a.safetensors", folder / "b.safetensors")
    first, index = fingerprint(folder), folder / "model.safetensors.index.json"
    index.write_text(index.read_text().replace("a.safetensors", "b.safetensors"))
    assert fingerprint(folder) != first


@pytest.mark.parametrize(
    ("name", "unless"),
    [
        ("additional_chat_templates/tool_use.jinja", ""),
        ("special_tokens_map.json", ""),
        ("added_tokens.json", ""),
        ("merges.txt", "tokenizer.json"),
        ("tokenizer.model.v3", "tokenizer.json"),
    ],
)
def test_what_else_the_tokenizer_reads_is_in_the_fingerprint(folder: Path, name: str, unless: str) -> None:
    settings = folder / "tokenizer_config.json"
    kept = json.loads(settings.read_text())
    kept.pop("added_tokens_decoder", None)
    settings.write_text(json.dumps(kept))
    if unless:
        (folder / unless).unlink()
    first, file = fingerprint(folder), folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("{}")
    assert fingerprint(folder) != first


# --- remembered digests -----------------------------------------------------------------------------------------------


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Names of the files that are read for a digest. The weights count as large, and as written long ago."""
    names: list[str] = []
    compute = module._read
    monkeypatch.setenv("SRLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "LARGE", 100_000)
    monkeypatch.setattr(module, "SETTLED_S", -1.0)
    monkeypatch.setattr(module, "_read", lambda file: names.append(file.name) or compute(file))
    return names


def grown(folder: Path) -> Path:
    """The weights of a checkpoint, made large."""
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes() + bytes(100_000))
    return file


def test_weights_are_read_once(folder: Path, read: list[str]) -> None:
    grown(folder)
    first = fingerprint(folder)
    assert read.count("model.safetensors") == 1
    others = len(read)
    assert fingerprint(folder) == first
    assert read.count("model.safetensors") == 1
    assert len(read) == 2 * others - 1  # small files are read each time


def in_place(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"x")


def in_place_with_its_time(file: Path) -> None:
    """As rsync does it: size and time of modification are what they were."""
    before = file.stat()
    in_place(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def by_another(file: Path) -> None:
    """Another file of the same size and time takes its name."""
    other = file.with_name("other")
    shutil.copy2(file, other)
    in_place_with_its_time(other)
    other.replace(file)


def longer(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"x")


@pytest.mark.parametrize("change", [in_place, in_place_with_its_time, by_another, longer])
def test_changed_weights_are_read_again(change: Any, folder: Path, read: list[str]) -> None:
    file = grown(folder)
    first = fingerprint(folder)
    time.sleep(0.02)  # the clock of files moves in steps of some milliseconds
    change(file)
    second = fingerprint(folder)
    assert second != first
    assert read.count("model.safetensors") == 2
    assert fingerprint(folder) == second
    assert read.count("model.safetensors") == 2


def test_a_file_that_was_just_written_is_not_remembered(
    folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could change once more within one step of the file system's clock."""
    monkeypatch.setattr(module, "SETTLED_S", 60.0)
    grown(folder)
    assert fingerprint(folder) == fingerprint(folder)
    assert read.count("model.safetensors") == 2


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"sha256": 1}', b"\xff"])
def test_a_damaged_memory_is_not_used(folder: Path, read: list[str], content: bytes, tmp_path: Path) -> None:
    grown(folder)
    first = fingerprint(folder)
    (memory,) = (tmp_path / "cache" / "digests").iterdir()
    memory.write_bytes(content)
    assert fingerprint(folder) == first == fingerprint(folder)
    assert read.count("model.safetensors") == 2


def test_without_a_cache_weights_are_read_each_time(
    folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SRLM_CACHE", str(tmp_path / "file"))
    grown(folder)
    assert fingerprint(folder) == fingerprint(folder)
    assert read.count("model.safetensors") == 2
