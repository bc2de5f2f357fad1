"""The fingerprint of a checkpoint changes with every file that determines its answers, and with no other."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import load_file, save_file

from helpers.tiny_models import checkpoint
from srlm.engines.fingerprint import fingerprint

Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("whole"), "chatml")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def indexed(name: str) -> Change:
    """Move the weights to a file that an index names."""

    def change(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        (folder / "model.safetensors").rename(place)
        index = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(held, name)}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    return change


def sharded(missing: bool) -> Change:
    def change(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        names = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(held)}
        for shard in set(names.values()):
            part = {name: weight for name, weight in held.items() if names[name] == shard}
            save_file(part, folder / shard, {"format": "pt"})
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
        if missing:
            (folder / "model-00002-of-00002.safetensors").unlink()

    return change


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
