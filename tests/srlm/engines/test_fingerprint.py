"""The fingerprint of a checkpoint changes with every file that determines its answers, and with no other."""

import json
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import load_file, save_file

from helpers.checkpoint_changes import indexed, sharded
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
