"""Models by name: paths, names with dots, unknown names."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from srlm.errors import UnknownName
from srlm.model_hub import is_model_name, model_folder, model_name


def fill(folder: Path, *names: str) -> None:
    """Create empty files, and JSON objects where one is read."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        base = json.dumps({"base_model_name_or_path": "it's BASE"})
        file.write_text(base if "adapter" in name else "{}" if name.endswith(".json") else "")


@pytest.mark.parametrize("name", ["", "nowhere", "\0", "~nobody-here/model", "x" * 5000])
def test_what_is_nothing_is_an_unknown_name(name: str) -> None:
    assert not is_model_name(name)
    with pytest.raises(UnknownName):
        model_folder(name)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (lambda here: ".", "model"),
        (lambda here: "./", "model"),
        (lambda here: "..", "folder"),
        (lambda here: "../model/.", "model"),
        (lambda here: "vllm:.", "vllm:model"),
        (lambda here: f"{here}/", None),
        (lambda here: "../model", "../model"),
        (lambda here: "hf:owner/name", "hf:owner/name"),
        (lambda here: "smollm2", "smollm2"),
    ],
)
def test_a_folder_is_called_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: Callable[[Path], str], name: str | None
) -> None:
    """Files of results have this name: it must never be "." or lead outside."""
    here = tmp_path / "folder" / "model"
    fill(here, "config.json", "model.safetensors")
    monkeypatch.chdir(here)
    assert model_name(given(here)) == (name or str(here))


def test_a_folder_named_by_dots_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "real" / "model"
    fill(here, "config.json", "model.safetensors")
    (tmp_path / "link").symlink_to(here)
    monkeypatch.chdir(here)
    for given in (".", "./", "../model", "../../link/../model/", str(tmp_path / "link")):
        assert (model_folder(given) / "config.json").samefile(here / "config.json")
